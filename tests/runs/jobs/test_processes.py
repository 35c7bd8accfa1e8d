"""Child processes are ended together, whatever they do about it."""

from __future__ import annotations

import signal
import subprocess
import sys

from fer_core.runs.jobs.processes import end_all

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
)
ORDERLY = "import time; print(flush=True); time.sleep(600)"


def test_a_child_that_does_not_end_is_killed_and_the_others_end() -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for code in (STUBBORN, ORDERLY)
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()  # it is up
    end_all(children, 0.5)
    assert [child.returncode for child in children] == [-signal.SIGKILL, -signal.SIGTERM]
    for child in children:
        child.stdout.close()  # type: ignore[union-attr]
