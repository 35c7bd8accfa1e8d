"""What makes a training repeatable on a device: seeded dropout, deterministic kernels, one order of sums."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Run with torch's global generators at `seed`, which dropout draws from; put them back afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


@contextmanager
def deterministic(device: torch.device, *, one_thread: bool) -> Iterator[None]:
    """Hold torch to deterministic kernels; heads alone are too small for threads, whose sums would differ."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    benchmark = torch.backends.cudnn.benchmark
    if one_thread:
        torch.set_num_threads(1)
    if device.type == "cuda":
        # cuBLAS repeats itself only with a workspace of fixed size.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
        torch.backends.cudnn.benchmark = benchmark


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out; on a CPU torch raises a plain one, known by its text alone."""
    known = isinstance(error, torch.cuda.OutOfMemoryError | MemoryError)
    return known or "can't allocate memory" in str(error)
