"""Convolutions whose weight gradient is a matrix product a tap, for blocks that train on a CPU.

On maps of 5 x 5 to 20 x 20 with many channels, oneDNN's weight gradient takes up to twice as long as its forward
pass. Per tap of the kernel it is (outputs' gradients)^T (the inputs under it), one product in channels_last, and taps
that fall into the padding are left out: on a 5 x 5 map a quarter of them. Forward and input gradient stay torch's own.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_input

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
