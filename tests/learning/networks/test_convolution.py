"""The weight gradient per tap equals torch's own, and is used exactly where it is meant to be."""

import pytest
import torch
from torch import nn

from fer_core.config.run import TransferConfig
from fer_core.learning.networks.convolution import LEAST_CHANNELS, ConvPerTap, per_tap, weight_gradient
from fer_core.learning.networks.transfer import build


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [
        ((5, 5), (3, 3), (1, 1), (1, 1)),
        ((10, 9), (3, 3), (2, 2), (1, 1)),
        ((1, 1), (3, 3), (2, 2), (1, 1)),
        ((2, 3), (5, 5), (1, 1), (2, 2)),
        ((8, 8), (1, 7), (1, 1), (0, 3)),
        ((9, 7), (3, 3), (2, 2), (0, 0)),
        ((6, 6), (1, 1), (2, 2), (0, 0)),
    ],
)
def test_the_gradient_is_autograds(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 4, *size, dtype=torch.float64)
    conv = nn.Conv2d(4, 6, kernel, stride, padding, bias=False).double()
    y = conv(x)
    slopes = torch.randn_like(y)
    (y * slopes).sum().backward()
    found = weight_gradient(x, slopes, conv.weight.shape, stride, padding)
    assert torch.allclose(found, conv.weight.grad, atol=1e-12)


def test_a_network_trains_as_with_torchs_convolutions() -> None:
    torch.manual_seed(0)
    wide = LEAST_CHANNELS
    plain = nn.Sequential(
        nn.Conv2d(wide, 8, 3, 1, 1, bias=False), nn.ReLU(), nn.Conv2d(8, 7, 1, bias=False)
    ).to(memory_format=torch.channels_last)
    x = torch.randn(4, wide, 5, 5).contiguous(memory_format=torch.channels_last).requires_grad_()
    expected = plain(x)
    expected.square().sum().backward()
    slopes = [x.grad, *(p.grad for p in plain.parameters())]
    x.grad = None
    plain.zero_grad()
    per_tap(plain)
    assert [type(plain[0]), type(plain[2])] == [ConvPerTap, nn.Conv2d]
    found = plain(x)
    assert torch.equal(found, expected)
    found.square().sum().backward()
    for one, other in zip([x.grad, *(p.grad for p in plain.parameters())], slopes, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4)


def test_the_wide_convolutions_of_a_backbone_are_replaced_and_keep_their_names() -> None:
    chain = build(TransferConfig(weights="none"), None)
    kinds = {name: type(part) for name, part in chain.named_modules() if isinstance(part, nn.Conv2d)}
    assert {kinds[f"layer4.{i}.conv{j}"] for i in (0, 1) for j in (1, 2)} == {ConvPerTap}
    assert kinds["stem.0"] is nn.Conv2d
    assert "layer4.1.conv2.weight" in chain.state_dict()
    assert not any(value.is_meta for value in chain.parameters())


def test_bf16_and_frozen_convolutions_are_torchs() -> None:
    conv = ConvPerTap(LEAST_CHANNELS, 4, 3, bias=False)
    x = torch.randn(2, LEAST_CHANNELS, 5, 5)
    assert type(conv(x).grad_fn).__name__ == "_ConvolveBackward"
    with torch.autocast("cpu", torch.bfloat16):
        assert conv(x).dtype == torch.bfloat16
    conv.requires_grad_(False)
    assert conv(x).grad_fn is None
