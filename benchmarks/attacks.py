"""Attacks on a hosted demo on this machine: hostile files, forged messages, links; what was tried and what held.

    python benchmarks/attacks.py [--json] [--share 1.0] [--section NAME]

It starts demo servers of its own on free loopback ports, on the state folder that FER_HOME names or, where that has
no finished run, on a small one made for it; while it attacks, other visitors open pages and predict. A section gives
a list of attacks, each a name and a function that says whether it held; exit code 1 where one did not.

A file is held when it ends in pixels or a refusal, in under 300 MB and 3 s: memory is what the decoders and this
process take over what they took before, seconds are the decoders' CPU time (the clock depends on what else the host
does; the worst by the clock is printed too). Files are then sent to a server whose rates are off, 25 at a time:
memory is that of its processes together over what they took before, what it makes of accepted files included.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import math
import os
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.load import PATIENCE, Measured, Visitor, finished_run, small_home
from benchmarks.parts import endpoint, hostile, sources, zips
from benchmarks.parts.forged import forgeries
from benchmarks.parts.process import answers, free_port, launch
from fer_core.cli.serve import LEAN
from fer_core.config import settings
from fer_core.config.settings import Limits
from fer_core.errors import DataError
from fer_core.faces.extraction import read_crops
from fer_core.prediction.decoders import Decoders
from fer_core.prediction.uploads import Sent, Upload
from fer_core.results.sharing.runs import export_run, import_run
from fer_core.runs.jobs.processes import end_all
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store, StoredRun

#: What one hostile file may cost: MB and seconds; what another visitor may wait for it: seconds.
MOST_MB, MOST_SECONDS, MOST_WAIT = 300.0, 3.0, 1.0

#: Rates that let everything in.
NO_RATES = "images_per_minute=1000000,all_images_per_minute=1000000"

#: Seconds between two looks at a server's memory: more often would take a third of a core from its visitors.
SELDOM = 0.05

TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Attack:
    """One attack: its name, and what carries it out and returns whether it held."""

    name: str
    held: Callable[[], bool]


@dataclass
class Case:
    """What sections work with, and the figures they note.

    Attributes:
        home, run: a state folder and a finished run in it.
        share: of the hostile files that are made.
        folder: for servers' logs.
        figures: name -> figure, printed at the end.
    """

    home: Path
    run: StoredRun
    share: float
    folder: Path
    figures: dict[str, float | str] = field(default_factory=dict)

    def worst(self, name: str, value: float) -> None:
        """Note the largest of a figure's values."""
        self.figures[name] = max(float(self.figures.get(name, 0.0)), value)


def family(pid: int) -> Iterator[int]:
    """Yield a process and all that it and they have started."""
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:  # it has ended
        return
    for task in tasks:
        for child in _read(task / "children").split():
            yield from family(int(child))


def memory(pid: int) -> float:
    """Return the resident MB of a process and its descendants; what they share counts once a process."""
    found = (_read(Path(f"/proc/{one}/statm")).split() for one in family(pid))
    return sum(int(pages[1]) for pages in found if pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu(pid: int) -> float:
    """Return the CPU seconds of a process's descendants, ended ones included."""
    found = [_read(Path(f"/proc/{one}/stat")).rpartition(")")[2].split() for one in family(pid) if one != pid]
    return sum(sum(int(ticks) for ticks in fields[11:15]) for fields in found if fields) / TICK


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended
        return ""


@contextmanager
def watched(pid: int, every: float = 0.004) -> Iterator[list[float]]:
    """Note the memory of a process's family every few milliseconds while the body runs."""
    seen, over = [memory(pid)], threading.Event()

    def look() -> None:
        while not over.wait(every):
            seen.append(memory(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


class Client(Visitor):
    """A visitor with an address of its own."""

    def __init__(self, port: int, run: StoredRun, address: str) -> None:
        super().__init__(port, run, hostile.plain(), Measured())
        self.address = address

    @contextmanager
    def within(self) -> Iterator[asyncio.Runner]:
        """Open a session, and run coroutines until the body ends."""
        with asyncio.Runner() as runner:
            runner.run(self._connect())
            yield runner
            runner.run(self.socket.close())

    async def _connect(self) -> None:
        self.socket = await websockets.connect(
            f"ws://{self.host}/_stcore/stream",
            subprotocols=[websockets.Subprotocol("streamlit")],
            additional_headers={"X-Forwarded-For": self.address},
            max_size=None,
            ping_interval=None,
        )


class Others:
    """Visitors who mean well: each opens pages or predicts, one after the other, and notes how long it took."""

    def __init__(self, port: int, run: StoredRun, count: int = 3) -> None:
        self.pages: list[float] = []
        self.predictions: list[float] = []
        self.errors: list[str] = []
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._visit, args=(Client(port, run, f"10.1.0.{n}"), n))
            for n in range(count)
        ]

    def __enter__(self) -> Others:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _visit(self, client: Client, number: int) -> None:
        with client.within() as runner:
            turn = 0
            while not self._over.wait(0.5):
                begun = time.perf_counter()
                runner.run(client.open(("", "faces", "compare")[turn % 3]) if number else client.predict())
                (self.pages if number else self.predictions).append(time.perf_counter() - begun)
                turn += 1
        self.errors += client.measured.errors


def p95(seconds: list[float]) -> float:
    """Return what 95 of 100 took at most."""
    return sorted(seconds)[math.ceil(0.95 * len(seconds)) - 1] if seconds else math.nan


@contextmanager
def server(case: Case, limits: str, **more: str) -> Iterator[tuple[int, int]]:
    """Start a demo server with `more` variables, have it load what it loads once, and yield its port and process."""
    port = free_port()
    environment = {"FER_HOME": str(case.home), "FER_DEMO": "1", "FER_BEHIND_PROXY": "1", "FER_LIMITS": limits}
    process = launch(case.folder / "server.log", LEAN | os.environ | environment | more, port)
    try:
        if not answers(process, port, PATIENCE):
            raise SystemExit("the server did not answer")
        first = Client(port, case.run, "10.2.0.1")
        with first.within() as runner:
            for page in ("", "faces", "compare"):
                runner.run(first.open(page))
            runner.run(first.predict())
        yield port, process.pid
    finally:
        end_all([process], 30.0)


def decoded(case: Case) -> list[Attack]:
    """Every hostile file through the decoders of a server."""
    decoders, me = Decoders(Limits()), os.getpid()
    assert isinstance(decoders.read(Sent("warm.jpg", hostile.plain()), "me"), Upload)
    ends: Counter[str] = Counter()

    def attack(kind: str, name: str, data: bytes) -> Attack:
        def held() -> bool:
            used, begun = cpu(me), time.perf_counter()
            with watched(me) as seen:
                found = decoders.read(Sent(name, data), "me")
            ends["accepted" if isinstance(found, Upload) else "refused"] += 1
            case.figures["files accepted, refused"] = f"{ends['accepted']}, {ends['refused']}"
            took, most = cpu(me) - used, max(seen) - seen[0]
            case.worst("one file: worst MB", most)
            case.worst("one file: worst CPU seconds", took)
            case.worst("one file: worst seconds by the clock", time.perf_counter() - begun)
            return most < MOST_MB and took < MOST_SECONDS

        return Attack(f"{kind}: {name}", held)

    return [attack(*file) for file in hostile.files(share=case.share)]


def served(case: Case) -> list[Attack]:
    """Half as many files sent by one visitor to a server, zipped 25 at a time, and crowds of faces; others visit."""
    artifacts = Artifacts(case.home / "artifacts")
    faces = np.array(read_crops(artifacts.open("crops", case.run.config.crops_key())).images[:40])

    def held() -> bool:
        uploads = list(zipped(case.share / 2))  # a client that is busy with them answers no ping
        uploads += [hostile.crowd(faces, side) for side in (30, 40, 60, 100)]
        with server(case, NO_RATES) as (port, pid):
            with watched(pid, SELDOM), Others(port, case.run) as before:
                time.sleep(20)
            attacker = Client(port, case.run, "10.3.0.1")
            with watched(pid, SELDOM) as seen, Others(port, case.run) as others, attacker.within() as runner:
                for packed in uploads:
                    attacker.picture = packed
                    runner.run(attacker.predict())
        case.figures |= {
            "server: most MB over rest": max(seen) - seen[0],
            "others' p95 of pages before, s": p95(before.pages),
            "others' p95 of pages meanwhile, s": p95(others.pages),
            "others' p95 of predictions before, s": p95(before.predictions),
            "others' p95 of predictions meanwhile, s": p95(others.predictions),
            "others' visits meanwhile": str(len(others.pages) + len(others.predictions)),
            "others' errors meanwhile": str(len(others.errors)),
        }
        refused = ("was not taken", "more files were", "no answer")  # zips that hold nothing to answer
        errors = [one for one in attacker.measured.errors if not any(words in one for words in refused)]
        waited = [
            p95(others.pages) - p95(before.pages),
            p95(others.predictions) - p95(before.predictions),
        ]
        return not errors and not others.errors and max(waited) < MOST_WAIT

    return [Attack("files sent to a server", held)]


def zipped(share: float) -> Iterator[bytes]:
    """Yield the hostile files in zips of 25."""
    files = list(hostile.files(share=share))
    for start in range(0, len(files), 25):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for number, (_, _, data) in enumerate(files[start : start + 25]):
                archive.writestr(f"{number}.jpg", data)
        yield buffer.getvalue()


def messages(case: Case) -> list[Attack]:
    """Messages that no page sends, five times each: the server stays quick and its caches full."""
    query, names, deep, unknown = BackMsg(), BackMsg(), BackMsg(), BackMsg()
    query.rerun_script.query_string = "a=b&" * 100_000
    names.file_urls_request.file_names.extend(["a.png"] * 50_000)
    deep.rerun_script.widget_states.widgets.add(id="x").json_value = "[" * 100_000
    unknown.rerun_script.fragment_id = "no such fragment"
    forged = {
        "clear_cache": BackMsg(clear_cache=True),
        "load_git_info": BackMsg(load_git_info=True),
        "set_run_on_save": BackMsg(set_run_on_save=True),
        "debug_shutdown_runtime": BackMsg(debug_shutdown_runtime=True),
        "debug_disconnect_websocket": BackMsg(debug_disconnect_websocket=True),
        "a query of 400 kB": query,
        "50,000 file names": names,
        "a deep widget value": deep,
        "an unknown fragment": unknown,
    }
    raw = {name: message.SerializeToString() for name, message in forged.items()}
    raw |= {
        "random bytes": os.urandom(5000),
        "nothing": b"",
        "2 MB": bytes(2_000_000),
        "40 MB": bytes(40_000_000),
    }

    def attack(name: str, data: bytes) -> Attack:
        def held() -> bool:
            attacker, other = Client(port, case.run, "10.3.0.1"), Client(port, case.run, "10.1.0.1")
            with other.within() as theirs, attacker.within() as runner:
                theirs.run(other.open("faces"))
                for _ in range(5):
                    try:
                        runner.run(attacker.socket.send(data))
                    except websockets.ConnectionClosed:
                        break
                begun = time.perf_counter()
                theirs.run(other.open("faces"))
                waited = time.perf_counter() - begun
            case.worst("a page after a forged message, s", waited)
            return not other.measured.errors and waited < MOST_WAIT

        return Attack(name, held)

    with server(case, "") as (port, _):
        return done(attack(name, data) for name, data in raw.items())


def links(case: Case) -> list[Attack]:
    """Links that compute, twelve each where six images a minute are let in: some must be refused."""
    from fer_core.datasets.open import open_dataset

    frames = open_dataset(case.run.data_source, demo_root=case.home / "data").samples

    def attack(name: str, page: str, query: Callable[[int], dict[str, str]]) -> Attack:
        def held() -> bool:
            with server(case, "images_per_minute=6") as (port, _):
                attacker = Client(port, case.run, "10.3.0.1")
                for number in range(12):
                    with attacker.within() as runner:
                        runner.run(attacker.open(page, query=query(number)))
                return attacker.measured.busy > 0

        return Attack(name, held)

    return [
        attack("other settings", "faces", lambda n: {"frame": frames[0].name, "try_pnet": f"0.{30 + n}"}),
        attack("stages of frames", "faces", lambda n: {"frame": frames[n].name, "stage": "Pyramid"}),
        attack("samples", "predict", lambda n: {"from": "sample", "image": frames[n].name}),
    ]


def imports(case: Case) -> list[Attack]:
    """Take in forged archives; each must be refused in a sentence, within the bounds of a file, and leave nothing."""
    honest = io.BytesIO()
    export_run(Store(case.home / "fer.sqlite"), Artifacts(case.home / "artifacts"), case.run.id, honest)

    store, artifacts = Store(case.folder / "imports.sqlite"), Artifacts(case.folder / "imports")

    def here() -> list[str]:
        return [run.id for run in store.runs()] + artifacts.keys("runs")

    def refused(archive: bytes) -> bool:
        before, started, refusal = here(), time.process_time(), None
        with watched(os.getpid()) as seen:
            try:
                import_run(io.BytesIO(archive), store, artifacts)
            except DataError as error:
                refusal = error
        took, spent = max(seen) - seen[0], time.process_time() - started
        case.worst("imports: worst MB", took)
        case.worst("imports: worst seconds", spent)
        return bool(refusal) and here() == before and took < MOST_MB and spent < MOST_SECONDS

    def honest_still() -> bool:
        return import_run(honest, store, artifacts).new

    forged = [
        Attack(name, lambda archive=archive: refused(archive))
        for name, archive in forgeries(honest.getvalue())
    ]
    return [*forged, Attack("the honest one after all of them", honest_still)]


def sourced(case: Case) -> list[Attack]:
    """Data sets that are none (`parts.sources`)."""
    return [Attack(*one) for one in sources.attacks(case.folder)]


def unzipped(case: Case) -> list[Attack]:
    """Zips that are none, unpacked as Bring data does and unfolded as Predict does (`parts.zips`)."""
    me = os.getpid()

    def attack(name: str, data: bytes, trial: Callable[[bytes], bool]) -> Attack:
        def held() -> bool:
            used = time.process_time()
            with watched(me) as seen:
                good = trial(data)
            case.worst("zips: worst MB", max(seen) - seen[0])
            case.worst("zips: worst CPU seconds", time.process_time() - used)
            return good and max(seen) - seen[0] < MOST_MB

        return Attack(name, held)

    trials = zips.trials(case.folder)
    return done(
        attack(f"{name}, {where}", data, trial)
        for name, data in zips.hostile()
        for where, trial in trials.items()
    )


def put_past_pages(case: Case) -> list[Attack]:
    """Files put where uploads go, and hosts and paths that are nobody's (`parts.endpoint`)."""
    hosts = {"STREAMLIT_SERVER_ALLOWED_HOSTS": "fer.example.org 127.0.0.1"}
    with server(case, endpoint.LIMITS, **hosts) as (port, pid), ExitStack() as stack, watched(pid) as seen:

        def visit(page: str, address: str) -> str:
            client = Client(port, case.run, address)
            stack.enter_context(client.within()).run(client.open(page))
            return client.session

        found = endpoint.attacks(port, visit, stack.close)
    case.figures["endpoint: most MB over rest"] = max(seen) - seen[0]
    found["memory"] = max(seen) - seen[0] < MOST_MB
    return done(Attack(name, lambda ok=ok: ok) for name, ok in found.items())  # type: ignore[misc]


def done(attacks: Iterator[Attack]) -> list[Attack]:
    """Carry out attacks at once, as those must that share a server, and return them with what they found."""

    def known(one: Attack) -> Attack:
        found = one.held()
        return Attack(one.name, lambda: found)

    return [known(one) for one in attacks]


#: What is tried, by name. Another kind of attack is another function here.
SECTIONS: dict[str, Callable[[Case], list[Attack]]] = {
    "files": decoded,
    "server": served,
    "messages": messages,
    "links": links,
    "imports": imports,
    "endpoint": put_past_pages,
    "sources": sourced,
    "zips": unzipped,
}


def main() -> None:
    """Carry out the attacks and print what held; exit code 1 where one did not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of the table")
    parser.add_argument(
        "--share", type=float, default=1.0, help="of the hostile files; one of each kind at least"
    )
    parser.add_argument("--section", choices=SECTIONS, action="append", help="only this one; may be repeated")
    options = parser.parse_args()
    tried: dict[str, list[str]] = {}
    lost: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        home = settings.load().home
        if finished_run(home) is None:
            home = small_home(Path(folder))
        run = finished_run(home)
        assert run is not None
        case = Case(home, run, options.share, Path(folder))
        for section in options.section or SECTIONS:
            attacks = SECTIONS[section](case)
            tried[section] = [one.name for one in attacks]
            lost[section] = [one.name for one in attacks if not one.held()]
    if options.json:
        print(
            json.dumps(
                {"benchmark": "attacks", "tried": tried, "lost": lost, "figures": case.figures}, indent=2
            )
        )
    else:
        print(f"{'section':12} {'tried':>6} {'held':>6}")
        for name, names in tried.items():
            print(f"{name:12} {len(names):6} {len(names) - len(lost[name]):6}")
        for name, value in case.figures.items():
            print(f"{name}: {value:.2f}" if isinstance(value, float) else f"{name}: {value}")
        for name, names in lost.items():
            if names:
                print(f"did not hold ({name}): {'; '.join(names[:20])}")
    sys.exit(any(lost.values()))


if __name__ == "__main__":
    main()
