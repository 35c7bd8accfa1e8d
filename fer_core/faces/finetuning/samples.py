"""What R- and O-Net are fine-tuned on: candidates of the stage before and shaken true boxes, matched and cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from fer_core.errors import DataError
from fer_core.faces.crops import overlaps
from fer_core.faces.extraction import Progress, frames
from fer_core.faces.mtcnn.detector import MTCNN
from fer_core.faces.mtcnn.nms import clip, square
from fer_core.faces.mtcnn.pyramid import IntegralImages

from .finetuned import FineTuneConfig
from .known_faces import KnownFrame

NEGATIVE, POSITIVE, PART = 0, 1, -1

Refiner = Literal["rnet", "onet"]

#: Side of the crops each net sees, px.
SIDES: dict[Refiner, int] = {"rnet": 24, "onet": 48}


@dataclass(frozen=True)
class StageSamples:
    """Training samples of one net.

    Attributes:
        crops: (n, 3, side, side) uint8 RGB. Detection feeds means over areas unrounded; rounding them here
            keeps a large set in a quarter of the memory.
        kinds: (n,) int64 of NEGATIVE, POSITIVE, PART.
        offsets: (n, 4) float32 from the candidate to its true box, in candidate sides; 0 for negatives.
        points: (n, 10) float32 five x then five y of the landmarks in the candidate; NaN where unknown.
    """

    crops: Tensor
    kinds: Tensor
    offsets: Tensor
    points: Tensor

    def __len__(self) -> int:
        return len(self.kinds)

    def to(self, device: str) -> StageSamples:
        """Return the samples on a device."""
        return StageSamples(*(getattr(self, field.name).to(device) for field in fields(self)))

    def counts(self) -> dict[str, int]:
        """Return how many samples there are of each kind."""
        kinds = {"positive": POSITIVE, "part": PART, "negative": NEGATIVE}
        return {name: int((self.kinds == kind).sum()) for name, kind in kinds.items()}


def collect(
    stage: Refiner,
    known: Sequence[KnownFrame],
    proposer: MTCNN,
    pretrained: MTCNN,
    config: FineTuneConfig,
    rng: np.random.Generator,
    progress: Progress | None = None,
) -> StageSamples:
    """Make a net's training samples from frames; unreadable ones are left out.

    R-Net lets so little background through that O-Net would see next to none and learn to call everything a
    face: where its candidates give fewer negatives than a frame may have, what R-Net looked at fills up.

    Args:
        proposer: detector with lowered thresholds, whose trace holds the boxes that the stage looks at.
        pretrained: at its usual thresholds, says where faces may be in frames that are not complete.

    Raises:
        DataError: none of the frames can be read.
    """
    parts, reason = [], ""
    of = {frame.sample.name: frame for frame in known}
    for done, (sample, image) in enumerate(frames([frame.sample for frame in known]), start=1):
        if isinstance(image, str):
            reason = reason or f": {sample.name}: {image}"
        else:
            frame = of[sample.name]
            trace = proposer.detect([image])[0].trace
            assert trace is not None
            own = [getattr(trace, stage).boxes, jitter(frame.boxes, config.jittered, rng)]
            boxes = np.concatenate([*own, trace.rnet.boxes] if stage == "onet" else own)
            kinds, offsets, points = match(boxes, frame, config)
            spare = np.arange(len(boxes)) >= sum(map(len, own))
            kinds[spare & (kinds != NEGATIVE)] = _UNUSED
            if not frame.complete:
                found = pretrained.detect([image])[0].boxes
                taken = overlaps(boxes, found).max(1, initial=0.0) >= config.negative
                kinds[(kinds == NEGATIVE) & taken] = _UNUSED
            corners = clip(boxes, *image.shape[:2])
            inside = (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
            rows = _bounded(np.where(inside, kinds, _UNUSED), spare, config, rng)
            integral = IntegralImages([torch.from_numpy(np.ascontiguousarray(image))])
            crops = integral.crops(np.zeros(len(rows), np.int64), corners[rows], SIDES[stage])
            parts.append((crops.round().to(torch.uint8), kinds[rows], offsets[rows], points[rows]))
        if progress:
            progress(done, len(known))
    if not parts:
        raise DataError(
            "A detector is fine-tuned on frames that are readable",
            got=f"none of {len(known)} frames{reason}",
            fix="See `python -m fer_core data audit`, and bring the files back",
        )
    crops_of, *rest = zip(*parts, strict=True)
    kinds, offsets, points = (np.concatenate(arrays) for arrays in rest)
    return StageSamples(
        torch.cat(crops_of), *(torch.from_numpy(values) for values in (kinds, offsets, points))
    )


_UNUSED = 2  # neither face, part nor clearly none


def match(
    boxes: np.ndarray, frame: KnownFrame, config: FineTuneConfig
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Say what each box (n, 4) is, and how far it lies from the true face it overlaps most.

    Returns:
        Kinds (n,) int64, offsets (n, 4) and points (n, 10) float32 as `StageSamples` has them, in the
        convention in which the nets' outputs are read: sides count both edge pixels, landmarks from pixel 1.
    """
    kinds = np.full(len(boxes), NEGATIVE, np.int64)
    offsets = np.zeros((len(boxes), 4), np.float32)
    points = np.full((len(boxes), 10), np.nan, np.float32)
    if not len(boxes) or not len(frame.boxes):
        return kinds, offsets, points
    iou = overlaps(boxes, frame.boxes)
    best, share = iou.argmax(1), iou.max(1)
    kinds[share >= config.negative] = _UNUSED
    kinds[share >= config.part] = PART
    kinds[share >= config.positive] = POSITIVE
    side = boxes[:, 2:] - boxes[:, :2] + 1
    moved = (frame.boxes[best] - boxes) / np.tile(side, 2)
    inner = (frame.landmarks[best] - boxes[:, None, :2] + 1) / side[:, None]
    face = np.isin(kinds, (POSITIVE, PART))
    offsets[face] = moved[face]
    points[face] = inner.transpose(0, 2, 1).reshape(-1, 10)[face]
    return kinds, offsets, points


def jitter(boxes: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return `count` squares about each true box (n, 4), as the code of Zhang et al. 2016 shakes them.

    A side lies between 0.8 of the shorter and 1.25 of the longer side of the box; the centre moves by up to a
    fifth of each side.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    low, high = 0.8 * sides.min(1, initial=np.inf), 1.25 * sides.max(1, initial=0.0)
    side = rng.uniform(low[:, None], high[:, None], (len(boxes), count))
    shift = rng.uniform(-0.2, 0.2, (len(boxes), count, 2)) * sides[:, None]
    centres = ((boxes[:, :2] + boxes[:, 2:]) / 2)[:, None] + shift
    half = side[:, :, None] / 2
    return square(np.concatenate([centres - half, centres + half], 2).reshape(-1, 4)).astype(np.float32)


def _bounded(
    kinds: np.ndarray, spare: np.ndarray, config: FineTuneConfig, rng: np.random.Generator
) -> np.ndarray:
    """Return the rows to keep: of each kind no more than the settings allow, at random, `spare` ones last."""
    rows = []
    for kind, most in ((POSITIVE, config.most), (PART, config.most), (NEGATIVE, config.negatives)):
        own = rng.permutation((kinds == kind).nonzero()[0])
        rows.append(np.sort(own[np.argsort(spare[own], kind="stable")][:most]))
    return np.concatenate(rows)
