"""Area-resized image pyramids and crops read from one integral image, equal to resizing each alone."""

from __future__ import annotations

from functools import lru_cache, partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

_Ints = int | np.ndarray

_ROWS = 16  # of a level made at a time: what they are read from then stays in a core's cache
CELL = 12  # px, the receptive field of P-Net: no level is smaller


def pyramid_scales(height: int, width: int, min_face_size: int, factor: float) -> tuple[float, ...]:
    """Scales at which P-Net sees an image, largest first.

    Args:
        height, width: px of the image.
        min_face_size: px; a face this large fills P-Net's 12 px cell at the first scale.
        factor: ratio of one scale to the one before, in (0, 1).

    Returns:
        Scales while the short side stays at 12 px or more; empty for an image shorter than
        `min_face_size`. Source: Zhang et al. 2016, as facenet-pytorch computes them (same rounding).
    """
    scale = CELL / min_face_size
    short = min(height, width) * scale
    scales = []
    while short >= CELL:
        scales.append(scale)
        scale *= factor
        short *= factor
    return tuple(scales)


def filled(side: int, step: int) -> int:
    """The least multiple of `step` that is not below a side."""
    return -(-side // step) * step


def level_size(height: int, width: int, scale: float) -> tuple[int, int]:
    """Height and width in px of the pyramid level at `scale`."""
    return int(height * scale + 1), int(width * scale + 1)


def windows(start: _Ints, length: _Ints, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """First and past-the-end index of each bin when `length` pixels from `start` are resized to `bins`.

    Args:
        start, length: px; integers, or int64 arrays (n, 1).

    Returns:
        Two int64 arrays (bins,) or (n, bins). The rule of torch's adaptive average pooling, which is what
        `interpolate(mode="area")` runs: floor(i L / bins) to ceil((i + 1) L / bins), so bins may overlap.
    """
    i = np.arange(bins, dtype=np.int64)
    return start + i * length // bins, start - -(i + 1) * length // bins


#: `windows` of whole sides: a frame's levels are those of the next frame of its size.
_whole = lru_cache(maxsize=128)(partial(windows, 0))


class IntegralImages:
    """Integral images of several frames of any sizes in one buffer, read by levels and by crops.

    A pixel's four int32 values are its sums of red, green and blue from the frame's corner and one unused
    value: 16-byte pixels are what makes gathering fast. Sums wrap around beyond 8.4 Mpx, which leaves each
    difference exact as long as the window itself holds fewer than 8.4 Mpx.

    Args:
        frames: uint8 (h, w, 3) tensors on one device.

    Attributes:
        sizes: (n, 2) int64 height and width of each frame, px.
    """

    def __init__(self, frames: list[Tensor]) -> None:
        self.sizes = np.array([f.shape[:2] for f in frames], dtype=np.int64).reshape(-1, 2)
        self._device = frames[0].device
        self._base = np.concatenate([[0], np.cumsum((self.sizes + 1).prod(1))])
        self._sums = torch.empty((int(self._base[-1]), 4), dtype=torch.int32, device=self._device)
        for k, frame in enumerate(frames):
            h, w = frame.shape[:2]
            table = self._sums[self._base[k] : self._base[k + 1]].view(h + 1, w + 1, 4)
            table[0] = 0
            table[:, 0] = 0
            torch.cumsum(frame, 1, dtype=torch.int32, out=table[1:, 1:, :3])
            _accumulate_rows(table)

    def level(
        self, first: int, last: int, size: tuple[int, int], rows: slice = slice(None), step: int = 1
    ) -> Tensor:
        """Frames `first` to `last - 1`, all of one size, shrunk by the mean over areas.

        Args:
            size: height and width of the level, px.
            rows: which rows of the level to make.
            step: what both sides are filled up to a multiple of, with zeros at the far edges.

        Returns:
            float32 (last - first, 3, rows, width), values 0 to 255, channels last; bit for bit torch's
            `interpolate(mode="area")`, as long as a window's sum is below 2^24.
        """
        h, w = (int(side) for side in self.sizes[first])
        top, bottom = (edges[rows] for edges in _whole(h, size[0]))
        left, right = _whole(w, size[1])
        tall, wide = (bottom - top).astype(np.float32), np.repeat(right - left, 3).astype(np.float32)
        high, across = filled(len(top), step), filled(size[1], step)
        mean = np.empty((last - first, high, across * 3), np.float32)
        mean[:, len(top) :], mean[:, :, len(wide) :] = 0, 0
        tables = self._sums[self._base[first] : self._base[last]].view(last - first, h + 1, w + 1, 4)
        for table, found in zip(tables.numpy(), mean, strict=True):
            for at in range(0, len(top), _ROWS):
                part = slice(at, min(at + _ROWS, len(top)))
                strip = table.take(bottom[part], 0)
                strip -= table.take(top[part], 0)
                sums = strip.take(right, 1)
                sums -= strip.take(left, 1)
                into = found[part, : len(wide)]
                for colour in range(3):  # one by one: twice as fast as all three
                    into[:, colour::3] = sums[..., colour]
                into /= tall[part, None]  # twice, not by the product once: the order torch rounds in
                into /= wide
        return torch.from_numpy(mean.reshape(last - first, high, across, 3)).permute(0, 3, 1, 2)

    def crops(self, frame: np.ndarray, corners: np.ndarray, side: int) -> Tensor:
        """Windows of any frames resized to squares by the mean over areas, all in one gather.

        Args:
            frame: (n,) int64 index of each crop's frame.
            corners: (n, 4) int64 x1, y1, x2, y2 within the frame, px, x2 and y2 past the end.
            side: px of the square.

        Returns:
            float32 (n, 3, side, side), values 0 to 255; equal to torch as `level` is.
        """
        x1, y1, x2, y2 = corners.T[:, :, None]
        left, right = windows(x1, x2 - x1, side)
        top, bottom = windows(y1, y2 - y1, side)
        base, stride = self._base[frame][:, None], self.sizes[frame, 1][:, None] + 1

        def corner(y: np.ndarray, x: np.ndarray) -> Tensor:
            # numpy's take copies 16-byte pixels 1.5 times faster than torch
            index = (base + y * stride)[:, :, None] + x[:, None, :]
            return torch.from_numpy(self._sums.numpy().take(index, 0))

        sums = (
            corner(bottom, right).sub_(corner(top, right)).sub_(corner(bottom, left)).add_(corner(top, left))
        )
        tall, wide = (torch.from_numpy(one.astype(np.float32)) for one in (bottom - top, right - left))
        mean = sums.permute(0, 3, 1, 2)[:, :3].to(torch.float32, memory_format=torch.contiguous_format)
        return mean.div_(tall[:, None, :, None]).div_(wide[:, None, None, :])


def _accumulate_rows(table: Tensor) -> None:
    """Add to each row the rows above it, in place."""
    if table.device.type != "cpu":
        table.cumsum_(0, dtype=torch.int32)
        return
    # torch's and numpy's cumsum walk this axis column by column; whole rows are 5 times faster.
    for above, row in pairwise(table.view(table.shape[0], -1).numpy()):
        np.add(above, row, out=row)
