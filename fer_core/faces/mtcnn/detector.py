"""MTCNN face detection, equal to facenet-pytorch's and faster, over frames of mixed sizes, with its trace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fer_core.config.devices import keep_freed_memory
from fer_core.errors import ConfigError, DataError

from .cascade import output, refine
from .proposals import propose
from .pyramid import CELL, IntegralImages
from .stages import Stages
from .trace import Failure, Fate, StageTrace, Trace

__all__ = ["MTCNN", "Detection", "Failure", "Fate", "StageTrace", "Trace"]

_CHUNK_PIXELS = {"cpu": 1 << 21}  # source pixels worked on at once: bounds memory (26 bytes a pixel)
_CHUNK_PIXELS_ACCELERATOR = 1 << 24


@dataclass(frozen=True)
class Detection:
    """The faces of one image, the largest box first.

    Attributes:
        boxes: (n, 4) float32 x1, y1, x2, y2, source px; may reach past the image's border.
        probabilities: (n,) float32 O-Net's face probability.
        landmarks: (n, 5, 2) float32 x, y of left eye, right eye, nose, left and right mouth corner (left as
            seen in the image), source px.
        trace: what each stage saw and removed; None if it was not asked for.
    """

    boxes: np.ndarray
    probabilities: np.ndarray
    landmarks: np.ndarray
    trace: Trace | None = None

    def __len__(self) -> int:
        return len(self.boxes)


class MTCNN:
    """Detector of Zhang et al. 2016 with facenet-pytorch's weights, thresholds and rounding.

    Boxes, probabilities, landmarks and their order equal `facenet_pytorch.MTCNN(keep_all=True).detect` run on
    each image alone, up to float32 rounding. Deviations: an image whose short side is below `min_face_size`
    gives no face, and a candidate wholly outside its frame is dropped (facenet-pytorch fails on both).

    Args:
        device: torch device the nets run on.
        thresholds: least face probability at P-, R- and O-Net, each in (0, 1).
        min_face_size: px of the smallest face searched, at least 12.
        factor: ratio of one pyramid scale to the one before, in (0, 1).
        threads: CPU threads while detecting; None leaves torch's setting.
        weights: safetensors file with other R- and O-Net weights (keys `rnet.*`, `onet.*`).
        trace: whether detections carry their trace; off saves a little time and memory.

    Raises:
        ConfigError: a setting is out of its range.
        WeightsError: `weights` can't be used.
    """

    def __init__(
        self,
        device: str | torch.device = "cpu",
        thresholds: Sequence[float] = (0.6, 0.7, 0.7),
        min_face_size: int = 20,
        factor: float = 0.709,
        threads: int | None = None,
        weights: Path | None = None,
        trace: bool = True,
    ) -> None:
        if len(thresholds) != 3 or not all(0 < t < 1 for t in thresholds):
            raise ConfigError("thresholds must be three probabilities between 0 and 1", got=tuple(thresholds))
        if min_face_size < CELL:
            raise ConfigError(f"min_face_size must be at least {CELL} px", got=min_face_size)
        if not 0 < factor < 1:
            raise ConfigError("factor must lie between 0 and 1", got=factor)
        if threads is not None and threads < 1:
            raise ConfigError("threads must be at least 1", got=threads)
        self.device = torch.device(device)
        self.thresholds = tuple(float(t) for t in thresholds)
        self.min_face_size, self.factor = min_face_size, factor
        self.threads, self.trace = threads, trace
        keep_freed_memory()
        self._stages = Stages(self.device, weights)
        self._chunk_pixels = _CHUNK_PIXELS.get(self.device.type, _CHUNK_PIXELS_ACCELERATOR)

    def detect(self, images: Iterable[np.ndarray | Image.Image]) -> list[Detection]:
        """Faces of each image, in the images' order.

        Args:
            images: uint8 RGB arrays (H, W, 3) or PIL images of any mode, sizes mixed. EXIF rotation is
                not applied: boxes are in the pixels as given.

        Raises:
            DataError: an array is not uint8 (H, W, 3).
        """
        return list(self.stream(images))

    def stream(self, images: Iterable[np.ndarray | Image.Image]) -> Iterator[Detection]:
        """As `detect`, lazily: reads and works on a bounded number of pixels at a time."""
        chunk: list[np.ndarray] = []
        pixels = 0
        for image in images:
            frame = _rgb(image)
            area = frame.shape[0] * frame.shape[1]
            if chunk and pixels + area > self._chunk_pixels:
                yield from self._detect_chunk(chunk)
                chunk, pixels = [], 0
            chunk.append(frame)
            pixels += area
        if chunk:
            yield from self._detect_chunk(chunk)

    def _detect_chunk(self, frames: list[np.ndarray]) -> list[Detection]:
        """Run each stage over all the chunk's frames, those of one size side by side."""
        pnet, rnet, onet = self.thresholds
        by_size = sorted(range(len(frames)), key=lambda k: frames[k].shape)
        with torch.inference_mode(), _threads(self.threads):
            images = IntegralImages(_upload([frames[k] for k in by_size], self.device))
            proposals = propose(self._stages, images, pnet, self.min_face_size, self.factor)
            refined = refine(self._stages, images, [p.boxes for p in proposals], rnet)
            faces = output(self._stages, images, [r.boxes for r in refined], onet)
        detections: dict[int, Detection] = {}
        for k, p, r, f in zip(by_size, proposals, refined, faces, strict=True):
            side = f.boxes[:, 2:] - f.boxes[:, :2]
            order = np.argsort(side[:, 0] * side[:, 1])[::-1]
            trace = None
            if self.trace:
                onet_trace = replace(f.trace, kept=f.trace.kept[order])
                trace = Trace(p.trace, r.trace, onet_trace, p.scales, p.best, p.best_boxes)
            detections[k] = Detection(f.boxes[order], f.scores[order], f.landmarks[order], trace)
        return [detections[k] for k in range(len(frames))]


def _rgb(image: np.ndarray | Image.Image) -> np.ndarray:
    """The image as a uint8 RGB array (H, W, 3)."""
    if isinstance(image, Image.Image):
        return np.array(image.convert("RGB"))
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        met = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise DataError(
            "an image must be a uint8 RGB array (H, W, 3) or a PIL image",
            got=met,
            fix="Convert it with PIL.Image.Image.convert('RGB')",
        )
    return image


def _upload(frames: list[np.ndarray], device: torch.device) -> list[Tensor]:
    """The frames on the device, in one transfer."""
    if device.type == "cpu":
        return [torch.from_numpy(np.require(frame, requirements=["C", "W"])) for frame in frames]
    packed = torch.from_numpy(np.concatenate([frame.reshape(-1) for frame in frames])).to(device)
    parts = packed.split([frame.size for frame in frames])
    return [part.view(frame.shape) for part, frame in zip(parts, frames, strict=True)]


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Run torch on this many CPU threads (a setting of the whole process), and put it back."""
    before = torch.get_num_threads()
    if count is None or count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
