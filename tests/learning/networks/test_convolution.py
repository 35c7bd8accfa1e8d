"""The weight gradient per tap equals torch's own, and is used exactly where it is meant to be."""

import threading

import pytest
import torch
from torch import nn

from fer_core.config.run import TransferConfig
from fer_core.learning.networks.convolution import (
    LEAST_CHANNELS,
    ConvPerTap,
    PackedConvolution,
    for_answers,
    per_tap,
    weight_gradient,
)
from fer_core.learning.networks.transfer import Chain, build


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


def network(backbone: str) -> tuple[Chain, torch.Tensor]:
    """Return a backbone whose batch normalisations do something, and images for it."""
    chain = build(TransferConfig(backbone=backbone, weights="none"), None)
    torch.manual_seed(0)
    for module in chain.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
    side = chain.row.input_size
    return chain, torch.randn(2, 3, side, side).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("backbone", ["resnet18", "resnet18_plain", "efficientnet_lite0", "convnext_tiny"])
def test_it_answers_the_same_up_to_rounding(backbone: str) -> None:
    chain, images = network(backbone)
    with torch.no_grad():
        before = chain(images)
    ready, answer = for_answers(chain, images[:1])
    with torch.inference_mode():
        found = ready(images)
    scale = before.abs().max()
    assert torch.allclose(found, before, atol=1e-5 * float(scale), rtol=0)
    assert torch.allclose(answer, before[:1], atol=1e-5 * float(scale), rtol=0)
    with torch.no_grad():
        assert torch.equal(chain(images), before)
    left = {type(module) for module in ready.modules()}
    assert nn.BatchNorm2d not in left, "folded into the convolutions before"
    if backbone == "resnet18":
        assert nn.Conv2d not in left
    if backbone == "efficientnet_lite0":
        assert PackedConvolution not in left, "SAME padding throughout"


def test_a_network_whose_folded_convolution_others_read_stays_as_it_is() -> None:
    class Forked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.conv(x)
            return self.norm(y) + y

    forked = Forked().eval()
    forked.norm.running_var.fill_(4.0)
    x = torch.randn(1, 3, 8, 8)
    ready, answer = for_answers(forked, x)
    assert ready is forked
    with torch.no_grad():
        assert torch.equal(forked(x), answer)


def test_other_threads_may_answer_meanwhile() -> None:
    chain, images = network("resnet18")
    stop, errors = threading.Event(), []

    def answering() -> None:
        try:
            while not stop.is_set():
                with torch.no_grad():
                    chain(images[:1, :, :32, :32])
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=answering)
    thread.start()
    for _ in range(3):
        for_answers(chain, images[:1])
    stop.set()
    thread.join()
    assert errors == []


def test_a_head_alone_is_left_as_it_is() -> None:
    head = nn.Sequential(nn.Linear(4, 7)).eval()
    ready, answer = for_answers(head, torch.ones(1, 4))
    assert ready is head
    assert torch.equal(answer, head(torch.ones(1, 4)))
