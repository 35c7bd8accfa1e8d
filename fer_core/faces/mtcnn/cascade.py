"""R- and O-Net over a chunk of frames, each run once on all frames' candidates together."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from .nms import clip, regress, square, suppress_iou, suppress_min
from .pyramid import IntegralImages
from .stages import Stages
from .trace import Fate, Stage, StageTrace

_RNET_SIDE, _ONET_SIDE = 24, 48  # px
_NMS = 0.7  # overlap, as in Zhang et al. 2016's code


def refine(
    stages: Stages, images: IntegralImages, boxes: list[np.ndarray], threshold: float, most: int | None = None
) -> list[tuple[np.ndarray, StageTrace]]:
    """R-Net over each frame's (n, 4) float32 boxes, then NMS by IoU.

    Args:
        most: candidates of a frame that are left: the most probable ones; None for all.

    Returns:
        Of each frame (m, 4) float32 squares for O-Net, source px, and R-Net's candidates.
    """
    refined = []
    for own, rows, scores, offsets, _ in _answers(stages.refine, images, boxes, _RNET_SIDE):
        passed = (scores > np.float32(threshold)).nonzero()[0]
        candidates = own[rows[passed]]
        picked = suppress_iou(candidates, scores[passed], _NMS)[:most]
        moved = regress(candidates[picked], offsets[passed[picked]], inclusive=True)
        trace = _trace("rnet", threshold, own, rows, scores, rows[passed[picked]])
        refined.append((square(moved), trace))
    return refined


def output(
    stages: Stages, images: IntegralImages, boxes: list[np.ndarray], threshold: float
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, StageTrace]]:
    """O-Net over each frame's (n, 4) float32 boxes, then NMS by the smaller area over the moved boxes.

    Returns:
        Of each frame its faces, the highest score first: boxes (m, 4) float32, source px, scores (m,) and
        landmarks (m, 5, 2); and O-Net's candidates.
    """
    faces = []
    for own, rows, scores, offsets, points in _answers(stages.output, images, boxes, _ONET_SIDE):
        passed = (scores > np.float32(threshold)).nonzero()[0]
        candidates = own[rows[passed]]
        moved = regress(candidates, offsets[passed], inclusive=True)
        picked = suppress_min(moved, scores[passed], _NMS)
        kept = passed[picked]
        # Landmarks count in sides of the box O-Net looked at (all x, then all y), and from pixel 1.
        corner = candidates[picked, None, :2]
        side = candidates[picked, None, 2:] - corner + 1
        unit = points[kept].reshape(-1, 2, 5).transpose(0, 2, 1)
        trace = _trace("onet", threshold, own, rows, scores, rows[kept])
        faces.append((moved[picked], scores[kept], side * unit + corner - 1, trace))
    return faces


def _answers(
    net: Callable[[Tensor], tuple[Tensor, ...]], images: IntegralImages, boxes: list[np.ndarray], side: int
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield each frame's boxes (n, 4), the indices (m,) of those that touch the frame, and the net's answers there:
    scores (m,), offsets (m, 4) and O-Net's landmarks (m, 10), else (m, 0)."""
    corners = [clip(own, h, w) for own, (h, w) in zip(boxes, images.sizes, strict=True)]
    inside = [((c[:, 2] > c[:, 0]) & (c[:, 3] > c[:, 1])).nonzero()[0] for c in corners]
    counts = [len(rows) for rows in inside]
    chosen = np.concatenate([c[rows] for c, rows in zip(corners, inside, strict=True)])
    found = net(images.crops(np.repeat(np.arange(len(boxes)), counts), chosen, side))
    # One download of all: the probability, four offsets and, of O-Net, ten coordinates.
    answers = torch.cat([a[:, None] if a.ndim == 1 else a for a in found], dim=1).cpu().numpy()
    parts = np.split(answers, np.cumsum(counts)[:-1])
    for own, rows, part in zip(boxes, inside, parts, strict=True):
        yield own, rows, part[:, 0], part[:, 1:5], part[:, 5:]


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
