from __future__ import annotations

import pytest
import torch
from torch import nn

from fer_core.learning.training.precision import Precision, resolve, step_seconds

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
