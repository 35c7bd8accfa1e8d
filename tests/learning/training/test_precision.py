import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn

from fer_core.config.devices import prepare
from fer_core.learning.training.precision import Precision, arithmetic, resolve, step_seconds

CPU = torch.device("cpu")
NETWORK = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 7))
BATCH = torch.zeros(2, 4)


@pytest.mark.parametrize(("rate", "used"), [(2.0, "bf16"), (1.05, "float32"), (0.5, "float32")])
def test_auto_takes_bf16_on_a_cpu_only_where_it_is_measured_faster(rate: float, used: str) -> None:
    times = {"float32": rate, "bf16": 1.0}
    found = resolve("auto", NETWORK, BATCH, CPU, native=lambda: True, seconds=lambda p, *_: times[p.used])
    assert found.used == used
    assert f"{rate:.2f} times" in found.reason


def test_auto_measures_nothing_where_bf16_can_not_help() -> None:
    def refuse(*_: object) -> float:
        raise AssertionError

    head = nn.Sequential(nn.Linear(4, 7))
    assert resolve("auto", head, BATCH, CPU, native=lambda: True, seconds=refuse).used == "float32"
    assert resolve("auto", NETWORK, BATCH, CPU, native=lambda: False, seconds=refuse).used == "float32"


def test_what_is_asked_is_taken_except_tf32_without_a_gpu() -> None:
    assert resolve("bf16", NETWORK, BATCH, CPU) == Precision("bf16", "as asked")
    assert resolve("tf32", NETWORK, BATCH, CPU).used == "float32"


def test_measuring_leaves_the_network_alone() -> None:
    network = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 7)).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert step_seconds(Precision("bf16", ""), network, torch.randn(8, 4), CPU) > 0
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


GPU = torch.device("cuda:0")


@pytest.fixture
def switches(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], tuple[bool, bool]]]:
    """Return a function that reads torch's two switches of TF32, which need no GPU; they are put back."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    yield lambda: (matmul.allow_tf32, cudnn.allow_tf32)
    matmul.allow_tf32, cudnn.allow_tf32 = before


def test_float32_is_float32_on_a_gpu_and_tf32_only_where_it_is_asked_for(
    switches: Callable[[], tuple[bool, bool]],
) -> None:
    torch.backends.cudnn.allow_tf32 = True
    prepare("cpu")
    assert switches()[1]
    prepare("cuda:0")
    assert switches() == (False, False)
    for used in ("float32", "bf16"):
        with arithmetic(Precision(used, ""), GPU):
            assert switches() == (False, False)
    with arithmetic(Precision("tf32", ""), GPU):
        assert switches() == (True, True)
    assert switches() == (False, False)


def test_who_wants_float32_waits_for_a_thread_that_rounds(switches: Callable[[], tuple[bool, bool]]) -> None:
    prepare("cuda:0")
    seen: list[tuple[bool, bool]] = []

    def exactly() -> None:
        with arithmetic(Precision("float32", ""), GPU):
            seen.append(switches())

    with arithmetic(Precision("tf32", ""), GPU):
        other = threading.Thread(target=exactly)
        other.start()
        other.join(0.2)
        assert not seen
    other.join(10)
    assert seen == [(False, False)]
