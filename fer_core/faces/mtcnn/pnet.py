"""P-Net for oneDNN on a CPU: channels last throughout, its first activation after the pooling."""

from __future__ import annotations

from typing import cast

import torch
from facenet_pytorch.models.mtcnn import PNet
from torch import Tensor, nn
from torch.nn.functional import pad

_OUTPUTS = 6  # the logits of no face and face, then the four offsets
_MEAN, _SCALE = 127.5, 0.0078125  # the weights were trained on (pixels - 127.5) / 128


def parameters(conv: nn.Conv2d, *, reads_pixels: bool) -> tuple[Tensor, Tensor]:
    """A convolution's weight and bias, the pixels' normalisation folded into them if it reads pixels, 0 to 255."""
    weight, bias = conv.weight.detach(), cast(Tensor, conv.bias).detach()
    if not reads_pixels:
        return weight, bias
    weight = weight * _SCALE
    return weight, bias - _MEAN * weight.sum((1, 2, 3), dtype=torch.float64).to(bias.dtype)


def heads_of(net: PNet) -> nn.Conv2d:
    """P-Net's two last convolutions as one: the logits of no face and face, then the four offsets."""
    heads = nn.Conv2d(32, _OUTPUTS, 1)
    heads.weight = nn.Parameter(torch.cat([net.conv4_1.weight, net.conv4_2.weight]))
    heads.bias = nn.Parameter(torch.cat([net.conv4_1.bias, net.conv4_2.bias]))
    return heads


class PooledPNet:
    """P-Net as a function of float32 pixels.

    The first PReLU works on a quarter of the values, those that the pooling leaves. Where its slope a is not negative,
    it grows with x and commutes with the maximum. Where it is, PReLU is max(x, a x): the convolution has a further
    channel with a x, and the greater of the two pooled channels is the pooled activation.
    """

    def __init__(self, net: PNet) -> None:
        weight, bias = parameters(net.conv1, reads_pixels=True)
        slope = net.prelu1.weight.detach()
        order = torch.argsort(slope < 0, stable=True)  # the negative ones last
        weight, bias, slope = weight[order], bias[order], slope[order]
        self._rising, self._channels = int((slope >= 0).sum()), len(slope)
        falling = slope[self._rising :]
        scaled = weight[self._rising :] * falling[:, None, None, None], bias[self._rising :] * falling
        self._slopes = slope[: self._rising], net.prelu2.weight.detach(), net.prelu3.weight.detach()
        second, second_bias = parameters(net.conv2, reads_pixels=False)
        heads, heads_bias = parameters(heads_of(net), reads_pixels=False)
        more = -_OUTPUTS % 8  # a vector of them at a time: a third faster
        self._convolutions = [
            (weight.contiguous(memory_format=torch.channels_last), bias.clone())
            for weight, bias in (
                (torch.cat([weight, scaled[0]]), torch.cat([bias, scaled[1]])),
                (second[:, order], second_bias),
                parameters(net.conv3, reads_pixels=False),
                (pad(heads, (0, 0, 0, 0, 0, 0, 0, more)), pad(heads_bias, (0, more))),
            )
        ]

    def first(self, level: Tensor) -> Tensor:
        """Map float32 (n, 3, h, w), 0 to 255, to the first convolution's (n, channels, h - 2, w - 2)."""
        return _convolve(level.contiguous(memory_format=torch.channels_last), *self._convolutions[0])

    def rest(self, x: Tensor) -> Tensor:
        """Map what `first` gives, which is overwritten, to (n, 6, rows, columns)."""
        second, third, heads = self._convolutions[1:]
        x = self._activated(_pooled(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        x = torch.prelu(_convolve(x, *second), self._slopes[1])
        x = torch.prelu(_convolve(x, *third), self._slopes[2])
        return _convolve(x, *heads)[:, :_OUTPUTS]

    def _activated(self, pooled: Tensor) -> Tensor:
        """The first PReLU of what pooling left, (n, rows, columns, channels)."""
        found = torch.empty((*pooled.shape[:3], self._channels))
        rising = pooled[..., : self._rising].permute(0, 3, 1, 2)
        found[..., : self._rising] = torch.prelu(rising, self._slopes[0]).permute(0, 2, 3, 1)
        falling, scaled = pooled[..., self._rising : self._channels], pooled[..., self._channels :]
        torch.maximum(falling, scaled, out=found[..., self._rising :])
        return found


def _convolve(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """As `torch.conv2d`, by oneDNN for inputs of every size: of one size the bits are always the same."""
    return torch.mkldnn_convolution(x, weight, bias, [0, 0], [1, 1], [1, 1], 1)


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
