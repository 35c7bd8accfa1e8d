"""A dashboard as a process of its own on a port of the loopback: what benchmarks and browser tests start."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).resolve().parents[2]


class Process(Protocol):
    """What can be asked whether it has ended."""

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def launch(log: Path, environment: Mapping[str, str], port: int) -> subprocess.Popen[bytes]:
    """Start a dashboard and return at once.

    Args:
        log: the file that its output is added to.
        environment: all of it, this process's too where it is wanted.
        port: from `free_port`.
    """
    with log.open("ab") as output:
        command = [sys.executable, "-m", *streamlit(port)]
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)


def streamlit(port: int) -> list[str]:
    """Return what follows `python -m` to start a dashboard."""
    command = ["streamlit", "run", str(ROOT / "app.py"), "--server.headless", "true"]
    return [*command, "--server.address", "127.0.0.1", "--server.port", str(port)]


def answers(process: Process, port: int, patience: float) -> bool:
    """Wait until a dashboard answers; False where it has ended, or `patience` seconds have passed."""
    end = time.monotonic() + patience
    while process.poll() is None and time.monotonic() < end:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return True
    return False
