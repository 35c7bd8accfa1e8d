"""Processes of this host, told apart beyond their number, which the system gives away again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: How long a process may take to end orderly (seconds) before it is killed.
GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class Process:
    """A process: its number and when it started, in clock ticks since the host came up (`man 5 proc`)."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """Return the process that has this number now; None where there is none, or only its remains."""
        found = _state(pid)
        return None if found is None or found[0] in "ZX" else cls(pid, found[1])

    def lives(self) -> bool:
        """Return whether this very process is still there; a stopped or hanging one is."""
        return Process.of(self.pid) == self

    def stopped(self) -> bool:
        """Return whether it is there but stands still, by SIGSTOP or a debugger."""
        found = _state(self.pid)
        return found is not None and found[0] in "Tt" and found[1] == self.started

    def end(self, grace: float = GRACE_SECONDS) -> bool:
        """Ask the process to end, kill it when it has not after `grace` seconds; return whether it is gone.

        False where it belongs to somebody else.
        """
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, GRACE_SECONDS)):
            if not self.lives():
                return True
            with suppress(ProcessLookupError):
                try:
                    os.kill(self.pid, number)
                except PermissionError:
                    return False
            until = time.monotonic() + patience
            while self.lives() and time.monotonic() < until:
                time.sleep(0.02)
        return not self.lives()


def end_all(processes: Iterable[subprocess.Popen[bytes]], grace: float) -> None:
    """End child processes together: each has `grace` seconds to end orderly before it is killed."""
    processes, until = list(processes), time.monotonic() + grace
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _state(pid: int) -> tuple[str, int] | None:
    """Return a process's state, one letter, and when it started; None where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before may hold spaces and brackets
    return fields[0], int(fields[19])
