"""R- and O-Net over a chunk of frames, each run once on all frames' candidates together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .nms import clip, regress, square, suppress_iou, suppress_min
from .pyramid import IntegralImages
from .stages import Stages
from .trace import Fate, Stage, StageTrace

_RNET_SIDE, _ONET_SIDE = 24, 48  # px
_NMS = 0.7  # overlap, as in Zhang et al. 2016's code


@dataclass(frozen=True)
class Refined:
    """What R-Net hands to O-Net for one frame: (n, 4) float32 squares, source px, and its trace."""

    boxes: np.ndarray
    trace: StageTrace


@dataclass(frozen=True)
class Faces:
    """One frame's faces in the order O-Net's suppression leaves them, the highest score first.

    Attributes:
        boxes: (n, 4) float32 x1, y1, x2, y2, source px.
        scores: (n,) float32 probabilities.
        landmarks: (n, 5, 2) float32, source px.
        trace: O-Net's candidates.
    """

    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray
    trace: StageTrace


def refine(
    stages: Stages, images: IntegralImages, boxes: list[np.ndarray], threshold: float
) -> list[Refined]:
    """R-Net over each frame's (n, 4) float32 boxes, then NMS by IoU."""
    corners, inside, bounds = _touching(boxes, images.sizes)
    crops = images.crops(np.repeat(np.arange(len(boxes)), np.diff(bounds)), corners, _RNET_SIDE)
    scores, offsets = (t.cpu().numpy() for t in stages.refine(crops))
    refined = []
    for own_boxes, rows, lo, hi in zip(boxes, inside, bounds[:-1], bounds[1:], strict=True):
        passed = lo + (scores[lo:hi] > np.float32(threshold)).nonzero()[0]
        candidates = own_boxes[rows[passed - lo]]
        picked = suppress_iou(candidates, scores[passed], _NMS)
        trace = _trace("rnet", threshold, own_boxes, rows, scores[lo:hi], rows[passed[picked] - lo])
        moved = regress(candidates[picked], offsets[passed[picked]], inclusive=True)
        refined.append(Refined(square(moved), trace))
    return refined


def output(stages: Stages, images: IntegralImages, boxes: list[np.ndarray], threshold: float) -> list[Faces]:
    """O-Net over each frame's (n, 4) float32 boxes, then NMS by the smaller area over the moved boxes."""
    corners, inside, bounds = _touching(boxes, images.sizes)
    crops = images.crops(np.repeat(np.arange(len(boxes)), np.diff(bounds)), corners, _ONET_SIDE)
    scores, offsets, points = (t.cpu().numpy() for t in stages.output(crops))
    faces = []
    for own_boxes, rows, lo, hi in zip(boxes, inside, bounds[:-1], bounds[1:], strict=True):
        passed = lo + (scores[lo:hi] > np.float32(threshold)).nonzero()[0]
        candidates = own_boxes[rows[passed - lo]]
        moved = regress(candidates, offsets[passed], inclusive=True)
        picked = suppress_min(moved, scores[passed], _NMS)
        trace = _trace("onet", threshold, own_boxes, rows, scores[lo:hi], rows[passed[picked] - lo])
        # Landmarks count in sides of the box O-Net looked at (all x, then all y), and from pixel 1.
        corner = candidates[picked, None, :2]
        side = candidates[picked, None, 2:] - corner + 1
        unit = points[passed[picked]].reshape(-1, 2, 5).transpose(0, 2, 1)
        landmarks = side * unit + corner - 1
        faces.append(Faces(moved[picked], scores[passed[picked]], landmarks, trace))
    return faces


def _touching(boxes: list[np.ndarray], sizes: np.ndarray) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """The parts of boxes that lie in their frames.

    Returns:
        Corners (n, 4) int64 over all frames; each frame's indices of its boxes that touch it; and the frames'
        bounds among the n (frames + 1,).
    """
    corners = [clip(own, h, w) for own, (h, w) in zip(boxes, sizes, strict=True)]
    inside = [((c[:, 2] > c[:, 0]) & (c[:, 3] > c[:, 1])).nonzero()[0] for c in corners]
    chosen = np.concatenate([c[rows] for c, rows in zip(corners, inside, strict=True)])
    return chosen, inside, np.cumsum([0, *map(len, inside)])


def _trace(
    stage: Stage, threshold: float, boxes: np.ndarray, rows: np.ndarray, scores: np.ndarray, kept: np.ndarray
) -> StageTrace:
    """Trace of a stage that scored `boxes[rows]` and kept `boxes[kept]`."""
    all_scores = np.full(len(boxes), np.nan, np.float32)
    all_scores[rows] = scores
    fates = np.full(len(boxes), Fate.OUTSIDE, np.uint8)
    fates[rows] = np.where(scores > np.float32(threshold), Fate.NMS, Fate.BELOW)
    fates[kept] = Fate.KEPT
    return StageTrace(stage, threshold, boxes, all_scores, fates, kept, np.zeros(0, np.uint16))
