"""Processes of this host, known by more than their number, which the system gives away again.

Every signal that this project sends goes through `send`.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

#: How long a process may take to end orderly (seconds) before it is killed.
GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class Process:
    """A process: its number and when it started, in clock ticks since the host came up (`man 5 proc`)."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Self | None:
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

    def holds(self, path: Path) -> bool:
        """Return whether it has this file open; False also where that can't be seen: another user's process."""
        try:
            links = list(Path(f"/proc/{self.pid}/fd").iterdir())
        except OSError:
            return False
        for link in links:
            with suppress(OSError):  # closed meanwhile
                # The name first: to ask after another open file may hang, as on a lost network drive.
                if link.readlink().name == path.name and link.samefile(path):
                    return self.lives()
        return False

    def end(self, grace: float = GRACE_SECONDS) -> bool:
        """Ask the process to end, kill it when it has not after `grace` seconds; return whether it is gone.

        False where `send` refuses it, as another user's.
        """
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, GRACE_SECONDS)):
            if not self.lives():
                return True
            if not send(self, number) and self.lives():
                return False
            until = time.monotonic() + patience
            while self.lives() and time.monotonic() < until:
                time.sleep(0.02)
        return not self.lives()


def send(target: Process | subprocess.Popen[Any], number: int) -> bool:
    """Send a signal to one process of this user, known by its start or as a child not yet waited for.

    Returns:
        False where none was sent: it has ended, it is another user's, or its number is 1, which is the system's,
        or below, which means many.
    """
    if isinstance(target, Process):
        there = target.lives() and _user(target.pid) == os.geteuid()
    else:
        there = target.poll() is None  # until then the system keeps a child's number
    if not there or target.pid <= 1:
        return False
    try:
        os.kill(target.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def end_all(processes: Iterable[subprocess.Popen[Any]], grace: float) -> None:
    """End child processes together: each has `grace` seconds to end orderly before it is killed."""
    processes, until = list(processes), time.monotonic() + grace
    for process in processes:
        send(process, signal.SIGTERM)
    for process in processes:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            send(process, signal.SIGKILL)
            process.wait()


def _user(pid: int) -> int | None:
    """Return the number of a process's user; None where there is no such process."""
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return None


def _state(pid: int) -> tuple[str, int] | None:
    """Return a process's state, one letter, and when it started; None where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before may hold spaces and brackets
    return fields[0], int(fields[19])
