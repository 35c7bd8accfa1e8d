"""Convolutions on a CPU: weight gradients as a product a tap, and networks made ready to answer.

On maps of 5 x 5 to 20 x 20 with many channels, oneDNN's weight gradient takes up to twice as long as its forward
pass. Per tap of the kernel it is (outputs' gradients)^T (the inputs under it), one product in channels_last, and taps
that fall into the padding are left out: on a 5 x 5 map a quarter of them. Forward and input gradient stay torch's own.

To answer, batch normalisation is folded into convolutions, and weights lie in oneDNN's own order. Training and whatever
must repeat its bits uses the networks as they are; these answer the same up to float32 rounding, and faster where few
images come at a time: oneDNN otherwise reorders every weight in every call, a fifth of ResNet-18's time for one face.
"""

import copy
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_input
from torch.nn.utils.fusion import fuse_conv_bn_eval

#: Fewer input channels than these make products too thin to gain.
LEAST_CHANNELS = 128

Pair = tuple[int, int]


class ConvPerTap(nn.Conv2d):
    """A dense convolution without bias, its parameters and outputs `nn.Conv2d`'s, its weight gradient per tap."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the map (B, C_out, H_out, W_out); anything but float32 training on a CPU is torch's own."""
        ours = input.device.type == "cpu" and torch.is_grad_enabled() and self.weight.requires_grad
        if not ours or torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        return _Convolve.apply(input, self.weight, self.stride, self.padding)


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, weight, None, stride, padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        place = {"stride": ctx.stride, "padding": ctx.padding}
        back = conv2d_input(x.shape, weight, gradient, **place) if ctx.needs_input_grad[0] else None
        return back, weight_gradient(x, gradient, weight.shape, **place), None, None


def weight_gradient(x: Tensor, gradient: Tensor, shape: torch.Size, stride: Pair, padding: Pair) -> Tensor:
    """Return the gradient of a convolution's weight.

    Args:
        x: (B, C_in, H, W), what the convolution read.
        gradient: (B, C_out, H_out, W_out), the loss's by what it returned.
        shape: the weight's, (C_out, C_in, kernel height, kernel width).

    Returns:
        Of that shape, channels_last.
    """
    outputs, inputs, height, width = shape
    pixels, slopes = x.permute(0, 2, 3, 1), gradient.permute(0, 2, 3, 1)
    found = x.new_zeros(outputs, height, width, inputs)
    for i in range(height):
        rows, under_rows = _span(slopes.shape[1], pixels.shape[1], i - padding[0], stride[0])
        for j in range(width):
            columns, under_columns = _span(slopes.shape[2], pixels.shape[2], j - padding[1], stride[1])
            left = slopes[:, rows, columns].reshape(-1, outputs)
            right = pixels[:, under_rows, under_columns].reshape(-1, inputs)
            torch.mm(left.t(), right, out=found[:, i, j])
    return found.permute(0, 3, 1, 2)


def _span(outputs: int, inputs: int, offset: int, stride: int) -> tuple[slice, slice]:
    """Return the outputs whose tap at `offset` lies on the map, along one axis, and the inputs under them."""
    first = max(0, -(offset // stride))
    last = min(outputs, (inputs - 1 - offset) // stride + 1)
    if last <= first:
        return slice(0), slice(0)
    start = first * stride + offset
    return slice(first, last), slice(start, start + (last - first - 1) * stride + 1, stride)


def per_tap(network: nn.Module) -> None:
    """Turn every convolution in a network that gains by it into a `ConvPerTap`; its parameters stay."""
    for module in network.modules():
        if type(module) is nn.Conv2d and _gains(module):
            module.__class__ = ConvPerTap


def _gains(conv: nn.Conv2d) -> bool:
    plain = (
        conv.groups == 1 and conv.bias is None and conv.dilation == (1, 1) and conv.padding_mode == "zeros"
    )
    return plain and not isinstance(conv.padding, str) and conv.in_channels >= LEAST_CHANNELS


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
