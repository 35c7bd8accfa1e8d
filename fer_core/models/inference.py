"""Networks made ready to answer on a CPU: batch normalisation folded into convolutions, weights in oneDNN's own order.

Training and whatever must repeat its bits uses the networks as they are. These answer the same up to float32
rounding, and faster where few images come at a time: oneDNN otherwise reorders every weight in every call, which for
one face costs a fifth of ResNet-18's time.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .convolution import ConvPerTap

#: Kinds of convolution that pad as their `padding` says.
PACKED = (nn.Conv2d, ConvPerTap)


class PackedConvolution(nn.Module):
    """A convolution whose weight was put into oneDNN's order once; it has no gradient.

    Args:
        conv: a float32 convolution on the CPU, its padding given in pixels and of zeros.
        size: (B, C, H, W) of what it will read; others are answered too, more slowly.
    """

    def __init__(self, conv: nn.Conv2d, size: list[int]) -> None:
        super().__init__()
        stride, dilation = list(conv.stride), list(conv.dilation)
        self._placing = list(cast(tuple[int, int], conv.padding)), stride, dilation, conv.groups
        self._bias = None if conv.bias is None else conv.bias.detach().clone()
        # The operators that torch.compile writes into its code for a CPU.
        weight = conv.weight.detach().contiguous(memory_format=torch.channels_last)
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *self._placing, size)

    def forward(self, x: Tensor) -> Tensor:
        """Return the map (B, C_out, H_out, W_out) of (B, C_in, H, W), channels_last."""
        return torch.ops.mkldnn._convolution_pointwise(
            x, self._weight, self._bias, *self._placing, "none", [], ""
        )


class _Tracer(fx.Tracer):
    """Takes each module without parts of its own for one step, this project's as well as torch's."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return next(m.children(), None) is None or super().is_leaf_module(m, module_qualified_name)


def for_answers(network: nn.Module, example: Tensor) -> tuple[nn.Module, Tensor]:
    """Make a copy of a network that answers faster on a CPU.

    Batch normalisation that reads one convolution and nothing else is folded into it; then each convolution is packed.

    Args:
        network: in eval mode, float32; left as it was.
        example: (B, ...) of the usual size, on the network's device.

    Returns:
        The copy, or the network itself where it has no convolutions or none of them runs through oneDNN; what the
        network answers to the example.
    """
    with torch.no_grad():
        answer = network(example)
    convolutional = any(isinstance(module, nn.Conv2d) for module in network.modules())
    if not convolutional or example.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return network, answer
    found = copy.deepcopy(network)
    for conv, norm in _pairs(found):
        found.set_submodule(conv, fuse_conv_bn_eval(found.get_submodule(conv), found.get_submodule(norm)))
        found.set_submodule(norm, nn.Identity())
    for name, size in _sizes(found, example).items():
        found.set_submodule(name, PackedConvolution(cast(nn.Conv2d, found.get_submodule(name)), size))
    return found, answer


def _sizes(network: nn.Module, example: Tensor) -> dict[str, list[int]]:
    """Return the size of what each convolution that can be packed reads, by its name."""
    found: dict[str, list[int]] = {}

    def noting(name: str) -> Callable[[nn.Module, tuple[Tensor]], None]:
        return lambda _, inputs: found.update({name: list(inputs[0].shape)})

    hooks = [
        module.register_forward_pre_hook(noting(name))
        for name, module in network.named_modules()
        if type(module) in PACKED and cast(nn.Conv2d, module).padding_mode == "zeros"
    ]
    with torch.no_grad():
        network(example)
    for hook in hooks:
        hook.remove()
    return found


def _pairs(network: nn.Module) -> list[tuple[str, str]]:
    """Return (convolution, batch normalisation) by name, where the second alone reads the first."""
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return []
    modules = dict(network.named_modules())
    pairs = []
    for node in _Tracer().trace(network).nodes:
        if node.op != "call_module" or not isinstance(modules[node.target], nn.BatchNorm2d):
            continue
        (before,) = node.args
        alone = before.op == "call_module" and len(before.users) == 1
        if alone and isinstance(modules[before.target], nn.Conv2d):
            pairs.append((before.target, node.target))
    return pairs
