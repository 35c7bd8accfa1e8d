"""Time every page on a database of 100 000 runs: server time of a warm visit, in SQLite and in PostgreSQL.

One run is trained for real on a small generated set; its row is copied under other ids, states, ages and data
sets, and so are its epochs and held-out predictions. A visit is a whole run of the page's script (Streamlit's
AppTest), caches warm, no browser. PostgreSQL is started on loopback from the system's binaries where it has any.

    python benchmarks/pages.py [--runs N] [--rows N] [--repeats R] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
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

from postgresql import Server, installed, server  # noqa: E402
from sqlalchemy import URL, Connection, text  # noqa: E402

from fer_core.cli import main as fer  # noqa: E402
from fer_core.datasets.synthetic import GeneratedConfig, generate  # noqa: E402
from fer_core.store import Store, StoredRun  # noqa: E402

LIMIT_MS = 200.0
DATA_SETS = 20
#: Shares of the states among the copies; those at work are few.
STATES = ("done",) * 94 + ("failed",) * 4 + ("cancelled",) * 2
QUEUED = 200
CHUNK = 5_000
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


def visits(run: StoredRun, older: str, frame: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Return what is timed: page and query parameters by name."""
    compare = ("All runs", "Learning curves", "Two runs", "Paper", "Leak meter", "Prototypes")
    return {
        "Overview": ("app.py", {}),
        "Faces": ("pages/faces.py", {}),
        "Faces, failed": ("pages/faces.py", {"view": "failed"}),
        "Faces, one frame": ("pages/faces.py", {"frame": frame}),
        "Train": ("pages/train.py", {"backbone": "efficientnet_lite0"}),
        "Train, older runs": ("pages/train.py", {"backbone": "efficientnet_lite0", "before": older}),
        "Train, one run": ("pages/train.py", {"run": run.id}),
        **{f"Compare, {view.lower()}": ("pages/compare.py", {"view": view}) for view in compare},
        "Predict": ("pages/predict.py", {}),
    }


def train_one(home: Path) -> Path:
    """Train a run for real on a small generated set, faces included; return the set's folder."""
    data = generate(
        GeneratedConfig(seed=5, ordinary=42, hard=6, movies=6, width=320, height=256), home / "set", workers=1
    )
    words = ["train", "--data", str(data), "--backbone", "efficientnet_lite0", "--unfreeze", "1", "--json"]
    code = fer([*words, "--protocol", "group", "--folds", "2", "--epochs", "2"])
    assert code == 0, "the run failed"
    return data


def fill(store: Store, run: StoredRun, runs: int, rows: int) -> None:
    """Copy a run: `runs` rows of runs, and of the newest so many epochs and predictions that both have `rows`."""
    epochs, predictions = len(store.epochs(run.id)), len(store.predictions(run.id))
    seeds = '"seeds":[0]'
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
            "error": "" if number % len(STATES) < 94 else "Out of memory.",
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
    store.write(lambda connection: connection.execute(text("ANALYZE")))


def measure(name: str, page: str, query: dict[str, str], data: Path, repeats: int) -> dict[str, Any]:
    """Visit a page warm and return its median server time and the process's own time, in ms."""
    from streamlit.testing.v1 import AppTest

    walls, own = [], []
    for visit in range(repeats + 2):
        test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
        if page != "app.py":
            test.switch_page(page)
        for key, value in {"data": str(data), **query}.items():
            test.query_params[key] = value
        started, used = time.perf_counter(), time.process_time()
        test.run()
        if visit >= 2:
            walls.append(1000 * (time.perf_counter() - started))
            own.append(1000 * (time.process_time() - used))
        assert not test.exception, (name, test.exception)
        assert not [error for error in test.error if "went wrong" in error.value], (name, test.error)
    return {
        "page": name,
        "median_ms": statistics.median(walls),
        "fastest_ms": min(walls),
        "own_ms": statistics.median(own),
    }


@contextmanager
def databases(home: Path) -> Iterator[dict[str, URL]]:
    """Return the URLs of an empty SQLite file and, where it is installed, of an empty PostgreSQL database."""
    found = {"SQLite": URL.create("sqlite", database=str(home / "fer.sqlite"))}
    if not installed():
        print("PostgreSQL is not installed: SQLite alone is timed", file=sys.stderr)
        yield found
        return
    with server() as running:
        running: Server
        yield found | {"PostgreSQL": running.make()}


def main() -> None:
    """Fill, visit and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=100_000, help="of epochs, and of predictions")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    os.chdir(ROOT)
    for name in [name for name in os.environ if name.startswith("FER_")]:
        del os.environ[name]
    found = []
    with tempfile.TemporaryDirectory(prefix="fer-pages-") as folder, databases(Path(folder)) as urls:
        home = Path(folder)
        os.environ |= {
            "FER_HOME": str(home),
            "FER_DEVICE": "cpu",
            "FER_THREADS": "1",
            "FER_EXECUTOR": "inline",
        }
        for kind, url in urls.items():
            if url.get_backend_name() == "postgresql":
                os.environ["FER_DATABASE_URL"] = url.render_as_string(hide_password=False)
            print(f"{kind}: training one run, copying it {options.runs} times", file=sys.stderr)
            found += visit_all(kind, url, home, options)
    if options.json:
        print(
            json.dumps(
                {"runs": options.runs, "rows": options.rows, "limit_ms": LIMIT_MS, "pages": found}, indent=2
            )
        )
        return
    print(
        f"{options.runs} runs, {options.rows} epochs, {options.rows} predictions; ms, warm, median of {options.repeats}"
    )
    print(f"{'page':26} {'database':11} {'median':>8} {'fastest':>8} {'own CPU':>8}  under {LIMIT_MS:.0f} ms")
    for row in found:
        says = "yes" if row["median_ms"] < LIMIT_MS else "NO"
        times = f"{row['median_ms']:8.0f} {row['fastest_ms']:8.0f} {row['own_ms']:8.0f}"
        print(f"{row['page']:26} {row['database']:11} {times}  {says}")


def visit_all(kind: str, url: URL, home: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Fill a database and time every page on it."""
    import contextlib
    import io

    import streamlit as st

    with contextlib.redirect_stdout(io.StringIO()):
        data = train_one(home)
    store = Store(url)
    run = store.runs(status=["done"], goal="train")[0]
    started = time.perf_counter()
    fill(store, run, options.runs, options.rows)
    print(f"{kind}: filled in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    page = store.runs(limit=100)
    frame = str(store.predictions(run.id)["name"][0])
    st.cache_data.clear()
    st.cache_resource.clear()
    rows = [
        measure(name, where, query, data, options.repeats) | {"database": kind}
        for name, (where, query) in visits(run, page[-1].id, frame).items()
    ]
    store.close()
    return rows


if __name__ == "__main__":
    main()
