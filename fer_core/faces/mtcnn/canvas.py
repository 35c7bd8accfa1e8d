"""Pyramid levels and crops on an accelerator: frames of any sizes on one canvas, few shapes, few launches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from fer_core.config.devices import to_device

from .pyramid import IntegralImages, filled, level_size, windows
from .stages import Stages, map_side, passes

STEP = 32  # px: a canvas' sides are multiples of it, since a net plans anew for each shape it meets
_BELOW = -1e30  # less than any value of a map, and finite after the convolutions that follow


class CanvasImages(IntegralImages):
    """Integral images on an accelerator; what they are read by is uploaded in one piece a stage, without waiting.

    Args:
        frames: uint8 (h, w, 3) arrays of any sizes.
        device: where they go.
    """

    def __init__(self, frames: Sequence[np.ndarray], device: torch.device) -> None:
        pixels = np.concatenate([frame.reshape(-1) for frame in frames])
        parts = to_device(torch.from_numpy(pixels), device).split([frame.size for frame in frames])
        super().__init__([part.view(frame.shape) for part, frame in zip(parts, frames, strict=True)])

    def crops(self, frame: np.ndarray, corners: np.ndarray, side: int) -> Tensor:
        """As `IntegralImages.crops`."""
        x1, y1, x2, y2 = corners.T[:, :, None]
        top, bottom = windows(y1, y2 - y1, side)
        left, right = windows(x1, x2 - x1, side)
        reads = self._reads(frame, top, bottom, left, right)
        return self._means(*_uploaded(self._device, reads))

    def maps(self, stages: Stages, scales: list[np.ndarray]) -> Iterator[tuple[np.ndarray, int, Tensor]]:
        """P-Net over every level: those of a pass lie in the corner of one canvas, repaired at their far edges.

        A pass holds at most `stages.pass_pixels`, or one level.

        Args:
            scales: `pyramid_scales` of each frame.

        Yields:
            Indices (n,) of frames, the index of their level, and its maps (n, 6, rows, columns); in cells beyond a
            level's own, the logit of a face is minus infinity.
        """
        plan, tables = [], []
        for index in range(max(map(len, scales), default=0)):
            sizes = {
                k: level_size(int(self.sizes[k, 0]), int(self.sizes[k, 1]), own[index])
                for k, own in enumerate(scales)
                if len(own) > index
            }
            order = sorted(sizes, key=lambda k: sizes[k])
            canvas = _canvas([sizes[k] for k in order])
            for lo, hi in passes(0, len(order), stages.pass_pixels // (canvas[0] * canvas[1])):
                frames = np.array(order[lo:hi])
                plan.append((frames, index))
                tables.append(self._level_tables(frames, np.array([sizes[k] for k in order[lo:hi]])))
        uploaded = iter(_uploaded(self._device, [table for level in tables for table in level]))
        for frames, index in plan:
            y, x, tall, wide, *beyond = (next(uploaded) for _ in range(8))
            below, right, rows, columns = beyond
            maps = stages.propose_on_canvas(self._means(y, x, tall, wide), below, right)
            maps[:, 1].add_(rows[:, :, None]).add_(columns[:, None, :])
            yield frames, index, maps

    def _level_tables(self, frames: np.ndarray, sizes: np.ndarray) -> list[np.ndarray]:
        """What to read for levels (n, 2) of these frames; which of P-Net's first values and cells are beyond them."""
        edges: list[np.ndarray] = []
        beyond: list[list[np.ndarray]] = [[], []]
        for axis, side in enumerate(_canvas(sizes)):
            own = sizes[:, axis, None]
            within = np.minimum(np.arange(side), own - 1)  # the last pixel again, to the canvas' edge
            length = self.sizes[frames, axis, None]
            edges += [within * length // own, -(-(within + 1) * length // own)]
            first, cells = np.arange(side - 2), np.arange(map_side(side))
            beyond[0].append(np.where(first < own - 2, 0, _BELOW))
            beyond[1].append(np.where(cells < map_side(own), 0, -np.inf))
        return [*self._reads(frames, *edges), *beyond[0], *beyond[1]]

    def _reads(
        self, frame: np.ndarray, top: np.ndarray, bottom: np.ndarray, left: np.ndarray, right: np.ndarray
    ) -> list[np.ndarray]:
        """Return where windows (n, rows) and (n, columns) of frames are read, and their heights and widths.

        The first two are int32, rows (n, 2 rows) as places in the buffer and columns (n, 2 columns), near edges first.
        """
        stride = self.sizes[frame, 1][:, None] + 1
        rows = self._base[frame][:, None] + np.concatenate([top, bottom], axis=1) * stride
        columns = np.concatenate([left, right], axis=1)
        return [rows.astype(np.int32), columns.astype(np.int32), bottom - top, right - left]

    def _means(self, y: Tensor, x: Tensor, tall: Tensor, wide: Tensor) -> Tensor:
        """Means (n, 3, rows, columns) over the windows of `_reads`, all in one gather."""
        index = (y[:, :, None] + x[:, None, :]).view(-1)
        shape = len(y), 2, tall.shape[1], 2, wide.shape[1], 4
        corners = self._sums.index_select(0, index).view(shape)
        sums = (corners[:, 1, :, 1] - corners[:, 0, :, 1]).sub_(corners[:, 1, :, 0]).add_(corners[:, 0, :, 0])
        mean = sums.permute(0, 3, 1, 2)[:, :3].to(torch.float32, memory_format=torch.contiguous_format)
        return mean.div_(tall[:, None, :, None]).div_(wide[:, None, None, :])


def integral_images(frames: Sequence[np.ndarray], device: torch.device) -> IntegralImages:
    """Integral images of uint8 (h, w, 3) arrays, of the kind that reads fastest on a device."""
    if device.type != "cpu":
        return CanvasImages(frames, device)
    return IntegralImages([torch.from_numpy(np.require(frame, requirements=["C", "W"])) for frame in frames])


def _canvas(sizes: Sequence[tuple[int, int]] | np.ndarray) -> tuple[int, int]:
    """Height and width of a canvas for levels of these sizes."""
    height, width = (filled(int(side), STEP) for side in np.max(sizes, axis=0))
    return height, width


def _uploaded(device: torch.device, tables: Sequence[np.ndarray]) -> list[Tensor]:
    """Copy arrays in two pieces, the int32 ones and, as float32, all others; they come back in their order."""
    found: list[Tensor | None] = [None] * len(tables)
    for whole in (True, False):
        chosen = [k for k, table in enumerate(tables) if (table.dtype == np.int32) == whole]
        kind = np.int32 if whole else np.float32
        values = np.concatenate([tables[k].reshape(-1).astype(kind, copy=False) for k in chosen])
        parts = to_device(torch.from_numpy(values), device).split([tables[k].size for k in chosen])
        for k, part in zip(chosen, parts, strict=True):
            found[k] = part.view(tables[k].shape)
    return [table for table in found if table is not None]
