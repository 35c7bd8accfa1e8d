"""Load a hosted demo on this machine: visitors come by its link and predict, over WebSockets as browsers do.

It starts a demo server of its own on a free loopback port, on the state folder that FER_HOME names or, where that
has no finished run, on a small one made for it. Each visitor is a light client that speaks Streamlit's protocol:
it comes in by the front door, uploads a picture, takes a sample or a webcam shot, or opens a page, and waits for each
script run to end; between two actions it thinks for two to six seconds. Pictures of the visitor's own are answered by
the recogniser, samples by the run. It asks nothing of any other machine and ends by itself.

    python benchmarks/load.py [--visitors N] [--seconds S] [--json]

An error is a script run that ends in an exception or shows FER Lab's "something went wrong", a page that is not
found, a picture that gets no answer, or a connection that breaks; a limit's refusal (busy) is counted apart. "answer"
is the time from sending a picture until the page with its answer is whole. Memory is the server's resident set, the
median of each quarter of the time; growth compares the second and the last.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import itertools
import json
import math
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
import uuid
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import websockets
from PIL import Image
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.parts.devices import add_device, hand_on
from benchmarks.parts.process import ROOT, answers, free_port, launch
from fer_core.cli.serve import LEAN
from fer_core.config import settings
from fer_core.runs.jobs.processes import end_all
from fer_core.storage.store import Store, StoredRun

THINK = (2.0, 6.0)
PATIENCE = 120.0
#: Action -> page, five actions in seven, and the ways to bring a picture, two in seven as ever.
BROWSE = {"link": "", "again": "predict", "made": "made", "compare": "compare", "faces": "faces"}
PICTURES = dict.fromkeys(("upload", "sample", "webcam"), 2 / 3)
#: What stands in every answer (`ui.predict.detail.in_words`).
ANSWERED = ("Most likely", "No class reaches")


@dataclass
class Measured:
    """Seconds an action took, by action, and what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    busy: int = 0


class Visitor:
    """One client of the dashboard: a WebSocket, the page it is on, the widgets it has seen."""

    def __init__(
        self, port: int, run: StoredRun, picture: bytes, measured: Measured, sample: str = ""
    ) -> None:
        self.host, self.run, self.picture, self.measured = f"127.0.0.1:{port}", run, picture, measured
        self.session, self.uploader, self.sample, self.replies = "", "", sample, 0

    async def visit(self, end: float, start_after: float, seed: int) -> None:
        """Come in by the link after a while, bring a picture, and continue until the time is over."""
        draw = random.Random(seed)
        await asyncio.sleep(start_after)
        weights = {**dict.fromkeys(BROWSE, 1), **PICTURES}
        try:
            async with websockets.connect(
                f"ws://{self.host}/_stcore/stream",
                subprotocols=[websockets.Subprotocol("streamlit")],
                max_size=None,
            ) as self.socket:
                action = "link"
                while True:
                    started = time.perf_counter()
                    if action in PICTURES:
                        await self.predict(action)
                    else:
                        await self.open(BROWSE[action])
                    self.measured.seconds[action].append(time.perf_counter() - started)
                    await asyncio.sleep(draw.uniform(*THINK))
                    if time.monotonic() > end:
                        return
                    action = draw.choices([*weights], [*weights.values()])[0]
        except (OSError, TimeoutError, websockets.WebSocketException) as error:
            self.measured.errors.append(f"{type(error).__name__}: {error}")

    async def open(
        self,
        page: str,
        files: list[tuple[str, int, str]] | None = None,
        query: dict[str, str] | None = None,
    ) -> None:
        """Run a page's script and wait until it has ended; `files` are (id, bytes, name) in its uploader."""
        message = BackMsg()
        query = (query or {}) | {"data": self.run.data_source}
        message.rerun_script.query_string = urllib.parse.urlencode(query)
        message.rerun_script.page_name = page
        message.rerun_script.context_info.url = f"http://{self.host}/{page}"
        if files:
            state = message.rerun_script.widget_states.widgets.add(id=self.uploader)
            for file_id, size, name in files:
                info = state.file_uploader_state_value.uploaded_file_info.add(
                    name=name, size=size, file_id=file_id
                )
                info.file_urls.file_id = file_id
        await self.socket.send(message.SerializeToString())
        await self._until_finished(page)

    async def predict(self, way: str = "upload") -> None:
        """Open the Predict page, bring a picture in one of the `PICTURES` ways, and wait for what is made of it."""
        query = {"from": way}
        await self.open("predict", query=None if way == "sample" else query)
        started, before = time.perf_counter(), self.replies
        if way == "sample":
            await self.open("predict", query=query | {"image": self.sample})
        else:
            await self.open("predict", [await self._sent("frame.jpg")], query)
        self.measured.seconds["answer"].append(time.perf_counter() - started)
        if self.replies == before:
            self.measured.errors.append(f"{way}: no answer")

    async def _sent(self, name: str) -> tuple[str, int, str]:
        """Upload the picture; return what an uploader holds of it."""
        ask = BackMsg()
        ask.file_urls_request.request_id = uuid.uuid4().hex
        ask.file_urls_request.file_names.append(name)
        ask.file_urls_request.session_id = self.session
        await self.socket.send(ask.SerializeToString())
        while True:
            answer = await self._receive()
            if answer.WhichOneof("type") == "file_urls_response":
                break
        place = answer.file_urls_response.file_urls[0]
        await asyncio.to_thread(self._put, place.upload_url)
        return place.file_id, len(self.picture), name

    def _put(self, url: str) -> None:
        """Upload the picture as a browser does: multipart, with the XSRF cookie and header of one token."""
        base = f"http://{self.host}"
        with urllib.request.urlopen(f"{base}/_stcore/health", timeout=PATIENCE) as answer:
            cookie = answer.headers.get("Set-Cookie", "")
        token = (re.search(r"_streamlit_xsrf=([^;]+)", cookie) or ["", ""])[1]
        edge = uuid.uuid4().hex
        head = f'--{edge}\r\nContent-Disposition: form-data; name="frame.jpg"; filename="frame.jpg"\r\n'
        body = (
            head.encode()
            + b"Content-Type: image/jpeg\r\n\r\n"
            + self.picture
            + f"\r\n--{edge}--\r\n".encode()
        )
        headers = {
            "Content-Type": f"multipart/form-data; boundary={edge}",
            "Cookie": f"_streamlit_xsrf={token}",
            "X-Xsrftoken": token,
        }
        request = urllib.request.Request(urllib.parse.urljoin(base, url), body, headers, method="PUT")
        urllib.request.urlopen(request, timeout=PATIENCE).close()

    async def _until_finished(self, page: str) -> None:
        while True:
            message = await self._receive()
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self.session = message.new_session.initialize.session_id or self.session
            elif kind == "page_not_found":
                self.measured.errors.append(f"{page}: page not found")
            elif kind == "delta":
                self._look(page, message)
            elif kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                return

    def _look(self, page: str, message: ForwardMsg) -> None:
        element = message.delta.new_element
        kind = element.WhichOneof("type")
        if kind in ("file_uploader", "camera_input"):
            self.uploader = getattr(element, kind).id
        elif kind == "markdown":
            self.replies += element.markdown.body.startswith(ANSWERED)
        elif kind == "exception":
            self.measured.errors.append(f"{page}: {element.exception.type} {element.exception.message}"[:300])
        elif kind == "alert" and element.alert.format == element.alert.ERROR:
            if "try again" in element.alert.body.lower() or "at most" in element.alert.body.lower():
                self.measured.busy += 1
                self.replies += 1
            else:
                self.measured.errors.append(f"{page}: {element.alert.body}"[:300])

    async def _receive(self) -> ForwardMsg:
        data = await asyncio.wait_for(self.socket.recv(), PATIENCE)
        message = ForwardMsg()
        message.ParseFromString(data if isinstance(data, bytes) else data.encode())
        return message


def resident(pid: int) -> float:
    """Return the resident set of a process in MB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that a process and those it started have taken."""
    below: dict[int, list[int]] = defaultdict(list)
    taken: dict[int, int] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            fields = place.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            below[int(fields[1])].append(number := int(place.parent.name))
            taken[number] = sum(map(int, fields[11:15]))  # its own and those of children that have ended
    found, todo = 0, [pid]
    while todo:
        found += taken[one := todo.pop()]
        todo += below[one]
    return found / os.sysconf("SC_CLK_TCK")


async def load(
    port: int, pid: int, run: StoredRun, frames: list[tuple[str, bytes]], visitors: int, seconds: float
) -> dict[str, object]:
    """Send the visitors, each with one of the frames (name, JPEG), and return the figures."""
    measured, memory = Measured(), [resident(pid)]

    def visitor(number: int) -> Visitor:
        name, picture = frames[number % len(frames)]
        return Visitor(port, run, picture, measured, name)

    first = visitor(0)  # loads the models: what a server does once
    await asyncio.wait_for(first.visit(time.monotonic(), 0.0, 0), PATIENCE)
    async with websockets.connect(f"ws://{first.host}/_stcore/stream", max_size=None) as first.socket:
        for way in PICTURES:
            await first.predict(way)
    warm, measured.seconds, before = resident(pid), defaultdict(list), cpu_seconds(pid)
    begun = time.monotonic()
    tasks = [
        asyncio.create_task(visitor(number).visit(begun + seconds, number * 10.0 / visitors, number))
        for number in range(visitors)
    ]
    while not all(task.done() for task in tasks) and time.monotonic() < begun + seconds + 2 * PATIENCE:
        await asyncio.sleep(1.0)
        memory.append(resident(pid))
    for task in tasks:
        task.cancel()
    taken = cpu_seconds(pid) - before
    edges = [len(memory) * part // 4 for part in range(5)]
    quarters = [round(statistics.median(memory[a:b] or memory)) for a, b in itertools.pairwise(edges)]
    return {
        "visitors": visitors,
        "seconds": round(time.monotonic() - begun, 1),
        "actions": {
            name: {
                "count": len(took),
                "p50": statistics.median(took),
                "p95": sorted(took)[math.ceil(0.95 * len(took)) - 1],
            }
            for name, took in sorted(measured.seconds.items())
        },
        "errors": len(measured.errors),
        "first_errors": measured.errors[:5],
        "busy": measured.busy,
        "server_cpu_seconds": round(taken, 1),
        "memory_mb": {
            "started": round(memory[0]),
            "warm": round(warm),
            "most": round(max(memory)),
            "quarters": quarters,
            "growth": quarters[3] - quarters[1],
        },
    }


def finished_run(home: Path) -> StoredRun | None:
    """Return a run that a demo shows and predicts with; None where there is none."""
    if not (home / "fer.sqlite").is_file():
        return None
    runs = Store(home / "fer.sqlite", read_only=True).runs(status=["done"], goal="train")
    return next((run for run in runs if run.config.trains_backbone and run.config.data.generated), None)


def small_home(folder: Path) -> Path:
    """Make a state folder with one finished run of a small generated set."""
    command = [sys.executable, "-m", "fer_core"]
    environment = os.environ | {"FER_HOME": str(folder / "home"), "FER_DEMO": ""}
    data = ["data", "generate", "--out", str(folder / "faces"), "--ordinary", "70", "--hard", "10"]
    train = [
        "train",
        "--data",
        str(folder / "faces"),
        "--backbone",
        "efficientnet_lite0",
        "--protocol",
        "group",
    ]
    for arguments in (data, [*train, "--unfreeze", "1", "--epochs", "5"]):
        subprocess.run(
            [*command, *arguments], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL
        )
    return folder / "home"


def main() -> None:
    """Start the server, load it, print the table, stop the server."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--json", action="store_true")
    add_device(parser)
    options = parser.parse_args()
    hand_on(options.device)
    with tempfile.TemporaryDirectory() as folder:
        home = settings.load().home
        run = finished_run(home)
        if run is None:
            home = small_home(Path(folder))
            run = finished_run(home)
        assert run is not None
        found = serve_and_load(home, run, options.visitors, options.seconds, Path(folder) / "server.log")
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{'action':10} {'count':>6} {'p50 s':>8} {'p95 s':>8}")
    for name, took in found["actions"].items():  # type: ignore[attr-defined]
        print(f"{name:10} {took['count']:6} {took['p50']:8.2f} {took['p95']:8.2f}")
    for name in ("visitors", "seconds", "errors", "first_errors", "busy", "server_cpu_seconds", "memory_mb"):
        print(f"{name}: {found[name]}")


def serve_and_load(home: Path, run: StoredRun, visitors: int, seconds: float, log: Path) -> dict[str, object]:
    """Start a demo server on the state folder, load it, and stop it whatever happens."""
    port = free_port()
    server = launch(log, LEAN | os.environ | {"FER_HOME": str(home), "FER_DEMO": "1"}, port)
    try:
        if not answers(server, port, PATIENCE):
            raise SystemExit("the server did not answer")
        return asyncio.run(load(port, server.pid, run, frames_of(run, home), visitors, seconds))
    finally:
        end_all([server], 30.0)


def frames_of(run: StoredRun, home: Path, most: int = 20) -> list[tuple[str, bytes]]:
    """Return frames of the run's data set, name and JPEG of each."""
    from fer_core.datasets.open import open_dataset

    found = []
    for sample in open_dataset(run.data_source, demo_root=home / "data").samples[:most]:
        packed = io.BytesIO()
        Image.open(sample.path).convert("RGB").save(packed, "JPEG", quality=90)
        found.append((sample.name, packed.getvalue()))
    return found


if __name__ == "__main__":
    main()
