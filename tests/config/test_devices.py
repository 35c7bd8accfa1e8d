"""Memory that is freed and asked for again stays with the process."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys, torch
from fer_core.config.devices import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(5 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
torch.ones(1)
handed_back = faults()
keep_freed_memory()
faults()
print(handed_back, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep what they like")
def test_freed_memory_is_kept() -> None:
    printed = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    handed_back, kept = map(int, printed.stdout.split())
    assert kept < handed_back / 10
