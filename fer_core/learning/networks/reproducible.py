"""What makes a training repeatable on a device: seeded dropout, deterministic kernels, one order of sums."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Run with torch's global generators at `seed`, which dropout draws from; put them back afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        if device.type == "cuda":
            torch.manual_seed(seed)
        else:
            torch.default_generator.manual_seed(seed)  # the other half a millisecond slower without a GPU
        yield


@contextmanager
def deterministic(device: torch.device, *, one_thread: bool) -> Iterator[None]:
    """Hold torch to deterministic kernels; heads alone are too small for threads, whose sums would differ.

    On a GPU attention takes the plain kernel, whose backward pass repeats; an operation that has no deterministic
    kernel at all only warns here: `unrepeatable` tells before a training begins.
    """
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    benchmark = torch.backends.cudnn.benchmark
    if one_thread:
        torch.set_num_threads(1)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with sdpa_kernel(SDPBackend.MATH) if device.type == "cuda" else nullcontext():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
        torch.backends.cudnn.benchmark = benchmark


def unrepeatable(network: nn.Module, batch: Tensor) -> str:
    """Return which operation of a training step has no deterministic kernel on the batch's device; '' where all have.

    Args:
        network: left as it was.
        batch: (B, ...) of what enters it.
    """
    trial = copy.deepcopy(network).to(batch.device).train().requires_grad_(True)
    strict = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng(devices=[batch.device] if batch.is_cuda else []):
            trial(batch).float().square().mean().backward()
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        return str(error).partition(" does not have")[0]
    finally:
        torch.use_deterministic_algorithms(strict)
    return ""


#: How allocators, cuBLAS and cuDNN say that memory ran out where torch raises no error of its own for it.
_NO_MEMORY = (
    "can't allocate memory",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "nable to find an engine",
)


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out; most are plain ones, known by their text alone."""
    known = isinstance(error, torch.cuda.OutOfMemoryError | MemoryError)
    return known or any(text in str(error) for text in _NO_MEMORY)
