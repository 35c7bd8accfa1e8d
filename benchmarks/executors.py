"""The same runs by each executor: the calling process, a worker process, a Ray of this host, Slurm jobs on submitit's
local cluster; with SQLite or, as in `ray+postgresql`, with a PostgreSQL started from the system's binaries.

The paper's three settings on generated faces (drawn by this program, no evidence about real ones), from frames to
figures, each executor in a home of its own. `same bits` compares every artifact byte for byte with the calling
process's (detections, crops, activations, weights and predictions of each fold; the seconds in their notes left out)
and every epoch and prediction in the database. On one host a cluster can only cost time: the table shows how much.

    python benchmarks/executors.py [--frames N] [--epochs E] [--executors inline,ray+postgresql,slurm] [--json]
"""

import argparse
import json
import os
import re
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from postgresql import server  # noqa: E402

from benchmarks.parts.devices import add_device  # noqa: E402
from fer_core.config.run import ProtocolConfig, RunConfig, TrainingConfig, TransferConfig  # noqa: E402
from fer_core.config.settings import Settings, load  # noqa: E402
from fer_core.datasets.fingerprint import data_config  # noqa: E402
from fer_core.datasets.generated.frames import GeneratedConfig, generate  # noqa: E402
from fer_core.datasets.open import open_dataset  # noqa: E402
from fer_core.runs.jobs import executors  # noqa: E402
from fer_core.runs.jobs.on_ray import cluster  # noqa: E402
from fer_core.runs.jobs.queue import submit  # noqa: E402
from fer_core.storage.store import Store  # noqa: E402
from fer_core.storage.sums import SUMS  # noqa: E402


def content(path: Path) -> bytes:
    """Return a file's content without the seconds that are noted in it."""
    found = path.read_bytes()
    if path.suffix == ".safetensors":
        return found[8 + int.from_bytes(found[:8], "little") :]
    return re.sub(rb'"seconds": [0-9.e-]+', b"", found) if path.name == "folds.json" else found


def outcome(settings: Settings) -> dict[str, Any]:
    """Return all that must agree between two executors."""
    root, store = settings.artifacts, Store(settings.database)
    found: dict[str, Any] = {
        str(path.relative_to(root)): content(path)
        for path in root.rglob("*")
        if path.is_file() and not path.name.endswith(".lock") and path.name != SUMS  # of the seconds too
    }
    for run in store.runs():
        found[f"{run.id} predictions"] = store.predictions(run.id).to_csv()
        found[f"{run.id} epochs"] = store.epochs(run.id).drop(columns=["seconds", "written"]).to_csv()
    return found


def carry_out(
    executor: str, home: Path, configs: list[RunConfig], database: str, device: str
) -> tuple[Settings, dict[str, Any]]:
    """Carry the runs out and return what it took; `database` is a PostgreSQL URL, '' for SQLite."""
    settings = load(home=home, device=device, threads=1, executor=executor, database_url=database or None)
    store = Store(settings.database)
    started = time.perf_counter()
    if executor == "ray":
        cluster.connect()
    ready = time.perf_counter()
    for config in configs:
        submit(store, config)
    if executor == "local":  # the worker process that the dashboard starts
        executors.launch(settings)
        while store.active():
            time.sleep(0.05)
    else:
        executors.EXECUTORS[executor].work(settings, until_idle=True)
    seconds = time.perf_counter() - ready
    runs = store.runs()
    if {run.status for run in runs} != {"done"}:
        raise SystemExit("\n".join(run.error for run in runs))
    return settings, {
        "start": ready - started,
        "seconds": seconds,
        "attempts": sum(run.attempts for run in runs),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=70)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--executors", default="inline,local,local+postgresql,ray,ray+postgresql,slurm")
    add_device(parser)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ["FER_SLURM_CLUSTER"] = "local"
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        drawn = GeneratedConfig(seed=5, ordinary=options.frames, hard=7, movies=7, width=320, height=256)
        data = data_config(open_dataset(generate(drawn, place / "data", workers=1)))
        configs = [
            RunConfig(
                data=data,
                model=TransferConfig(backbone="efficientnet_lite0", unfreeze=n),
                protocol=ProtocolConfig(name="group", folds=5),
                training=TrainingConfig(epochs=options.epochs, batch_size=16),
            )
            for n in (3, 2, 1)
        ]
        expected: dict[str, Any] = {}
        for name in dict.fromkeys(["inline", *options.executors.split(",")]):
            executor, _, database = name.partition("+")
            with server() if database else nullcontext() as running:
                url = running.make().render_as_string(hide_password=False) if running else ""
                settings, row = carry_out(executor, place / name, configs, url, options.device)
                found = outcome(settings)
            expected = expected or found
            names = {*expected, *found}
            same = sum(expected.get(one) == found.get(one) for one in names)
            rows.append({"executor": name, **row, "compared": len(names), "same": same})
    report = {"frames": options.frames + 7, "runs": 3, "folds": 5, "epochs": options.epochs, "rows": rows}
    report["load"] = os.getloadavg()[0]
    if options.json:
        print(json.dumps(report))
        return
    print(
        f"n = 1, 2, 3 of EfficientNet-Lite0 on {report['frames']} generated frames, 5 folds by movie, "
        f"{options.epochs} epochs; {os.cpu_count()} cores, load {report['load']:.1f}, one thread a fit\n"
    )
    print(f"{'executor':18}{'start (s)':>10}{'3 runs (s)':>12}{'attempts':>10}{'same bits':>22}")
    for row in rows:
        same = f"{row['same']} of {row['compared']} files"
        print(
            f"{row['executor']:18}{row['start']:>10.1f}{row['seconds']:>12.1f}{row['attempts']:>10}{same:>22}"
        )


if __name__ == "__main__":
    main()
