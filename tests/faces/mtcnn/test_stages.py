"""The nets as they are laid out for speed against facenet-pytorch's own modules."""

from __future__ import annotations

from itertools import cycle, islice

import facenet_pytorch.models.mtcnn as original
import pytest
import torch
from torch import Tensor, nn

from fer_core.faces.mtcnn import stages
from fer_core.faces.mtcnn.stages import Stages

SLOPES = (-1.5, -0.25, 0.0, 0.25, 1.0, 1.5)


@pytest.fixture(params=["blocked", "plain"])
def layout(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "plain":
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    return request.param


@pytest.fixture(params=["pretrained", "slopes of every sign"])
def nets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, nn.Module]:
    """The original nets; those that `Stages` makes are the same objects."""
    found = {name: getattr(original, name)().eval() for name in ("PNet", "RNet", "ONet")}
    for name, net in found.items():
        if request.param != "pretrained":
            for module in net.modules():
                if isinstance(module, nn.PReLU):
                    module.weight.data = torch.tensor(list(islice(cycle(SLOPES), len(module.weight))))
        monkeypatch.setattr(stages, name, lambda net=net: net)
    return found


def pixels(count: int, height: int, width: int) -> Tensor:
    return torch.randint(0, 256, (count, 3, height, width), generator=torch.manual_seed(0)).float()


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("size", [(12, 12), (13, 30), (24, 17), (57, 64)])
@pytest.mark.parametrize("count", [1, 3])
def test_pnet(layout: str, nets: dict[str, nn.Module], count: int, size: tuple[int, int]) -> None:
    x = pixels(count, *size)
    with torch.inference_mode():
        offsets, probabilities = nets["PNet"]((x - 127.5) / 128)
        found = Stages(torch.device("cpu")).propose(x, size)
    assert found.shape[1] == 6
    close(found[:, :2].softmax(1), probabilities)
    close(found[:, 2:], offsets)


@pytest.mark.parametrize("count", [0, 1, 7, 29])
def test_rnet_and_onet(layout: str, nets: dict[str, nn.Module], count: int) -> None:
    ready = Stages(torch.device("cpu"))
    with torch.inference_mode():
        found = *ready.refine(pixels(count, 24, 24)), *ready.output(pixels(count, 48, 48))
        if not count:
            assert [len(part) for part in found] == [0] * 5
            return
        offsets, probabilities = nets["RNet"]((pixels(count, 24, 24) - 127.5) / 128)
        expected = [probabilities[:, 1], offsets]
        offsets, points, probabilities = nets["ONet"]((pixels(count, 48, 48) - 127.5) / 128)
        expected += [probabilities[:, 1], offsets, points]
    for one, other in zip(found, expected, strict=True):
        close(one, other)
