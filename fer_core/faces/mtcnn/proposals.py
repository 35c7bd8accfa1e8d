"""P-Net's proposals: candidates on every pyramid level of every frame, and what NMS leaves of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .canvas import STEP, CanvasImages
from .nms import regress, square, suppress_iou
from .pyramid import CELL, IntegralImages, filled, level_size, pyramid_scales
from .stages import Stages, passes
from .trace import Fate, StageTrace

_STRIDE = 2  # px of a level between P-Net's cells
_LEVEL_NMS, _FRAME_NMS = 0.5, 0.7  # IoU, as in Zhang et al. 2016's code
_LOGIT_SLACK = 1e-3  # cells this little below the threshold are kept until their probability is exact


class Proposals(NamedTuple):
    """What P-Net hands to R-Net for one frame: squares (n, 4) in source px, the best first; and its part of `Trace`."""

    boxes: np.ndarray
    trace: StageTrace
    scales: np.ndarray
    best: np.ndarray
    best_boxes: np.ndarray


def propose(
    stages: Stages,
    images: IntegralImages,
    threshold: float,
    min_face_size: int,
    factor: float,
    most: int | None = None,
    most_kept: int | None = None,
) -> list[Proposals]:
    """Run P-Net over each frame's pyramid; see `mtcnn.MTCNN` for the settings.

    Args:
        most, most_kept: candidates of a frame that NMS looks at and leaves: the most probable ones; None for all.
    """
    scales = [np.array(pyramid_scales(int(h), int(w), min_face_size, factor)) for h, w in images.sizes]
    levels = _Levels(scales)
    maps = images.maps if isinstance(images, CanvasImages) else partial(_maps, images)
    for frames, index, found in maps(stages, scales):
        levels.add(frames, index, found)
    boxes, scores, offsets, level, best_boxes, best = levels.candidates(threshold)

    proposals = []
    first = 0
    for own_scales in scales:
        own_levels = slice(first, first + len(own_scales))
        own = np.arange(*np.searchsorted(level, [own_levels.start, own_levels.stop]))
        own = own[np.sort(np.argsort(-scores[own], kind="stable")[:most])]
        bounds = np.searchsorted(level[own], np.arange(own_levels.start, own_levels.stop + 1))
        fates, kept = _suppress(boxes[own], scores[own], bounds.tolist(), most_kept)
        trace = StageTrace(
            stage="pnet",
            threshold=threshold,
            boxes=boxes[own],
            scores=scores[own],
            fates=fates,
            kept=kept,
            scale=(level[own] - first).astype(np.uint16),
        )
        moved = square(regress(trace.boxes[kept], offsets[own][kept], inclusive=False))
        proposals.append(Proposals(moved, trace, own_scales, best[own_levels], best_boxes[own_levels]))
        first = own_levels.stop
    return proposals


def _suppress(
    boxes: np.ndarray, scores: np.ndarray, bounds: Sequence[int], most: int | None
) -> tuple[np.ndarray, np.ndarray]:
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
    kept = left[suppress_iou(boxes[left], scores[left], _FRAME_NMS)[:most]]
    fates[left] = Fate.NMS
    fates[kept] = Fate.KEPT
    return fates, kept


def _maps(
    images: IntegralImages, stages: Stages, scales: list[np.ndarray]
) -> Iterator[tuple[np.ndarray, int, Tensor]]:
    """On a CPU what `CanvasImages.maps` yields: frames of one size together, each level on a canvas hardly larger.

    oneDNN compiles for each shape it meets, which for frames of ever new sizes takes as long as half a detection.
    """
    for first, last in _runs(images.sizes):
        height, width = (int(side) for side in images.sizes[first])
        for index, scale in enumerate(scales[first]):
            size = level_size(height, width, scale)
            across = filled(size[1], STEP)
            for lo, hi in passes(first, last, stages.pass_pixels // (filled(size[0], STEP) * across)):
                strips = [
                    stages.propose(images.level(lo, hi, size, rows, STEP), (rows.stop - rows.start, size[1]))
                    for rows in _strips(size[0], stages.pass_pixels // across)
                ]
                yield np.arange(lo, hi), index, torch.cat(strips, dim=2) if strips[1:] else strips[0]


def _runs(sizes: np.ndarray) -> list[tuple[int, int]]:
    """First and past-the-end index of each run of frames of one size."""
    changes = (np.diff(sizes, axis=0) != 0).any(axis=1).nonzero()[0] + 1
    return list(pairwise([0, *changes.tolist(), len(sizes)]))


def _strips(height: int, rows: int) -> Iterator[slice]:
    """Rows of a level in strips of at most `rows`, overlapping so that their cells are the whole level's."""
    context = CELL - _STRIDE
    rows = max(rows - rows % STEP, STEP)
    top = 0
    while height - top > rows + context:
        yield slice(top, top + rows)
        top += rows - context
    yield slice(top, height)


class _Levels:
    """P-Net's maps of all levels of all frames, and the candidates on them.

    Levels are numbered frame by frame, each frame's from the largest.
    """

    def __init__(self, scales: list[np.ndarray]) -> None:
        self._scales = np.concatenate(scales).astype(np.float32)
        self._first = np.cumsum([0, *map(len, scales)])
        self._maps: list[Tensor] = []
        self._margins: list[Tensor] = []
        self._tops: list[Tensor] = []
        self._levels: list[int] = []
        self._noted = 0
        self._columns = np.zeros(len(self._scales), np.int64)
        self._cells = np.zeros(len(self._scales), np.int64)

    def add(self, frames: np.ndarray, index: int, maps: Tensor) -> None:
        """Note the (n, 6, rows, columns) maps of level `index` of n frames."""
        levels = (self._first[frames] + index).tolist()
        cells = maps.permute(0, 2, 3, 1).reshape(-1, 6)  # no copy of maps with channels last
        margin = cells[:, 1] - cells[:, 0]  # the logit of the probability
        each = maps.shape[2] * maps.shape[3]
        begins = torch.arange(self._noted, self._noted + len(cells), each, device=maps.device)
        by_map = margin.view(len(maps), each)
        on_cpu = by_map.device.type == "cpu"  # where numpy's is 30 times faster
        best = torch.from_numpy(by_map.numpy().argmax(1)) if on_cpu else by_map.argmax(1)
        self._tops.append(best + begins)
        self._maps.append(cells)
        self._margins.append(margin)
        self._noted += len(cells)
        self._levels += levels
        self._columns[levels] = maps.shape[3]
        self._cells[levels] = each

    def candidates(self, threshold: float) -> tuple[np.ndarray, ...]:
        """Cells whose probability reaches the threshold, and each level's best cell.

        Returns:
            Of the n candidates, in order of level, row, column: boxes (n, 4), scores (n,), offsets (n, 4),
            level (n,); of the levels: boxes (l, 4) and scores (l,) of the best cells.
        """
        if not self._maps:
            none = np.zeros((0, 4), np.float32)
            return none, none[:, 0], none, np.zeros(0, np.int64), none, none[:, 0]
        order = np.array(self._levels)  # the level of each map in the order they were noted
        starts = np.cumsum([0, *self._cells[order]])
        cells, margin = torch.cat(self._maps), torch.cat(self._margins)
        near = (margin >= float(np.log(threshold / (1 - threshold))) - _LOGIT_SLACK).nonzero()[:, 0]
        where = torch.cat([*self._tops, near])
        values = cells.index_select(0, where).cpu()
        scores = torch.softmax(values[:, :2], dim=1)[:, 1].numpy()
        index = where.cpu().numpy()
        position = np.searchsorted(starts, index, side="right") - 1
        level = order[position]
        y, x = np.divmod(index - starts[position], self._columns[level])
        corner = np.stack([x, y], axis=1).astype(np.float32) * _STRIDE
        scale = self._scales[level][:, None]
        boxes = np.concatenate([np.floor((corner + 1) / scale), np.floor((corner + CELL) / scale)], axis=1)
        passed = len(order) + (scores[len(order) :] >= np.float32(threshold)).nonzero()[0]
        passed = passed[np.argsort(level[passed], kind="stable")]
        tops = np.argsort(order)
        return (
            boxes[passed],
            scores[passed],
            values[:, 2:].numpy()[passed],
            level[passed],
            boxes[tops],
            scores[tops],
        )
