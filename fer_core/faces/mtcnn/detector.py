"""MTCNN face detection, equal to facenet-pytorch's and faster, over frames of mixed sizes, with its trace."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from fer_core.config.devices import keep_freed_memory
from fer_core.errors import DataError
from fer_core.faces.crops import Faces

from .canvas import integral_images
from .cascade import output, refine
from .proposals import propose
from .stages import Stages
from .trace import Trace

_CPU_CHUNK, _ACCELERATOR_CHUNK = 1 << 21, 1 << 24  # px

#: Candidates at P-, R- and O-Net for each face that is wanted at most: 64 portraits in one picture are all found in as
#: many (they have 65, 26 and 8 each), faces in a pattern have ten times as many.
_CANDIDATES = (64, 16, 4)


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
        weights: safetensors file with other R- and O-Net weights (keys `rnet.*`, `onet.*`).
        most_faces: bounds the time that one image takes, whatever is on it: of more candidates than so many faces
            have, each net sees the most probable. 0 for no bound.

    Attributes:
        stages: the nets.
        chunk_pixels: source pixels worked on at once: bounds memory (26 bytes a pixel).

    Raises:
        WeightsError: `weights` can't be used.
    """

    def __init__(
        self,
        device: str | torch.device = "cpu",
        thresholds: Sequence[float] = (0.6, 0.7, 0.7),
        min_face_size: int = 20,
        factor: float = 0.709,
        weights: Path | None = None,
        most_faces: int = 0,
    ) -> None:
        self.device = torch.device(device)
        self.thresholds = tuple(float(t) for t in thresholds)
        self.min_face_size, self.factor = min_face_size, factor
        self._most = [most_faces * times or None for times in _CANDIDATES]
        keep_freed_memory()
        self.stages = Stages(self.device, weights)
        self.chunk_pixels = _CPU_CHUNK if self.device.type == "cpu" else _ACCELERATOR_CHUNK

    def detect(self, images: Sequence[np.ndarray]) -> list[Faces]:
        """Faces of each image, in the images' order; a bounded number of pixels is worked on at a time.

        Args:
            images: uint8 RGB arrays (H, W, 3), sizes mixed.

        Raises:
            DataError: an array is not uint8 (H, W, 3).
        """
        return [faces for chunk in self._chunks(images) for faces in self._detect_chunk(chunk)]

    def _chunks(self, images: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
        chunk: list[np.ndarray] = []
        pixels = 0
        for image in images:
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                raise DataError(
                    "an image must be a uint8 RGB array (H, W, 3)", got=f"{image.dtype} {image.shape}"
                )
            area = image.shape[0] * image.shape[1]
            if chunk and pixels + area > self.chunk_pixels:
                yield chunk
                chunk, pixels = [], 0
            chunk.append(image)
            pixels += area
        if chunk:
            yield chunk

    def _detect_chunk(self, frames: list[np.ndarray]) -> list[Faces]:
        """Run each stage over all the chunk's frames, those of one size side by side."""
        pnet, rnet, onet = self.thresholds
        by_size = sorted(range(len(frames)), key=lambda k: frames[k].shape)
        with torch.inference_mode():
            images = integral_images([frames[k] for k in by_size], self.device)
            into_p, into_r, into_o = self._most
            proposals = propose(self.stages, images, pnet, self.min_face_size, self.factor, into_p, into_r)
            refined = refine(self.stages, images, [p.boxes for p in proposals], rnet, into_o)
            faces = output(self.stages, images, [boxes for boxes, _ in refined], onet)
        found: dict[int, Faces] = {}
        for k, p, (_, r), (boxes, scores, landmarks, o) in zip(
            by_size, proposals, refined, faces, strict=True
        ):
            side = boxes[:, 2:] - boxes[:, :2]
            order = np.argsort(side[:, 0] * side[:, 1])[::-1]
            trace = Trace(p.trace, r, replace(o, kept=o.kept[order]), p.scales, p.best, p.best_boxes)
            height, width = frames[k].shape[:2]
            found[k] = Faces(width, height, boxes[order], scores[order], landmarks[order], trace=trace)
        return [found[k] for k in range(len(frames))]
