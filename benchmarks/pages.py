"""Time every page on a database of 100 000 runs and a data set of 100 000 frames: server time of a warm visit.

One run is trained for real on a small generated set; its row is copied under other ids, states, ages and data
sets, and so are its epochs and held-out predictions. The frames are links to the small set's under other names,
with a copy of their detections. A visit opens a page of a running server in a new session, over Streamlit's
WebSocket as a browser does; what is counted is the server's CPU time, all threads together, and beside it what
renewing the cards of the queue takes each second. SQLite, and PostgreSQL started on loopback from the system's
binaries where it has any.

    python benchmarks/pages.py [--runs N] [--rows N] [--frames N] [--repeats R] [--home DIR] [--json]
"""

import argparse
import contextlib
import io
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ.setdefault("OMP_NUM_THREADS", "1")

from PIL import Image  # noqa: E402
from postgresql import installed, server  # noqa: E402
from sqlalchemy import URL, Connection, text  # noqa: E402

from benchmarks.parts.devices import add_device  # noqa: E402
from benchmarks.parts.server import Server  # noqa: E402
from fer_core.cli.main import main as fer  # noqa: E402
from fer_core.config import settings  # noqa: E402
from fer_core.config.run import RunConfig  # noqa: E402
from fer_core.datasets.audit import audit  # noqa: E402
from fer_core.datasets.fingerprint import data_config  # noqa: E402
from fer_core.datasets.generated.frames import GeneratedConfig, generate  # noqa: E402
from fer_core.datasets.open import open_dataset  # noqa: E402
from fer_core.faces.extraction import CROPS, DETECTIONS, TABLE  # noqa: E402
from fer_core.storage.artifacts import Artifacts  # noqa: E402
from fer_core.storage.store import Store, StoredRun  # noqa: E402

LIMIT_MS = 200.0
DATA_SETS = 20
#: Shares of the states among the copies; those at work are few.
STATES = ("done",) * 94 + ("failed",) * 4 + ("cancelled",) * 2
QUEUED = 200
CHUNK = 5_000
SWEEP = "measured"
SPREAD = 0x9E3779B97F4A7C15  # makes ids that begin differently, as hashes do

COPY_RUN = """
    INSERT INTO runs (id, config, extra, goal, data, data_name, data_source, backbone, unfreeze, protocol, status,
                      created, queued, started, finished, attempts, max_attempts, seconds, error, summary, environment)
    SELECT :id, :config, extra, goal, :data, data_name, :source, backbone, unfreeze, protocol, :status,
           :created, :created, :created, :created, 1, 3, seconds, :error, summary, environment
    FROM runs WHERE id = :from
"""
COPY_EPOCHS = """
    INSERT INTO epochs (run_id, seed, fold, epoch, train_loss, train_accuracy, val_loss, val_accuracy, lr, seconds,
                        images, written)
    SELECT :id, seed, fold, epoch, train_loss, train_accuracy, val_loss, val_accuracy, lr, seconds, images, written
    FROM epochs WHERE run_id = :from
"""
COPY_PREDICTIONS = """
    INSERT INTO predictions (run_id, seed, fold, name, label, "group", face_status, p0, p1, p2, p3, p4, p5, p6)
    SELECT :id, seed, fold, name, label, "group", face_status, p0, p1, p2, p3, p4, p5, p6
    FROM predictions WHERE run_id = :from
"""
PUT_SWEEP = "INSERT INTO sweeps (name, place, run_id) VALUES (:name, :place, :run)"

Visits = dict[str, tuple[str, dict[str, str]]]


def visits(run: StoredRun, older: StoredRun, queued: StoredRun, sweep: str, frame: str) -> Visits:
    """Return what is timed: page and query parameters by name."""
    compare = ("All runs", "Learning curves", "Two runs", "Paper", "Leak meter", "Prototypes")
    lite = {"backbone": "efficientnet_lite0"}
    seen = {
        "Overview": ("", {}),
        "Faces": ("faces", {}),
        "Faces, failed": ("faces", {"view": "Failed detections"}),
        "Faces, one frame": ("faces", {"frame": frame}),
        "Train": ("train", lite),
        "Train, older runs": ("train", lite | {"before": older.id}),
        "Train, a finished run": ("train", {"run": run.id}),
        "Train, a queued run": ("train", {"run": queued.id}),
        "Train, a sweep": ("train", {"sweep": sweep}),
        **{f"Compare, {view.lower()}": ("compare", {"view": view}) for view in compare},
        "Predict": ("predict", {}),
    }
    return {name: (page, {"data": run.data_source} | query) for name, (page, query) in seen.items()}


def visits_of_frames(folder: Path, frame: str) -> Visits:
    """Return what is timed on the data set of many frames."""
    seen = {
        "Overview": ("", {}),
        "Faces": ("faces", {}),
        "Faces, filtered and ordered": ("faces", {"class": "Happy", "order": "face size", "page": "90"}),
        "Faces, failed": ("faces", {"view": "Failed detections"}),
        "Faces, one frame": ("faces", {"frame": frame}),
        "Train": ("train", {"backbone": "efficientnet_lite0"}),
        "Compare, paper": ("compare", {"view": "Paper"}),
        "Predict": ("predict", {}),
    }
    return {name: (page, {"data": str(folder)} | query) for name, (page, query) in seen.items()}


def train_one(home: Path) -> Path:
    """Train a run for real on a small generated set, faces included; return the set's folder.

    Its seed is new each time: what has been trained in a home is not trained again, and leaves no epochs in a database
    that is.
    """
    data = generate(
        GeneratedConfig(seed=5, ordinary=42, hard=6, movies=6, width=320, height=256), home / "set", workers=1
    )
    words = ["train", "--data", str(data), "--backbone", "efficientnet_lite0", "--unfreeze", "1", "--json"]
    code = fer(
        [*words, "--protocol", "group", "--folds", "2", "--epochs", "2", "--seeds", f"{int(time.time())},"]
    )
    assert code == 0, "the run failed"
    return data


def fill(store: Store, run: StoredRun, runs: int, rows: int) -> None:
    """Copy a run: `runs` rows of runs, and of the newest so many epochs and predictions that both have `rows`."""
    epochs, predictions = len(store.epochs(run.id)), len(store.predictions(run.id))
    seeds = f'"seeds":{json.dumps(run.config.protocol.seeds)}'
    assert seeds in run.config_json
    entries = [
        {
            "id": f"{number * SPREAD % 2**64:016x}",
            "number": number,
            "from": run.id,
            "config": run.config_json.replace(seeds, f'"seeds":[{number + 1}]'),
            "data": run.data if number % DATA_SETS == 0 or number < 2_000 else f"{number % DATA_SETS:016x}",
            "source": run.data_source if number % DATA_SETS == 0 else f"/data/set-{number % DATA_SETS}",
            "status": "queued" if number < QUEUED else STATES[number % len(STATES)],
            "error": "Out of memory."
            if number >= QUEUED and STATES[number % len(STATES)] == "failed"
            else "",
            "created": run.created - 60.0 * (number + 1),
        }
        for number in range(runs)
    ]
    for first in range(0, runs, CHUNK):
        chunk = entries[first : first + CHUNK]

        def work(connection: Connection, chunk: list[dict[str, Any]] = chunk) -> None:
            connection.execute(text(COPY_RUN), chunk)
            for statement, each in ((COPY_EPOCHS, epochs), (COPY_PREDICTIONS, predictions)):
                some = [entry for entry in chunk if entry["number"] < rows / each]
                if some:
                    connection.execute(text(statement), some)

        store.write(work)
    members = store.runs(status=["done"], data=run.data, limit=9)
    sweep = [{"name": SWEEP, "place": place, "run": member.id} for place, member in enumerate(members)]
    store.write(lambda connection: connection.execute(text(PUT_SWEEP), sweep))
    store.write(lambda connection: connection.execute(text("ANALYZE")))


def many_frames(run: StoredRun, folder: Path, frames: int) -> str:
    """Make a data set of links to the frames of a run, with its detections and crops; return a frame's name."""
    small = Path(run.data_source)
    if not folder.exists():
        for image in sorted(small.glob("*/*.png")):
            thumb = folder / ".thumbs" / image.parent.name / image.name
            thumb.parent.mkdir(parents=True, exist_ok=True)
            Image.open(image).resize((64, 52)).save(thumb)
        thumbs = sorted((folder / ".thumbs").glob("*/*.png"))
        for number in range(frames):
            source = thumbs[number % len(thumbs)]
            place = folder / source.parent.name
            place.mkdir(exist_ok=True)
            os.link(source, place / renamed(source.name, number))
    here = settings.load()
    dataset, artifacts = open_dataset(folder), Artifacts(here.artifacts)
    audit(dataset, cache=here.cache)
    before, after = (
        RunConfig(goal="faces", data=data_config(one, cache=here.cache), faces=run.config.faces)
        for one in (open_dataset(small), dataset)
    )
    pick = {"detections": before.detections_key(), "crops": before.crops_key()}
    old = {kind: artifacts.open(kind, key) for kind, key in pick.items()}
    for kind, key, table in (
        ("detections", after.detections_key(), DETECTIONS),
        ("crops", after.crops_key(), TABLE),
    ):
        by_name = {
            Path(row["name"]).name: row for row in map(json.loads, (old[kind] / table).open(encoding="utf-8"))
        }
        thumbs = sorted((folder / ".thumbs").glob("*/*.png"))
        rows = {
            f"{thumb.parent.name}/{renamed(thumb.name, number)}": by_name[thumb.name]
            for number, thumb in ((number, thumbs[number % len(thumbs)]) for number in range(frames))
        }

        def build(place: Path, kind: str = kind, table: str = table, rows: dict[str, Any] = rows) -> None:
            with (place / table).open("w", encoding="utf-8") as lines:
                for sample in dataset.samples:
                    own = {"name": sample.name}
                    if kind == "crops":
                        own |= {"group": sample.group, "clip": sample.clip}
                    lines.write(json.dumps(rows[sample.name] | own) + "\n")
            if kind == "crops":
                (place / CROPS).write_bytes((old["crops"] / CROPS).read_bytes())

        artifacts.ensure(kind, key, artifacts.read_config(kind, pick[kind]), build)
    return dataset.samples[frames // 2].name


def renamed(name: str, number: int) -> str:
    """Return a film frame's name with another time and number, and one of a hundred movies' names."""
    movie, _, rest = name.partition("_")
    return f"{movie}{number % 97:02d}_{number:09d}_{number:08d}{Path(rest).suffix}"


def measure(server: Server, name: str, page: str, query: dict[str, str], repeats: int) -> dict[str, Any]:
    """Open a page as often as asked for, its caches warm, and return the medians in ms."""
    for _ in range(2):
        server.visit(page, query)
    found = [server.visit(page, query) for _ in range(repeats)]
    again = [visit.again_cpu_ms for visit in found if visit.again_cpu_ms is not None]
    return {
        "page": name,
        "cpu_ms": statistics.median(visit.cpu_ms for visit in found),
        "most_cpu_ms": max(visit.cpu_ms for visit in found),
        "wall_ms": statistics.median(visit.wall_ms for visit in found),
        "again_cpu_ms": statistics.median(again) if again else None,
    }


@contextmanager
def databases(home: Path) -> Iterator[dict[str, URL]]:
    """Return the URLs of a SQLite file and, where it is installed, of an empty PostgreSQL database."""
    found = {"SQLite": URL.create("sqlite", database=str(home / "fer.sqlite"))}
    if not installed():
        print("PostgreSQL is not installed: SQLite alone is timed", file=sys.stderr)
        yield found
        return
    with server() as running:
        yield found | {"PostgreSQL": running.make()}


def main() -> None:
    """Fill, visit and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=100_000, help="of epochs, and of predictions")
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--home", type=Path, help="keep what is made here, and find it here the next time")
    parser.add_argument("--database", choices=("SQLite", "PostgreSQL"), help="one of them alone")
    parser.add_argument("--pages", default=".", help="a regular expression that a page's name holds")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    add_device(parser)
    options = parser.parse_args()
    os.chdir(ROOT)
    for name in [name for name in os.environ if name.startswith("FER_")]:
        del os.environ[name]
    found = []
    with tempfile.TemporaryDirectory(prefix="fer-pages-") as folder:
        home = (options.home or Path(folder)).absolute()
        os.environ |= {
            "FER_HOME": str(home),
            "FER_DEVICE": options.device,
            "FER_THREADS": "1",
            "FER_EXECUTOR": "inline",
        }
        with databases(home) as urls:
            for kind, url in urls.items():
                if options.database not in (None, kind):
                    continue
                if url.get_backend_name() == "postgresql":
                    os.environ["FER_DATABASE_URL"] = url.render_as_string(hide_password=False)
                found += visit_all(kind, url, home, options)
    if options.json:
        sizes = {name: getattr(options, name) for name in ("runs", "rows", "frames", "repeats")}
        print(json.dumps({**sizes, "limit_ms": LIMIT_MS, "pages": found}, indent=2))
        return
    print(
        f"{options.runs} runs, {options.rows} epochs, {options.rows} predictions, {options.frames} frames; the "
        f"server's CPU time in ms, warm, median of {options.repeats}; load {os.getloadavg()[0]:.1f}\n"
    )
    print(
        f"{'page':38} {'database':11} {'CPU':>6} {'most':>6} {'waited':>7} {'a second':>9}  under {LIMIT_MS:.0f}"
    )
    for row in found:
        again = "" if row["again_cpu_ms"] is None else format(row["again_cpu_ms"], ".0f")
        says = "yes" if row["cpu_ms"] < LIMIT_MS else "NO"
        times = f"{row['cpu_ms']:6.0f} {row['most_cpu_ms']:6.0f} {row['wall_ms']:7.0f} {again:>9}"
        print(f"{row['page']:38} {row['database']:11} {times}  {says}")


def visit_all(kind: str, url: URL, home: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Fill a database, unless it was filled before, and time every page on it."""
    store = Store(url)
    if not store.counts()["done"]:
        print(f"{kind}: training one run, copying it {options.runs} times", file=sys.stderr)
        with contextlib.redirect_stdout(io.StringIO()):
            train_one(home)
        started = time.perf_counter()
        fill(store, store.runs(status=["done"], goal="train")[0], options.runs, options.rows)
        print(f"{kind}: filled in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    run = store.runs(status=["done"], goal="train", limit=1)[0]
    page = store.runs(limit=100)
    queued = store.runs(status=["queued"], limit=1)[0]
    frame = str(store.predictions(run.id)["name"][0])
    many = many_frames(run, home / "many", options.frames)
    store.close()
    timed = visits(run, page[-1], queued, SWEEP, frame)
    frames = {
        f"{options.frames} frames: {name}": visit
        for name, visit in visits_of_frames(home / "many", many).items()
    }
    with Server(home / "server.log", dict(os.environ)) as running:
        running.visit(*timed["Overview"])  # not of the demo set, which would be drawn here
        running.settle()
        rows = []
        for name, (where, query) in (timed | frames).items():
            if re.search(options.pages, name):
                rows.append(measure(running, name, where, query, options.repeats) | {"database": kind})
                print(f"{kind}, {name}: {rows[-1]['cpu_ms']:.0f} ms", file=sys.stderr)
    return rows


if __name__ == "__main__":
    main()
