"""A guard over signals: a test, and what it has started, may signal only processes that this test run has started.

Each signal becomes a line of the file SIGNAL_LOG; one to any other process is refused before it is sent. The guard
stands in pytest's processes (`tests/conftest.py`) and in every Python that they start (`sitecustomize.py`).
"""

import os
import signal
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

#: The process whose descendants may be signalled: its number and start. What it starts inherits the variable.
ROOT = "SIGNAL_ROOT"
LOG = "SIGNAL_LOG"
#: What stands in the log for a signal that was not sent.
REFUSED = "REFUSED"

NAMES = {one.value: one.name for one in signal.Signals}


@cache
def install() -> None:
    """Watch every signal that this process sends from now on. An audit hook is there for good."""
    sys.addaudithook(_hook)


def stat(pid: int) -> list[str]:
    """Return what follows the name in /proc/PID/stat (state, parent, ...); nothing where there is no process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def identity(pid: int) -> str:
    """Return a process's number and start, which no other has."""
    return f"{pid}@{found[19]}" if (found := stat(pid)) else ""


def ancestors(pid: int) -> Iterator[int]:
    """Yield a process's parent, its parent, and so on."""
    while found := stat(pid):
        pid = int(found[1])
        yield pid


def descendants(pid: int) -> list[int]:
    """Return the processes below one, oldest first."""
    everybody = sorted(int(path.name) for path in Path("/proc").glob("[0-9]*"))
    return [one for one in everybody if pid in ancestors(one)]


def relation(pid: int) -> str:
    """Say what a process is to this test run, REFUSED for nothing."""
    root = os.environ.get(ROOT, "")
    if pid == os.getpid():
        return "itself"
    if pid > 1 and not stat(pid):
        return "gone"
    if pid > 1 and any(identity(one) == root for one in ancestors(pid)):
        return "descendant"
    return "started here" if pid > 1 and f"{ROOT}={root}" in _environment(pid) else REFUSED


def refused(since: int) -> list[str]:
    """Return the log's lines of refused signals of this test run, from that byte on."""
    with Path(os.environ[LOG]).open(encoding="utf-8") as file:
        file.seek(since)
        lines = [line.split("\t") for line in file]
    return [" ".join(line) for line in lines if line[:2] == [os.environ[ROOT], REFUSED]]


def _environment(pid: int) -> list[str]:
    """Return the variables that a process was started with: one whose parent has ended keeps them."""
    try:
        return Path(f"/proc/{pid}/environ").read_text(encoding="utf-8", errors="replace").split("\0")
    except OSError:
        return []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event not in ("os.kill", "os.killpg") or ROOT not in os.environ:
        return
    given, number = arguments
    if not isinstance(given, int) or not isinstance(number, int) or number == 0:
        return  # 0 only asks whether it is there
    pid = -given if event == "os.kill" and given < -1 else given  # below -1: a group, as killpg has it
    found = relation(pid)
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        command = ""
    test = os.environ.get("PYTEST_CURRENT_TEST", "")
    line = [os.environ[ROOT], found, NAMES.get(number, str(number)), f"to {given}", f"by {os.getpid()}", test]
    with Path(os.environ[LOG]).open("a", encoding="utf-8") as file:
        file.write("\t".join([*line, " ".join(command.split())[:60]]) + "\n")
    if found == REFUSED:
        raise RuntimeError(f"a signal to process {given}, which this test run has not started")
