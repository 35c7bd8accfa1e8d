"""Networks made ready to answer on a CPU: batch normalisation folded into convolutions, weights in oneDNN's own order.

Training and whatever must repeat its bits uses the networks as they are. These answer the same up to float32
rounding, and faster where few images come at a time: oneDNN otherwise reorders every weight in every call, which for
one face costs a fifth of ResNet-18's time.
"""

import copy
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .convolution import ConvPerTap

#: Kinds of convolution that pad as their `padding` says.
PACKED = (nn.Conv2d, ConvPerTap)

#: How far answers may differ, as a share of the largest: rounding gives 1e-6.
TOLERANCE = 1e-4


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


def for_answers(network: nn.Module, example: Tensor) -> tuple[nn.Module, Tensor]:
    """Make a copy of a network that answers faster on a CPU.

    Batch normalisation that reads a convolution is folded into it; then each convolution is packed.

    Args:
        network: in eval mode, float32; left as it was.
        example: (B, ...) of the usual size, on the network's device.

    Returns:
        The copy, or the network itself where it has no convolutions, none of them runs through oneDNN, or a folded
        convolution turns out to be read by more than its normalisation; what the network answers to the example,
        which elsewhere than on a CPU is not asked.
    """
    if example.device.type != "cpu":  # where this thread would plan what another computes
        return network, example
    with torch.no_grad():
        answer = network(example)
    convolutional = any(isinstance(module, nn.Conv2d) for module in network.modules())
    if not convolutional or not torch.backends.mkldnn.is_available():
        return network, answer
    found = copy.deepcopy(network)
    pairs, sizes = _watched(found, example)
    for conv, norm in pairs:
        parts = cast(nn.Conv2d, found.get_submodule(conv)), cast(nn.BatchNorm2d, found.get_submodule(norm))
        found.set_submodule(conv, fuse_conv_bn_eval(*parts))
        found.set_submodule(norm, nn.Identity())
    for name, size in sizes.items():
        found.set_submodule(name, PackedConvolution(cast(nn.Conv2d, found.get_submodule(name)), size))
    with torch.no_grad():
        error = (found(example) - answer).abs().max()
    return (found if error <= TOLERANCE * answer.abs().max() else network), answer


def _watched(network: nn.Module, example: Tensor) -> tuple[list[tuple[str, str]], dict[str, list[int]]]:
    """Watch a pass: by hooks of this network alone, for other threads use others meanwhile (torch.fx disturbs them).

    Returns:
        (convolution, batch normalisation) by name where the second reads the first; and for each convolution that
        can be packed the size of what it reads.
    """
    pairs: list[tuple[str, str]] = []
    sizes: dict[str, list[int]] = {}
    given: dict[int, tuple[str, Tensor]] = {}  # the tensor too: while it lives, its id is its own

    def watching(name: str) -> Callable[[nn.Module, tuple[Tensor], Tensor], None]:
        def note(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            if isinstance(module, nn.Conv2d):
                given[id(output)] = name, output
                if type(module) in PACKED and module.padding_mode == "zeros":
                    sizes[name] = list(inputs[0].shape)
            elif id(inputs[0]) in given:
                pairs.append((given[id(inputs[0])][0], name))

        return note

    watched = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d)
    }
    hooks = [module.register_forward_hook(watching(name)) for name, module in watched.items()]
    with torch.no_grad():
        network(example)
    for hook in hooks:
        hook.remove()
    return pairs, sizes
