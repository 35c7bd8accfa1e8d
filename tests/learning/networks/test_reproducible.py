from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from fer_core.learning.networks.reproducible import deterministic, out_of_memory, seeded

CPU = torch.device("cpu")


def test_seeded_draws_repeat_and_leave_the_generator_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with seeded(7, CPU):
        first = torch.rand(2)
    assert torch.equal(torch.rand(2), expected)
    with seeded(7, CPU):
        assert torch.equal(torch.rand(2), first)


def test_threads_and_modes_are_put_back_after_an_error() -> None:
    torch.set_num_threads(2)
    inside = []

    def fail() -> None:
        with deterministic(CPU, one_thread=True):
            inside.append(torch.get_num_threads())
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert inside == [1]
    assert torch.get_num_threads() == 2
    with deterministic(CPU, one_thread=False):
        assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    assert not torch.are_deterministic_algorithms_enabled()


def allocate_too_much() -> None:
    torch.empty(2**60, dtype=torch.uint8)


def fail_on_a_gpu() -> None:
    raise torch.cuda.OutOfMemoryError


def fail_in_numpy() -> None:
    raise MemoryError


@pytest.mark.parametrize("fail", [allocate_too_much, fail_on_a_gpu, fail_in_numpy])
def test_memory_that_runs_out_is_known_wherever_it_does(fail: Callable[[], None]) -> None:
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        fail()
    assert out_of_memory(caught.value)
    assert not out_of_memory(RuntimeError("shapes"))
