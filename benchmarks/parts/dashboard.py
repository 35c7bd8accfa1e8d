"""A dashboard that can be killed and started again, with a visitor who never leaves."""

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from fer_core.runs.jobs.processes import end_all, send

from .process import free_port, launch


class Dashboard:
    """A Streamlit server on a free port of the loopback, with one visitor who looks at the Train page all the time."""

    def __init__(self, home: Path, data: str) -> None:
        self._port = free_port()
        self._home, self._query = home, urlencode({"data": data})
        self._left = threading.Event()
        self.process = self._start()
        self.views = 0
        self.back: list[float] = []  # seconds from a kill until it served again
        self._killed: float | None = None
        self._visitor = threading.Thread(target=self._look, daemon=True)
        self._visitor.start()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = os.environ | {"FER_HOME": str(self._home)}
        return launch(self._home / "server.log", environment, self._port)

    def restart(self) -> None:
        """Kill it with -9 and start it again; returns at once."""
        send(self.process, signal.SIGKILL)
        self.process.wait()
        self.process = self._start()
        self._killed = time.perf_counter()

    def _look(self) -> None:
        """Open the page, and again once the server is back, and have it drawn again every second."""
        look = BackMsg()
        look.rerun_script.page_name, look.rerun_script.query_string = "train", self._query
        while not self._left.is_set():
            try:
                with connect(f"ws://127.0.0.1:{self._port}/_stcore/stream", max_size=None) as session:
                    if self._killed is not None:
                        self.back.append(time.perf_counter() - self._killed)
                        self._killed = None
                    while not self._left.is_set():
                        session.send(look.SerializeToString())
                        session.recv(timeout=60)
                        self.views += 1
                        again = time.monotonic() + 1.0
                        with suppress(TimeoutError):
                            while not self._left.is_set():
                                session.recv(timeout=max(0.0, again - time.monotonic()))
            except (OSError, TimeoutError, WebSocketException):
                self._left.wait(0.3)

    def close(self) -> None:
        """End it."""
        self._left.set()
        end_all([self.process], 30.0)
        self._visitor.join(15.0)
