"""Dashboards for browser tests: started on free ports with a state folder of their own, and stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Milliseconds that anything may take on a busy machine.
PATIENCE = 90_000


@dataclass(frozen=True)
class Server:
    """A running dashboard: its address, its state folder, the file its output goes to, its process."""

    url: str
    home: Path
    log: Path
    process: subprocess.Popen[bytes]

    def at(self, page: str = "", **query: object) -> str:
        """Return the address of a page, such as 'faces', with its query."""
        return f"{self.url}/{page}" + (f"?{urlencode(query, doseq=True)}" if query else "")

    def stop(self) -> None:
        """End it and the workers it has started, which share its session, at once: nothing of theirs is kept."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def start(folder: Path, home: Path, environment: dict[str, str], *, port: int = 0) -> Server:
    """Start a dashboard and wait until it answers; fail the test with its log when it does not.

    Args:
        folder: where its log is written.
        home: its state folder.
        environment: variables on top of the caller's, of which FER_* are left out.
        port: a free one unless given.
    """
    port = port or free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FER_")}
    own = {"FER_HOME": str(home), "OMP_NUM_THREADS": "1", **environment}
    log = folder / "server.log"
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py")]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=kept | own, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    server = Server(f"http://127.0.0.1:{port}", home, log, process)
    end = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=5) as answer:
                if answer.status == 200:
                    return server
        except OSError:
            time.sleep(0.2)
    if process.poll() is None:
        server.stop()
    pytest.fail(f"the dashboard did not answer:\n{log.read_text(errors='replace')[-4000:]}")


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
