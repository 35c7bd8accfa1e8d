"""MTCNN's P-, R- and O-Net with facenet-pytorch's weights, as functions of pixels, laid out for speed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import pad

from fer_core.errors import WeightsError

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


# Pixels in one pass of a net. It bounds memory, on a CPU to what `keep_freed_memory` keeps: a pixel takes 64 bytes
# a layer. A level in one pass saves the rows that strips of it would compute twice.
_CPU_PASS, _ACCELERATOR_PASS = 160_000, 1 << 21
Side = TypeVar("Side", int, np.ndarray)

_RNET_WORTH, _ONET_WORTH = 7, 2  # crops that take as long as a pass does besides them


def _on_onednn(device: torch.device) -> bool:
    return device.type == "cpu" and torch.backends.mkldnn.is_available()


def _convolutions(device: torch.device, first: nn.Conv2d, *layers: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return layers as one function, the pixels' normalisation folded into the first.

    On a CPU they stay in oneDNN's blocked layout from end to end: PReLU and pooling are 3 to 20 times faster in it
    than in torch's.
    """
    first, net = deepcopy(first), deepcopy(nn.Sequential(*layers))
    first.weight, first.bias = map(nn.Parameter, parameters(first, reads_pixels=True))
    net.insert(0, first)
    if not _on_onednn(device):
        return net.requires_grad_(False).to(device)
    for layer in net:
        for name, value in list(layer.named_parameters()):
            setattr(layer, name, nn.Parameter(value.to_mkldnn(), requires_grad=False))
    return lambda x: net(x.to_mkldnn()).to_dense()


class Stages:
    """The three nets on a device, their pretrained weights loaded.

    Args:
        device: where they run.
        weights: a safetensors file that replaces R- and O-Net's weights (keys `rnet.*`, `onet.*`);
            None keeps facenet-pytorch's. P-Net always keeps them.

    Raises:
        WeightsError: the file is missing, damaged or holds other keys or shapes.
    """

    def __init__(self, device: torch.device, weights: Path | None = None) -> None:
        p, r, o = PNet(), RNet(), ONet()
        refiners = nn.ModuleDict({"rnet": r, "onet": o}).requires_grad_(False).eval()
        if weights is not None:
            _replace(refiners, weights)
        refiners.to(device)
        self._rnet, self._onet = r, o
        self._p_first: Callable[[Tensor], Tensor]
        self._p_rest: Callable[[Tensor], Tensor]
        if _on_onednn(device):
            net = PooledPNet(p)
            self._p_first, self._p_rest = net.first, net.rest
        else:
            self._p_first = _convolutions(device, p.conv1, p.prelu1)
            after = nn.Sequential(p.pool1, p.conv2, p.prelu2, p.conv3, p.prelu3, heads_of(p))
            self._p_rest = after.requires_grad_(False).to(device)
        of_rnet = r.prelu1, r.pool1, r.conv2, r.prelu2, r.pool2, r.conv3, r.prelu3
        of_onet = o.prelu1, o.pool1, o.conv2, o.prelu2, o.pool2, o.conv3, o.prelu3, o.pool3
        self._r = _convolutions(device, r.conv1, *of_rnet)
        self._o = _convolutions(device, o.conv1, *of_onet, o.conv4, o.prelu4)
        self.pass_pixels = _CPU_PASS if device.type == "cpu" else _ACCELERATOR_PASS

    def propose(self, canvas: Tensor, size: tuple[int, int]) -> Tensor:
        """P-Net over pyramid levels or strips of them.

        Args:
            canvas: float32 (n, 3, h, w), 0 to 255.
            size: height and width of the levels, at its top left.

        Returns:
            float32 (n, 6, rows, columns): the logits of no face and face, then the four offsets; in cells beyond the
            levels' own, the logit of a face is minus infinity.
        """
        below, right = (side - 2 for side in size)
        first = self._p_first(canvas)
        first[:, :, below : below + 1] = -torch.inf  # the pooling joins it with a level's last
        first[:, :, :, right : right + 1] = -torch.inf
        maps = self._p_rest(first)
        maps[:, 1, map_side(size[0]) :] = -torch.inf
        maps[:, 1, :, map_side(size[1]) :] = -torch.inf
        return maps

    def propose_on_canvas(self, canvas: Tensor, below: Tensor, right: Tensor) -> Tensor:
        """P-Net over levels that end before their canvas does, on an accelerator.

        Args:
            canvas: as in `propose`, its levels of any sizes.
            below, right: (n, h - 2) and (n, w - 2), added to the first activation: 0 within a level, and beyond it
                a value so low that the pooling, which joins two, takes the level's own alone.
        """
        first = self._p_first(canvas)
        return self._p_rest(first.add_(below[:, None, :, None]).add_(right[:, None, None, :]))

    def refine(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """R-Net over float32 (n, 3, 24, 24) crops, 0 to 255: face probability (n,), offsets (n, 4)."""
        net = self._rnet
        x = self._features(self._r, crops, _RNET_WORTH)
        x = net.prelu4(net.dense4(x))
        return net.softmax5_1(net.dense5_1(x))[:, 1], net.dense5_2(x)

    def output(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """O-Net over float32 (n, 3, 48, 48) crops, 0 to 255.

        Returns:
            Face probability (n,), offsets (n, 4), landmarks (n, 10): five x, then five y, in box sides.
        """
        net = self._onet
        x = self._features(self._o, crops, _ONET_WORTH)
        x = net.prelu5(net.dense5(x))
        return net.softmax6_1(net.dense6_1(x))[:, 1], net.dense6_2(x), net.dense6_3(x)

    def _features(self, net: Callable[[Tensor], Tensor], crops: Tensor, worth: int) -> Tensor:
        """A net's last maps of each crop as a row, from passes of few lengths: the last is filled up if that pays."""
        count = len(crops)
        more = (-count % (1 << bits) for bits in range(count.bit_length() + 1))
        fill = min(more, key=lambda m: m + worth * (count + m).bit_count())
        crops = pad(crops, (0, 0, 0, 0, 0, 0, 0, fill)) if fill else crops
        most = self.pass_pixels // (crops.shape[2] * crops.shape[3])
        found = [net(crops[lo:hi]) for lo, hi in passes(0, max(len(crops), 1), most)]
        return torch.cat(found)[:count].permute(0, 3, 2, 1).flatten(1)  # as the original's weights: by column


def passes(first: int, last: int, most: int) -> Iterator[tuple[int, int]]:
    """First and past-the-end index of passes over `first` to `last - 1`, each a power of two and at most `most` long.

    A net compiles and keeps a kernel a layer for each length it meets: of any length they would be hundreds, which
    fill the memory, crowd each other out and are compiled again and again.
    """
    while first < last:
        length = 1 << (max(min(last - first, most), 1).bit_length() - 1)
        yield first, first + length
        first += length


def map_side(side: Side) -> Side:
    """Cells along a side of P-Net's maps for a level's side in px."""
    return -(-(side - 2) // 2) - 4


def _replace(nets: nn.ModuleDict, weights: Path) -> None:
    try:
        nets.load_state_dict(load_file(weights))
    except Exception as error:
        raise WeightsError(
            "R- and O-Net's weights must be a safetensors file with the keys rnet.* and onet.*",
            got=f"{weights} ({error})",
            fix="Choose another weights file or leave it out to use the pretrained nets",
        ) from error
