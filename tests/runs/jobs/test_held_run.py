"""What a worker says of its device and memory, whatever state torch is in."""

from __future__ import annotations

import mmap
import os
import sys
from types import SimpleNamespace

import pytest

from fer_core.runs.jobs.held_run import usage


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    stand_in = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "torch", stand_in)
    return stand_in


def test_memory_is_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    before = usage("auto")
    block = mmap.mmap(-1, 50_000_000)  # new pages: what was freed before would be taken again otherwise
    for place in range(0, len(block), mmap.PAGESIZE):
        block[place] = 1
    after = usage("auto")
    assert 40_000_000 < after["memory"] - before["memory"] < 80_000_000
    assert after["memory_peak"] >= after["memory"] - 1_000_000
    assert (after["device"], after["pid"], len(block)) == ("auto", os.getpid(), 50_000_000)


def test_a_half_loaded_torch_is_not_asked(torch: SimpleNamespace) -> None:
    """A heartbeat falls into the import of torch, which takes seconds."""
    assert "gpu_memory" not in usage("cuda:0")
    torch.cuda = SimpleNamespace()
    assert "gpu_memory" not in usage("cuda:0")


def test_a_gpu_is_named_with_what_tensors_take(torch: SimpleNamespace) -> None:
    torch.cuda = SimpleNamespace(
        is_initialized=lambda: False,
        memory_allocated=lambda index: 100 + index,
        max_memory_allocated=lambda index: 200 + index,
    )
    assert usage("auto")["device"] == "cpu"
    torch.cuda.is_initialized = lambda: True
    found = usage("cuda:1")
    assert (found["device"], found["gpu_memory"], found["gpu_memory_peak"]) == ("cuda:1", 101, 201)
    assert usage("auto")["device"] == "cuda:0"
