"""Backbones as chains of named blocks with a new head of seven outputs (paper, section 2.2).

The frozen prefix runs in eval mode, its BatchNorm on the running statistics of the pretraining; the suffix
trains as usual. Random parts are drawn from seeds of their own: the head from (seed, fold), and with
weights 'none' the whole backbone from one fixed seed, so that its prefix is the same for every seed and fold.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from fer_core.config.run import CLASSES, TransferConfig
from fer_core.errors import WeightsError

from .backbones import Backbone, backbone
from .convolution import per_tap
from .efficientnet_lite import EfficientNetLite0
from .mini_xception import MiniXception
from .reproducible import seeded
from .weights import load_weights, plain_names, read_tensors

#: Seed of the random backbone of weights 'none'.
RANDOM_BACKBONE_SEED = 0


class PlainBlock(BasicBlock):
    """A ResNet basic block without its shortcut: the plain network of the paper's section 2.1."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.downsample = None

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(bn(conv(relu(bn(conv(x)))))), (N, C, H / stride, W / stride)."""
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)))


class Tokens(nn.Module):
    """ViT's first block: patches projected, class token put in front, positions added: (N, 197, 768)."""

    def __init__(self, vit: torchvision.models.VisionTransformer) -> None:
        super().__init__()
        self.conv_proj, self.class_token = vit.conv_proj, vit.class_token
        self.pos_embedding = vit.encoder.pos_embedding

    def forward(self, x: Tensor) -> Tensor:
        """Return tokens (N, 1 + patches, width) of images (N, 3, 224, 224)."""
        patches = self.conv_proj(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(x), -1, -1), patches], dim=1)
        return tokens + self.pos_embedding


class ClassToken(nn.Module):
    """ViT's last norm, then the class token alone: (N, 768)."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised class token (N, width)."""
        return self.norm(x)[:, 0]


Blocks = dict[str, nn.Module]


def _pool() -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _resnet(net: torchvision.models.ResNet) -> tuple[nn.Module, Blocks]:
    stem = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool)
    layers = {name: getattr(net, name) for name in ("layer1", "layer2", "layer3", "layer4")}
    return net, {"stem": stem, **layers, "pool": _pool(), "fc": net.fc}


def _efficientnet_lite0() -> tuple[nn.Module, Blocks]:
    net = EfficientNetLite0()
    return net, net.chain()


def _vgg16() -> tuple[nn.Module, Blocks]:
    net = torchvision.models.vgg16(weights=None)
    ends = (0, 5, 10, 17, 24, 31)
    blocks: Blocks = {f"conv{i}": net.features[ends[i - 1] : ends[i]] for i in range(1, 6)}
    blocks["pool"] = nn.Sequential(net.avgpool, nn.Flatten())
    blocks |= {"fc6": net.classifier[0:3], "fc7": net.classifier[3:6], "fc": net.classifier[6]}
    return net, blocks


def _inception_v3() -> tuple[nn.Module, Blocks]:
    """The auxiliary head is loaded with the rest, then left out: on a frozen prefix it trains nothing."""
    net = torchvision.models.inception_v3(weights=None, aux_logits=True, init_weights=False)
    children = OrderedDict(net.named_children())
    names = list(children)

    def between(first: str, last: str) -> nn.Module:
        part = names[names.index(first) : names.index(last) + 1]
        return nn.Sequential(OrderedDict((name, children[name]) for name in part if name != "AuxLogits"))

    return net, {
        "stem": between("Conv2d_1a_3x3", "maxpool2"),
        "mixed5": between("Mixed_5b", "Mixed_5d"),
        "mixed6": between("Mixed_6a", "Mixed_6e"),
        "mixed7": between("Mixed_7a", "Mixed_7c"),
        "pool": _pool(),
        "fc": net.fc,
    }


def _convnext_tiny() -> tuple[nn.Module, Blocks]:
    net = torchvision.models.convnext_tiny(weights=None)
    blocks: Blocks = {"stem": net.features[0], "stage1": net.features[1]}
    blocks |= {f"stage{i}": net.features[2 * i - 2 : 2 * i] for i in (2, 3, 4)}
    blocks |= {"pool": net.avgpool, "norm": net.classifier[0:2], "fc": net.classifier[2]}
    return net, blocks


def _vit_b_16() -> tuple[nn.Module, Blocks]:
    net = torchvision.models.vit_b_16(weights=None)
    blocks: Blocks = {"embed": Tokens(net)}
    blocks |= {f"encoder{i}": layer for i, layer in enumerate(net.encoder.layers, start=1)}
    return net, {**blocks, "norm": ClassToken(net.encoder.ln), "fc": net.heads.head}


def _inception_resnet_v1() -> tuple[nn.Module, Blocks]:
    from facenet_pytorch import InceptionResnetV1

    net = InceptionResnetV1(classify=True, num_classes=8631)
    stem = ("conv2d_1a", "conv2d_2a", "conv2d_2b", "maxpool_3a", "conv2d_3b", "conv2d_4a", "conv2d_4b")
    return net, {
        "stem": nn.Sequential(*(getattr(net, name) for name in stem)),
        "repeat1": net.repeat_1,
        "mixed6": nn.Sequential(net.mixed_6a, net.repeat_2),
        "mixed7": nn.Sequential(net.mixed_7a, net.repeat_3, net.block8),
        "pool": _pool(),
        "embedding": nn.Sequential(net.last_linear, net.last_bn),
        "fc": net.logits,
    }


def _mini_xception() -> tuple[nn.Module, Blocks]:
    net = MiniXception()
    return net, dict(net.named_children())


BUILDERS: dict[str, Callable[[], tuple[nn.Module, Blocks]]] = {
    "resnet18": lambda: _resnet(torchvision.models.resnet18(weights=None)),
    "resnet18_plain": lambda: _resnet(torchvision.models.ResNet(PlainBlock, [2, 2, 2, 2])),
    "efficientnet_lite0": _efficientnet_lite0,
    "resnet50": lambda: _resnet(torchvision.models.resnet50(weights=None)),
    "vgg16": _vgg16,
    "inception_v3": _inception_v3,
    "convnext_tiny": _convnext_tiny,
    "vit_b_16": _vit_b_16,
    "inception_resnet_v1": _inception_resnet_v1,
    "mini_xception": _mini_xception,
}


class Chain(nn.Sequential):
    """A backbone as its named blocks in order, the last one `fc` with seven outputs.

    Called with images (N, 3, H, W), normalised as `transforms.to_input` does; returns logits (N, 7).
    """

    def __init__(self, row: Backbone, blocks: Blocks) -> None:
        super().__init__(OrderedDict(blocks))
        self.row = row

    def between(self, first: str, last: str) -> nn.Sequential:
        """Return the blocks from `first` up to, not including, `last`, in eval mode without gradients."""
        names = self.row.blocks
        part = names[names.index(first) : names.index(last)]
        found = nn.Sequential(OrderedDict((name, self._modules[name]) for name in part))  # type: ignore[misc]
        return found.eval().requires_grad_(False)

    def prefix(self, block: str) -> nn.Sequential:
        """Return the blocks before `block`, frozen: eval mode, no gradients."""
        return self.between(self.row.blocks[0], block)

    def suffix(self, block: str) -> nn.Sequential:
        """Return the blocks from `block` on; they share this chain's parameters."""
        part = self.row.blocks[self.row.blocks.index(block) :]
        return nn.Sequential(OrderedDict((name, self._modules[name]) for name in part))  # type: ignore[misc]


def build(model: TransferConfig, weights_dir: Path | None) -> Chain:
    """Build a backbone with its weights and a head of seven outputs (to be drawn by `reset_head`).

    On the CPU, float32, channels_last, in eval mode.

    Raises:
        ConfigError: unknown backbone.
        WeightsError: the weights are missing, damaged or another architecture's.
    """
    row = backbone(model.backbone)
    tensors = load_weights(model, weights_dir)
    mean, std = model.mean or row.mean, model.std or row.std
    if model.channels == "bgr":  # the first layer is turned, so that all else goes on in RGB
        mean, std = mean[::-1], std[::-1]
    if tensors is None:
        with seeded(RANDOM_BACKBONE_SEED, torch.device("cpu")):
            _, blocks = BUILDERS[row.name]()
    else:
        net, blocks, kept = _fitted(row, tensors)
        _load(net, kept)
        if model.channels == "bgr":
            _turned(net, row)
    with seeded(RANDOM_BACKBONE_SEED, torch.device("cpu")):
        blocks["fc"] = Head(blocks["fc"].in_features, len(CLASSES))  # type: ignore[arg-type]
    chain = Chain(replace(row, mean=mean, std=std), blocks)
    reset_head(chain, seed=0, fold=0)
    per_tap(chain)
    return chain.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]


def require_fit(name: str, path: Path) -> None:
    """Check that a file's weights are a backbone's, by their names and shapes.

    Raises:
        ConfigError: unknown backbone.
        WeightsError: the file can't be read, or is another network's.
    """
    _fitted(backbone(name), read_tensors(path))


def reset_head(chain: nn.Sequential, *, seed: int, fold: int) -> None:
    """Draw the head by (seed, fold) from U(-1/sqrt(d), 1/sqrt(d)), what `nn.Linear` starts with."""
    head = chain.fc
    bound = 1.0 / math.sqrt(head.in_features)  # type: ignore[union-attr, arg-type]
    generator = torch.Generator().manual_seed(derived_seed(seed, fold))
    with torch.no_grad():
        for tensor in (head.weight, head.bias):  # type: ignore[union-attr]
            drawn = torch.empty(tensor.shape).uniform_(-bound, bound, generator=generator)  # type: ignore[union-attr, arg-type]
            tensor.copy_(drawn)  # type: ignore[union-attr, operator]


class Head(nn.Linear):
    """A linear layer (B, d) -> (B, 7) whose bits are the same alone and stacked with others.

    Which product a matrix library picks depends on the shape of the call; a batched one of k = 1 and of k = 10
    sums alike, a plain one need not (seen in the bias's gradient on a CPU with AVX2).
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the logits."""
        return stacked([self], [input])[0]


def stacked(heads: list[Head], batches: list[Tensor]) -> list[Tensor]:
    """Return k heads' logits of k batches (B, d), all of one size B, as one batched product: k x (B, 7)."""
    weight = torch.stack([head.weight for head in heads])  # (k, 7, d)
    bias = torch.stack([head.bias for head in heads])  # (k, 7)
    logits = torch.baddbmm(bias[:, None], torch.stack(batches), weight.transpose(1, 2))  # (k, B, 7)
    return list(logits.unbind())


def side_by_side(networks: list[nn.Sequential], batches: list[Tensor]) -> list[Tensor]:
    """Return each network's logits; heads alone with batches of one size are one batched product."""
    if len(networks[0]) > 1 or len({len(batch) for batch in batches}) > 1:
        return [network(batch) for network, batch in zip(networks, batches, strict=True)]
    return stacked([network[0] for network in networks], batches)  # type: ignore[misc]


def derived_seed(*numbers: int) -> int:
    """Return a 63-bit seed for a tuple of whole numbers, 0 or more (NumPy's SeedSequence)."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _fitted(row: Backbone, tensors: dict[str, Tensor]) -> tuple[nn.Module, Blocks, dict[str, Tensor]]:
    """Return a backbone without values, and those of its body by its own names.

    Names and shapes must agree; the head alone may be absent or of any size, for it is drawn anew.
    """
    with torch.device("meta"):
        net, blocks = BUILDERS[row.name]()
    head = next(name for name, module in net.named_modules() if module is blocks["fc"])
    expected = {name: value.shape for name, value in net.state_dict().items()}
    tensors = plain_names(tensors, expected)
    wrong = [
        name
        for name in sorted(expected.keys() | tensors.keys())
        if not name.startswith(head + ".")
        and (name not in expected or name not in tensors or expected[name] != tensors[name].shape)
        and not name.endswith("num_batches_tracked")
    ]
    if wrong:
        raise WeightsError(
            f"The weights must fit {row.title} in every name and shape",
            got=f"{len(wrong)} that differ, the first {wrong[0]}",
            fix="Give the file of this backbone, or choose the backbone of this file",
        )
    kept = {name: value.float() for name, value in tensors.items() if not name.startswith(head + ".")}
    return net, blocks, kept


def _load(net: nn.Module, kept: dict[str, Tensor]) -> None:
    """Give a network without values its own."""
    net.to_empty(device="cpu")
    for name, value in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            value.zero_()
        elif name in kept:
            value.copy_(kept[name])


def _turned(net: nn.Module, row: Backbone) -> None:
    """Have a network that was trained on BGR take RGB: its first layer's channels change places."""
    first = next((v for v in net.state_dict().values() if v.ndim == 4 and v.shape[1] == 3), None)
    if first is None:
        raise WeightsError(f"channels bgr need a network that reads colours; {row.title} reads grey")
    first.copy_(first.flip(1))
