"""A dashboard as its users run it, and one visitor at a time who opens a page over Streamlit's WebSocket."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

from fer_core.runs.jobs.processes import end_all

from .long_detection import resident
from .process import answers, free_port, launch

#: Seconds for which a server, or a page, is waited for.
PATIENCE = 300.0
#: CPU seconds that a server at rest uses in a second, at most.
RESTING = 0.05


@dataclass(frozen=True)
class Visit:
    """What a visit took: the server's CPU time and the visitor's waiting, in ms; `again` renews its cards."""

    cpu_ms: float
    wall_ms: float
    again_cpu_ms: float | None = None


class Server:
    """A Streamlit server on a free port of the loopback; as a context it ends with it.

    Args:
        log: the file its output goes to.
        environment: FER_* variables and others, over this process's.
    """

    def __init__(self, log: Path, environment: dict[str, str]) -> None:
        port = free_port()
        self._place = f"127.0.0.1:{port}"
        self._process = launch(log, os.environ | environment, port)
        if not answers(self._process, port, PATIENCE):
            self.__exit__()
            raise SystemExit("the server did not answer")

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        end_all([self._process], 30.0)

    def cpu(self) -> float:
        """Return the CPU seconds that the server has used, all threads together, to the nanosecond.

        The clock is the one that clock_getcpuclockid(3) names; Python has no call for another process's.
        """
        return time.clock_gettime((~self._process.pid << 3) | 2)

    def memory(self) -> float:
        """Return the MiB that the server has allocated."""
        return resident("RssAnon", self._process.pid)

    def settle(self) -> None:
        """Wait until the server rests: its first visitor has it load a model ahead, in a thread no page waits for."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            used = self.cpu()
            time.sleep(1.0)
            if self.cpu() - used < RESTING:
                return

    def visit(self, page: str, query: dict[str, str]) -> Visit:
        """Open a page in a new session, wait until all of it is sent, and leave.

        Where a part of the page renews itself every second, that is asked for once more.

        Raises:
            RuntimeError: the page shows an exception or an error.
        """
        used, started = self.cpu(), time.perf_counter()
        with connect(f"ws://{self._place}/_stcore/stream", max_size=None) as session:
            look = BackMsg()
            look.rerun_script.page_name = page
            look.rerun_script.query_string = urlencode(query)
            look.rerun_script.context_info.url = f"http://{self._place}/{page}"
            fragments = self._ask(session, look)
            wall, cpu, again = time.perf_counter() - started, self._since(used), None
            if fragments:
                used = self.cpu()
                for fragment in fragments:
                    look.rerun_script.fragment_id = fragment
                    self._ask(session, look)
                again = 1000 * self._since(used)
        return Visit(1000 * cpu, 1000 * wall, again)

    def _since(self, used: float) -> float:
        """Return the CPU seconds used since, what goes on just after the last message counted in."""
        time.sleep(0.05)
        return self.cpu() - used

    def _ask(self, session: ClientConnection, message: BackMsg) -> list[str]:
        """Send, receive until the script has ended, and return the fragments that renew themselves."""
        session.send(message.SerializeToString())
        fragments, answer = [], ForwardMsg()
        while True:
            data = session.recv(timeout=PATIENCE)
            answer.ParseFromString(data if isinstance(data, bytes) else data.encode())
            kind = answer.WhichOneof("type")
            if kind == "auto_rerun":
                fragments.append(answer.auto_rerun.fragment_id)
            elif kind == "delta":
                _refuse_errors(answer)
            elif kind == "script_finished" and answer.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                return fragments


def _refuse_errors(answer: ForwardMsg) -> None:
    element = answer.delta.new_element
    kind = element.WhichOneof("type")
    if kind == "exception":
        raise RuntimeError(f"{element.exception.type}: {element.exception.message}")
    if kind == "alert" and element.alert.format == element.alert.ERROR:
        raise RuntimeError(element.alert.body)
