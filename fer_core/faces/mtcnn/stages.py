"""MTCNN's P-, R- and O-Net with facenet-pytorch's weights, as functions of pixels, laid out for speed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import pad

from fer_core.errors import WeightsError

from .pnet import PooledPNet, heads_of, parameters

# Pixels in one pass of a net. It bounds memory, on a CPU to what `keep_freed_memory` keeps: a pixel takes 64 bytes
# a layer. A level in one pass saves the rows that strips of it would compute twice.
_CPU_PASS, _ACCELERATOR_PASS = 160_000, 1 << 21
_RNET_WORTH, _ONET_WORTH = 7, 2  # crops that take as long as a pass does besides them


@dataclass(frozen=True)
class _Layer:
    """Convolution, then PReLU unless `slope` is None, then max pooling of side `pool`, stride 2, unless that is 0."""

    weight: Tensor
    bias: Tensor
    slope: Tensor | None
    pool: int


def _on_onednn(device: torch.device) -> bool:
    return device.type == "cpu" and torch.backends.mkldnn.is_available()


class _Convolutions:
    """A net's convolutional layers with the pixels' normalisation folded into the first.

    On a CPU the layers stay in oneDNN's blocked layout from end to end: PReLU and pooling are 3 to 20 times faster
    in it than in torch's.
    """

    def __init__(self, layers: list[tuple[nn.Conv2d, nn.PReLU | None, int]], device: torch.device) -> None:
        self._blocked = _on_onednn(device)
        self._layers: list[_Layer] = []
        for index, (conv, prelu, pool) in enumerate(layers):
            weight, bias = parameters(conv, reads_pixels=index == 0)
            slope = None if prelu is None else self._place(prelu.weight.detach(), device)
            self._layers.append(_Layer(self._place(weight, device), self._place(bias, device), slope, pool))

    def _place(self, values: Tensor, device: torch.device) -> Tensor:
        return values.to_mkldnn() if self._blocked else values.to(device)

    def __call__(self, x: Tensor) -> Tensor:
        x = x.to_mkldnn() if self._blocked else x
        for layer in self._layers:
            x = torch.conv2d(x, layer.weight, layer.bias)
            if layer.slope is not None:
                x = torch.prelu(x, layer.slope)
            if layer.pool:
                x = torch.max_pool2d(x, layer.pool, 2, ceil_mode=True)
        return x.to_dense() if self._blocked else x


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
        layers = [
            (p.conv1, p.prelu1, 2),
            (p.conv2, p.prelu2, 0),
            (p.conv3, p.prelu3, 0),
            (heads_of(p), None, 0),
        ]
        self._p = PooledPNet(p) if _on_onednn(device) else _Convolutions(layers, device)
        self._r = _Convolutions(
            [(r.conv1, r.prelu1, 3), (r.conv2, r.prelu2, 3), (r.conv3, r.prelu3, 0)], device
        )
        self._o = _Convolutions(
            [(o.conv1, o.prelu1, 3), (o.conv2, o.prelu2, 3), (o.conv3, o.prelu3, 2), (o.conv4, o.prelu4, 0)],
            device,
        )
        self.pass_pixels = _CPU_PASS if device.type == "cpu" else _ACCELERATOR_PASS

    def propose(self, level: Tensor) -> Tensor:
        """P-Net over pyramid levels or strips of them.

        Args:
            level: float32 (n, 3, h, w), 0 to 255.

        Returns:
            float32 (n, 6, rows, columns): the logits of no face and face, then the four offsets.
        """
        return self._p(level)

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

    def _features(self, net: _Convolutions, crops: Tensor, worth: int) -> Tensor:
        """A net's last maps of each crop as a row, from passes of few lengths: the last is filled up if that pays."""
        count = len(crops)
        more = (-count % (1 << bits) for bits in range(count.bit_length() + 1))
        fill = min(more, key=lambda m: m + worth * (count + m).bit_count())
        crops = pad(crops, (0, 0, 0, 0, 0, 0, 0, fill)) if fill else crops
        most = self.pass_pixels // (crops.shape[2] * crops.shape[3])
        found = [_flatten(net(crops[lo:hi])) for lo, hi in passes(0, max(len(crops), 1), most)]
        return torch.cat(found)[:count]


def passes(first: int, last: int, most: int) -> Iterator[tuple[int, int]]:
    """First and past-the-end index of passes over `first` to `last - 1`, each a power of two and at most `most` long.

    A net compiles and keeps a kernel a layer for each length it meets: of any length they would be hundreds, which
    fill the memory, crowd each other out and are compiled again and again.
    """
    while first < last:
        length = 1 << (max(min(last - first, most), 1).bit_length() - 1)
        yield first, first + length
        first += length


def _replace(nets: nn.ModuleDict, weights: Path) -> None:
    try:
        nets.load_state_dict(load_file(weights))
    except Exception as error:
        raise WeightsError(
            "R- and O-Net's weights must be a safetensors file with the keys rnet.* and onet.*",
            got=f"{weights} ({error})",
            fix="Choose another weights file or leave it out to use the pretrained nets",
        ) from error


def _flatten(x: Tensor) -> Tensor:
    """(n, channels, rows, columns) to (n, columns rows channels), the order of the original's weights."""
    return x.permute(0, 3, 2, 1).flatten(1)
