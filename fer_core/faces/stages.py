"""MTCNN's P-, R- and O-Net with facenet-pytorch's weights, as functions of pixels."""

from __future__ import annotations

from pathlib import Path

import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from safetensors.torch import load_file
from torch import Tensor, nn

from fer_core.errors import WeightsError

_BATCH = 512  # crops in one pass of R- or O-Net: bounds memory


def normalise(pixels: Tensor) -> Tensor:
    """Pixels 0 to 255 to about -1 to 1, in place, as the weights were trained."""
    return pixels.sub_(127.5).mul_(0.0078125)


class Stages(nn.Module):
    """The three nets, their pretrained weights loaded.

    Args:
        weights: a safetensors file that replaces R- and O-Net's weights (keys `rnet.*`, `onet.*`);
            None keeps facenet-pytorch's. P-Net always keeps them.

    Raises:
        WeightsError: the file is missing, damaged or holds other keys or shapes.
    """

    def __init__(self, weights: Path | None = None) -> None:
        super().__init__()
        self.pnet, self.rnet, self.onet = PNet(), RNet(), ONet()
        if weights is not None:
            self._replace(weights)
        self.requires_grad_(False).eval()

    def _replace(self, weights: Path) -> None:
        try:
            state = load_file(weights)
            own = {key: value for key, value in self.state_dict().items() if key.startswith("pnet.")}
            self.load_state_dict({**state, **own})
        except Exception as error:
            raise WeightsError(
                "R- and O-Net's weights must be a safetensors file with the keys rnet.* and onet.*",
                got=f"{weights} ({error})",
                fix="Choose another weights file or leave it out to use the pretrained nets",
            ) from error

    def propose(self, level: Tensor) -> Tensor:
        """P-Net over a pyramid level.

        Args:
            level: float32 (n, 3, h, w), 0 to 255; consumed.

        Returns:
            float32 (n, 6, rows, columns): the logits of no face and face, then the four offsets.
        """
        net = self.pnet
        x = net.pool1(net.prelu1(net.conv1(normalise(level))))
        x = net.prelu3(net.conv3(net.prelu2(net.conv2(x))))
        return torch.cat([net.conv4_1(x), net.conv4_2(x)], dim=1)

    def refine(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """R-Net over (n, 3, 24, 24) crops, 0 to 255, consumed: face probability (n,), offsets (n, 4)."""
        net = self.rnet
        probabilities, offsets = [], []
        for x in normalise(crops).split(_BATCH):
            x = net.pool1(net.prelu1(net.conv1(x)))
            x = net.pool2(net.prelu2(net.conv2(x)))
            x = net.prelu3(net.conv3(x))
            x = net.prelu4(net.dense4(_flatten(x)))
            probabilities.append(net.softmax5_1(net.dense5_1(x))[:, 1])
            offsets.append(net.dense5_2(x))
        return torch.cat(probabilities), torch.cat(offsets)

    def output(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """O-Net over (n, 3, 48, 48) crops, 0 to 255, consumed.

        Returns:
            Face probability (n,), offsets (n, 4), landmarks (n, 10): five x, then five y, in box sides.
        """
        net = self.onet
        probabilities, offsets, landmarks = [], [], []
        for x in normalise(crops).split(_BATCH):
            x = net.pool1(net.prelu1(net.conv1(x)))
            x = net.pool2(net.prelu2(net.conv2(x)))
            x = net.pool3(net.prelu3(net.conv3(x)))
            x = net.prelu4(net.conv4(x))
            x = net.prelu5(net.dense5(_flatten(x)))
            probabilities.append(net.softmax6_1(net.dense6_1(x))[:, 1])
            offsets.append(net.dense6_2(x))
            landmarks.append(net.dense6_3(x))
        return torch.cat(probabilities), torch.cat(offsets), torch.cat(landmarks)


def _flatten(x: Tensor) -> Tensor:
    """(n, channels, rows, columns) to (n, columns rows channels), the order of the original's weights."""
    return x.permute(0, 3, 2, 1).flatten(1)
