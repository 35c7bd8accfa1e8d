"""P-Net on a CPU with its weights in oneDNN's own order, its first activation after the pooling."""

from __future__ import annotations

from typing import cast

import torch
from facenet_pytorch.models.mtcnn import PNet
from torch import Tensor, nn
from torch.nn.functional import pad

_MEAN, _SCALE = 127.5, 0.0078125  # the weights were trained on (pixels - 127.5) / 128
_AS_IS = [0, 0], [1, 1], [1, 1], 1  # padding, stride, dilation, groups
_LEVEL = 346, 433  # px of a usual level, 720x576 at the first scale: what the weights' order is chosen for


def parameters(conv: nn.Conv2d, *, reads_pixels: bool) -> tuple[Tensor, Tensor]:
    """A convolution's weight and bias, the pixels' normalisation folded into them if it reads pixels, 0 to 255."""
    weight, bias = conv.weight.detach(), cast(Tensor, conv.bias).detach()
    if not reads_pixels:
        return weight, bias
    weight = weight * _SCALE
    return weight, bias - _MEAN * weight.sum((1, 2, 3), dtype=torch.float64).to(bias.dtype)


def heads_of(net: PNet) -> nn.Conv2d:
    """P-Net's two last convolutions as one: the logits of no face and face, then the four offsets."""
    heads = nn.Conv2d(32, 6, 1)
    heads.weight = nn.Parameter(torch.cat([net.conv4_1.weight, net.conv4_2.weight]))
    heads.bias = nn.Parameter(torch.cat([net.conv4_1.bias, net.conv4_2.bias]))
    return heads


class PackedPNet:
    """P-Net as a function of float32 pixels, channels last throughout.

    The first PReLU works on a quarter of the values, those that the pooling leaves. Where its slope a is not negative,
    it grows with x and commutes with the maximum. Where it is, PReLU is max(x, a x): the convolution has a further
    channel with a x, and the greater of the two pooled channels is the pooled activation.
    """

    def __init__(self, net: PNet) -> None:
        weight, bias = parameters(net.conv1, reads_pixels=True)
        slope = net.prelu1.weight.detach()
        order = torch.argsort(slope < 0, stable=True)  # the negative ones last
        weight, bias, slope = weight[order], bias[order], slope[order]
        self._rising = int((slope >= 0).sum())
        falling = slope[self._rising :]
        self._slopes = slope[: self._rising], net.prelu2.weight.detach(), net.prelu3.weight.detach()
        height, width = _LEVEL
        self._first = _packed(
            torch.cat([weight, weight[self._rising :] * falling[:, None, None, None]]),
            torch.cat([bias, bias[self._rising :] * falling]),
            [1, 3, height, width],
        )
        self._channels = len(slope)
        weight, bias = parameters(net.conv2, reads_pixels=False)
        height, width = height // 2, width // 2
        self._second = _packed(weight[:, order], bias, [1, weight.shape[1], height, width])
        weight, bias = parameters(net.conv3, reads_pixels=False)
        self._third = _packed(weight, bias, [1, weight.shape[1], height - 2, width - 2])
        weight, bias = parameters(heads_of(net), reads_pixels=False)
        self._outputs = len(weight)
        more = -len(weight) % 8  # a vector of them at a time: a third faster
        size = [1, weight.shape[1], height - 4, width - 4]
        self._heads = _packed(pad(weight, (0, 0, 0, 0, 0, 0, 0, more)), pad(bias, (0, more)), size)

    def __call__(self, level: Tensor) -> Tensor:
        """Map float32 (n, 3, h, w), 0 to 255, to (n, 6, rows, columns); the input stays as it is."""
        _, second, third = self._slopes
        x = _convolution(level.contiguous(memory_format=torch.channels_last), self._first)
        x = self._activated(_pooled(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        x = torch.prelu(_convolution(x, self._second), second)
        x = torch.prelu(_convolution(x, self._third), third)
        return _convolution(x, self._heads)[:, : self._outputs]

    def _activated(self, pooled: Tensor) -> Tensor:
        """The first PReLU of what pooling left, (n, rows, columns, channels)."""
        found = torch.empty((*pooled.shape[:3], self._channels))
        rising = pooled[..., : self._rising].permute(0, 3, 1, 2)
        found[..., : self._rising] = torch.prelu(rising, self._slopes[0]).permute(0, 2, 3, 1)
        falling, scaled = pooled[..., self._rising : self._channels], pooled[..., self._channels :]
        torch.maximum(falling, scaled, out=found[..., self._rising :])
        return found


def _packed(weight: Tensor, bias: Tensor, size: list[int]) -> tuple[Tensor, Tensor]:
    """A convolution's weight in oneDNN's order for inputs of a size (n, channels, height, width), and its bias."""
    weight = weight.contiguous(memory_format=torch.channels_last)
    return torch.ops.mkldnn._reorder_convolution_weight(weight, *_AS_IS, size), bias.clone()


def _convolution(x: Tensor, packed: tuple[Tensor, Tensor]) -> Tensor:
    return torch.ops.mkldnn._convolution_pointwise(x, *packed, *_AS_IS, "none", [], "")


def _pooled(x: Tensor) -> Tensor:
    """Maximum over 2x2 of (n, rows, columns, channels), what is left over at the far edges by itself.

    It is a view of `x`, whose values it overwrites.
    """
    for axis in (1, 2):
        odd = x[:, 1::2] if axis == 1 else x[:, :, 1::2]
        x = x[:, 0::2] if axis == 1 else x[:, :, 0::2]
        paired = x.narrow(axis, 0, odd.shape[axis])
        torch.maximum(paired, odd, out=paired)
    return x
