from collections.abc import Callable

import pytest
import torch

from fer_core.learning.networks.reproducible import deterministic, out_of_memory, seeded, unrepeatable

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


@pytest.mark.parametrize(
    "said",
    [
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "GET was unable to find an engine to execute this computation",
    ],
)
def test_the_words_in_which_a_gpu_says_that_memory_ran_out_are_known(said: str) -> None:
    assert out_of_memory(RuntimeError(said))


class Put(torch.nn.Module):
    """A layer with an operation that has no deterministic kernel, on a CPU either."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(x).put_(torch.arange(x.numel()), x.flatten())


def test_an_operation_that_cant_repeat_is_named_before_training() -> None:
    batch = torch.ones(2, 3)
    assert unrepeatable(torch.nn.Linear(3, 2), batch) == ""
    assert "put_" in unrepeatable(torch.nn.Sequential(torch.nn.Linear(3, 2), Put()), batch)
    assert not torch.are_deterministic_algorithms_enabled()
