"""What a network is fed: crops scaled, resized to its input and normalised.

Training and evaluation see the same pixels: the paper (section 2) names no augmentation, and the frozen
prefix is computed once per image.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


class InputSpec(Protocol):
    """What a network expects of its input; a row of `models.backbones` is one."""

    @property
    def input_size(self) -> int:
        """Height and width in pixels."""

    @property
    def mean(self) -> tuple[float, float, float]:
        """Of each channel, for values scaled to 0..1."""

    @property
    def std(self) -> tuple[float, float, float]:
        """Of each channel, for values scaled to 0..1."""


def to_input(crops: np.ndarray, spec: InputSpec) -> Tensor:
    """Turn crops into a backbone's input.

    Args:
        crops: (N, H, W, 3) uint8 RGB.
        spec: crops of another size than its `input_size` are resized (bilinear, antialiased).

    Returns:
        (N, 3, input_size, input_size) float32, channels_last.
    """
    side = spec.input_size
    x = torch.tensor(crops).permute(0, 3, 1, 2).to(torch.float32)  # (N, 3, H, W), channels_last strides
    if tuple(x.shape[-2:]) != (side, side):
        x = F.interpolate(x, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    mean = torch.tensor(spec.mean).view(3, 1, 1) * 255
    std = torch.tensor(spec.std).view(3, 1, 1) * 255
    return ((x - mean) / std).contiguous(memory_format=torch.channels_last)
