"""P-Net's proposals: candidates on every pyramid level of every frame, and what NMS leaves of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from fer_core.faces.nms import regress, square, suppress_iou
from fer_core.faces.pyramid import CELL, IntegralImages, level_size, pyramid_scales
from fer_core.faces.stages import Stages
from fer_core.faces.trace import Fate, StageTrace

_STRIDE = 2  # px of a level between P-Net's cells
_LEVEL_NMS, _FRAME_NMS = 0.5, 0.7  # IoU, as in Zhang et al. 2016's code
_LOGIT_SLACK = 1e-3  # cells this little below the threshold are kept until their probability is exact


@dataclass(frozen=True)
class Proposals:
    """What P-Net hands to R-Net for one frame.

    Attributes:
        boxes: (n, 4) float32 squares x1, y1, x2, y2, source px, the highest score first.
        trace: P-Net's candidates.
        scales, best, best_boxes: see `trace.Trace`.
    """

    boxes: np.ndarray
    trace: StageTrace
    scales: np.ndarray
    best: np.ndarray
    best_boxes: np.ndarray


def propose(
    stages: Stages, images: IntegralImages, threshold: float, min_face_size: int, factor: float
) -> list[Proposals]:
    """Run P-Net over each frame's pyramid; see `mtcnn.MTCNN` for the settings."""
    scales = [np.array(pyramid_scales(int(h), int(w), min_face_size, factor)) for h, w in images.sizes]
    levels = _Levels(np.concatenate(scales))
    for frame, (h, w) in enumerate(images.sizes):
        for scale in scales[frame]:
            levels.add(stages.propose(images.level(frame, *level_size(int(h), int(w), scale))))
    boxes, scores, offsets, level, best_boxes, best = levels.candidates(threshold)

    proposals = []
    first = 0
    for own_scales in scales:
        own_levels = slice(first, first + len(own_scales))
        bounds = np.searchsorted(level, np.arange(own_levels.start, own_levels.stop + 1))
        own = slice(bounds[0], bounds[-1])
        fates, kept = _suppress(boxes[own], scores[own], bounds - bounds[0])
        trace = StageTrace(
            stage="pnet",
            threshold=threshold,
            boxes=boxes[own],
            scores=scores[own],
            fates=fates,
            kept=kept,
            scale=(level[own] - first).astype(np.uint8),
        )
        moved = square(regress(trace.boxes[kept], offsets[own][kept], inclusive=False))
        proposals.append(Proposals(moved, trace, own_scales, best[own_levels], best_boxes[own_levels]))
        first = own_levels.stop
    return proposals


def _suppress(boxes: np.ndarray, scores: np.ndarray, bounds: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """NMS within each level, whose candidates lie between successive `bounds`, then over what is left.

    Returns:
        Fate of each candidate (n,) uint8, and the kept indices (m,) int64, the highest score first.
    """
    fates = np.full(len(boxes), Fate.SCALE_NMS, np.uint8)
    in_level = [np.zeros(0, np.int64)]
    for lo, hi in pairwise(bounds):
        if hi > lo:
            in_level.append(suppress_iou(boxes[lo:hi], scores[lo:hi], _LEVEL_NMS) + lo)
    left = np.concatenate(in_level)
    kept = left[suppress_iou(boxes[left], scores[left], _FRAME_NMS)]
    fates[left] = Fate.NMS
    fates[kept] = Fate.KEPT
    return fates, kept


class _Levels:
    """P-Net's maps of all levels of all frames, and the candidates on them."""

    def __init__(self, scales: np.ndarray) -> None:
        self.scales = scales.astype(np.float32)
        self.maps: list[Tensor] = []
        self.columns: list[int] = []

    def add(self, level: Tensor) -> None:
        """Append the next level's (1, 6, rows, columns) map."""
        self.maps.append(level[0].flatten(1))
        self.columns.append(level.shape[3])

    def candidates(self, threshold: float) -> tuple[np.ndarray, ...]:
        """Cells whose probability reaches the threshold, and each level's best cell.

        Returns:
            Of the n candidates, in order of level, row, column: boxes (n, 4), scores (n,), offsets (n, 4),
            level (n,); of the levels: boxes (l, 4) and scores (l,) of the best cells.
        """
        if not self.maps:
            none = np.zeros((0, 4), np.float32)
            return none, none[:, 0], none, np.zeros(0, np.int64), none, none[:, 0]
        lengths = [m.shape[1] for m in self.maps]
        starts = np.cumsum([0, *lengths])
        cells = torch.cat(self.maps, dim=1)
        margin = cells[1] - cells[0]  # the logit of the probability
        near = (margin >= float(np.log(threshold / (1 - threshold))) - _LOGIT_SLACK).nonzero()[:, 0]
        top = torch.stack([part.argmax() for part in margin.split(lengths)])
        top += torch.from_numpy(starts[:-1]).to(top.device)
        where = torch.cat([top, near])
        values = cells.index_select(1, where).T.cpu()
        scores = torch.softmax(values[:, :2], dim=1)[:, 1].numpy()
        index = where.cpu().numpy()
        level = np.searchsorted(starts, index, side="right") - 1
        y, x = np.divmod(index - starts[level], np.array(self.columns)[level])
        corner = np.stack([x, y], axis=1).astype(np.float32) * _STRIDE
        scale = self.scales[level][:, None]
        boxes = np.concatenate([np.floor((corner + 1) / scale), np.floor((corner + CELL) / scale)], axis=1)
        n = len(lengths)
        pick = n + (scores[n:] >= np.float32(threshold)).nonzero()[0]
        return boxes[pick], scores[pick], values[:, 2:].numpy()[pick], level[pick], boxes[:n], scores[:n]
