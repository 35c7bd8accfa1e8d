"""What a worker uses while it carries out a run: its device and memory, for those who watch the run."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Any

from .registry import host_name


def usage(device: str) -> dict[str, Any]:
    """Return host, process, device and memory in bytes; torch is asked only where the run has loaded it.

    `memory` is the process's resident set now and `memory_peak` its largest so far; `gpu_memory` and
    `gpu_memory_peak` are what torch's tensors take on the GPU, absent on a CPU.
    """
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    found: dict[str, Any] = {
        "host": host_name(),
        "pid": os.getpid(),
        "device": device,
        "memory": pages * os.sysconf("SC_PAGE_SIZE"),
        "memory_peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    torch = sys.modules.get("torch")
    initialised = getattr(getattr(torch, "cuda", None), "is_initialized", None)
    if torch is None or initialised is None:  # not loaded, or another thread is loading it now
        return found
    if not initialised():
        return found | {"device": "cpu" if device == "auto" else device}
    index = int(device.partition(":")[2] or 0)
    return found | {
        "device": f"cuda:{index}",
        "gpu_memory": torch.cuda.memory_allocated(index),
        "gpu_memory_peak": torch.cuda.max_memory_allocated(index),
    }
