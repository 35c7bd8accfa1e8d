"""Networks made ready to answer: the same answers up to rounding, and the originals untouched."""

import threading

import pytest
import torch
from torch import nn

from fer_core.config.run import TransferConfig
from fer_core.learning.networks.convolution import PackedConvolution, for_answers
from fer_core.learning.networks.transfer import Chain, build


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
