"""Area-resized image pyramids and crops read from one integral image, equal to resizing each on its own."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

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


def level_size(height: int, width: int, scale: float) -> tuple[int, int]:
    """Height and width in px of the pyramid level at `scale`."""
    return int(height * scale + 1), int(width * scale + 1)


def windows(start: np.ndarray, length: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """First and past-the-end index of each bin when `length` pixels from `start` shrink to `bins`.

    Args:
        start, length: (n,) int64, px.

    Returns:
        Two (n, bins) int64 arrays. The rule of torch's adaptive average pooling, which is what
        `interpolate(mode="area")` runs: floor(i L / bins) to ceil((i + 1) L / bins), so bins may overlap.
    """
    i = np.arange(bins, dtype=np.int64)
    size = length[:, None]
    return start[:, None] + i * size // bins, start[:, None] + -(-(i + 1) * size // bins)


class IntegralImages:
    """Integral images of several frames of any sizes in one buffer, read by levels and by crops.

    A pixel's four int32 values are its sums of red, green and blue from the frame's corner and one unused
    value: 16-byte pixels are what makes gathering fast. Sums wrap around beyond 8.4 Mpx, which leaves each
    difference exact as long as the window itself holds fewer than 8.4 Mpx.

    Args:
        frames: uint8 (h, w, 3) tensors on one device.
    """

    def __init__(self, frames: list[Tensor]) -> None:
        self.device = frames[0].device
        self.sizes = np.array([f.shape[:2] for f in frames], dtype=np.int64).reshape(-1, 2)
        area = (self.sizes[:, 0] + 1) * (self.sizes[:, 1] + 1)
        self.base = np.concatenate([[0], np.cumsum(area)])
        self.sums = torch.zeros((int(self.base[-1]), 4), dtype=torch.int32, device=self.device)
        for k, frame in enumerate(frames):
            table = self._table(k)
            table[1:, 1:, :3] = torch.cumsum(frame, 1, dtype=torch.int32)
            _accumulate_rows(table)

    def _table(self, frame: int) -> Tensor:
        h, w = self.sizes[frame]
        return self.sums[self.base[frame] : self.base[frame + 1]].view(int(h) + 1, int(w) + 1, 4)

    def level(self, frame: int, height: int, width: int) -> Tensor:
        """A frame shrunk to (height, width): float32 (1, 3, height, width), values 0 to 255."""
        h, w = self.sizes[frame]
        zero = np.zeros(1, dtype=np.int64)
        top, bottom = (self._index(v[0]) for v in windows(zero, np.array([h]), height))
        left, right = (self._index(v[0]) for v in windows(zero, np.array([w]), width))
        table = self._table(frame)
        rows = table.index_select(0, bottom).sub_(table.index_select(0, top))
        sums = rows.index_select(1, right).sub_(rows.index_select(1, left))
        mean = sums.permute(2, 0, 1)[:3].to(torch.float32, memory_format=torch.contiguous_format)
        # Two divisions, not one by the product: the order torch rounds in.
        return mean.div_((bottom - top)[:, None]).div_(right - left)[None]

    def crops(self, frame: np.ndarray, corners: np.ndarray, side: int) -> Tensor:
        """Windows of any frames shrunk to squares, all in one gather.

        Args:
            frame: (n,) int64 index of each crop's frame.
            corners: (n, 4) int64 x1, y1, x2, y2 within the frame, px, x2 and y2 past the end.
            side: px of the square.

        Returns:
            float32 (n, 3, side, side), values 0 to 255.
        """
        left, right = windows(corners[:, 0], corners[:, 2] - corners[:, 0], side)
        top, bottom = windows(corners[:, 1], corners[:, 3] - corners[:, 1], side)
        stride = self.sizes[frame, 1][:, None] + 1
        top_row, bottom_row = (self._index(self.base[frame][:, None] + y * stride) for y in (top, bottom))
        left_x, right_x = self._index(left), self._index(right)

        def corner(row: Tensor, x: Tensor) -> Tensor:
            return self.sums.index_select(0, (row[:, :, None] + x[:, None, :]).view(-1))

        sums = corner(bottom_row, right_x).sub_(corner(top_row, right_x))
        sums.sub_(corner(bottom_row, left_x)).add_(corner(top_row, left_x))
        mean = sums.view(-1, side, side, 4).permute(0, 3, 1, 2)[:, :3]
        mean = mean.to(torch.float32, memory_format=torch.contiguous_format)
        tall, wide = self._index(bottom - top), self._index(right - left)
        return mean.div_(tall[:, None, :, None]).div_(wide[:, None, None, :])

    def _index(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(self.device)


def _accumulate_rows(table: Tensor) -> None:
    """Add to each row the rows above it, in place."""
    if table.device.type != "cpu":
        torch.cumsum(table, 0, dtype=torch.int32, out=table)
        return
    # torch's and numpy's cumsum walk this axis column by column; whole rows are 5x faster.
    rows = table.view(table.shape[0], -1).numpy()
    for above, row in pairwise(rows):
        np.add(above, row, out=row)
