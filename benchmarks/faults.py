"""What faults cost: a sweep whose worker and dashboard are killed again and again, beside the same sweep in peace.

Prints whether every run ended done, exactly once and with the same figures to the bit; whether simultaneous
identical submissions make one run; how long a cancelling takes; and the time from submission to the first
epoch. Then three runs each meet a full disk, a clock that jumps an hour ahead and back, a deleted write-ahead log and
a flipped bit in each kind of artifact, and a user without rights asks for them (`parts/surroundings.py`). A
visitor's session keeps the dashboard reading while runs are trained. The sweep grows until all kills have fallen; the
same runs are then carried out in a folder of their own, undisturbed. The images are generated; the figures say
nothing about real faces.

    python benchmarks/faults.py [--kills 50] [--json]
    python benchmarks/faults.py --trial full_disk --trial clock
"""

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.parts import surroundings  # noqa: E402
from benchmarks.parts.dashboard import Dashboard  # noqa: E402
from benchmarks.parts.devices import add_device, hand_on  # noqa: E402
from fer_core.config.run import (  # noqa: E402
    DataConfig,
    FacesConfig,
    ProtocolConfig,
    RunConfig,
    TrainingConfig,
    TransferConfig,
)
from fer_core.datasets.fingerprint import data_config  # noqa: E402
from fer_core.datasets.generated.frames import GeneratedConfig, generate  # noqa: E402
from fer_core.datasets.open import open_dataset  # noqa: E402
from fer_core.runs.jobs.executors import GRACE_SECONDS  # noqa: E402
from fer_core.runs.jobs.processes import end_all, send  # noqa: E402
from fer_core.runs.jobs.queue import BURIED, cancel, retry, submit  # noqa: E402
from fer_core.storage.store import Store  # noqa: E402

WORKER = """
from fer_core.config import settings
from fer_core.runs.jobs.worker import run_worker
run_worker(settings.load(), poll=0.1, lease_seconds={lease})
"""
SUBMITTER = """
import sys, threading
from fer_core.config.run import RunConfig
from fer_core.runs.jobs.queue import submit
from fer_core.storage.store import Store
store, config = Store(sys.argv[1]), RunConfig.model_validate_json(sys.argv[2])
created = []
def work(): created.append(submit(store, config)[1])
threads = [threading.Thread(target=work) for _ in range(25)]
sys.stdin.readline()
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sum(created))
"""


#: The faults of the surroundings.
TRIALS = ("clock", "wal", "bits", "rights", "full_disk")


@dataclass
class Lab:
    """A state folder and, now and then, a worker on it."""

    home: Path
    lease: float

    def __post_init__(self) -> None:
        self.store = Store(self.home / "fer.sqlite")

    def worker(self, before: str = "") -> subprocess.Popen[bytes]:
        """Start a worker process; `before` is what it carries out first."""
        environment = os.environ | {"FER_HOME": str(self.home), "FER_THREADS": "1"}
        with (self.home / "worker.log").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-c", before + WORKER.format(lease=self.lease)],
                cwd=ROOT,
                env=environment,
                stderr=output,
            )

    def ended(self) -> bool:
        """Return whether nothing is queued or running."""
        counts = self.store.counts()
        return not counts["queued"] + counts["running"]

    def figures(self, run_id: str) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
        """Return what must not depend on faults: a run's summary, predictions and epochs, less their times."""
        summary = {name: value for name, value in self.store.run(run_id).summary.items() if name != "seconds"}
        epochs = self.store.epochs(run_id).drop(columns=["seconds", "written"])
        return summary, self.store.predictions(run_id), epochs


def sweep(data: DataConfig, epochs: int) -> Iterator[list[RunConfig]]:
    """Yield small runs without end: the three settings under one seed, under the next ..."""
    for seed in itertools.count():
        yield [
            RunConfig(
                data=data,
                faces=FacesConfig(),
                model=TransferConfig(backbone="efficientnet_lite0", unfreeze=n),
                protocol=ProtocolConfig(name="stratified", folds=2, seeds=(seed,)),
                training=TrainingConfig(epochs=epochs, batch_size=16),
            )
            for n in (1, 2, 3)
        ]


def wait_for(condition: Callable[[], object], seconds: float) -> float:
    """Wait until the condition holds and return how long that took; TimeoutError when it doesn't come."""
    started = time.perf_counter()
    while not condition():
        if time.perf_counter() - started > seconds:
            raise TimeoutError("waited in vain; see worker.log in the state folder")
        time.sleep(0.005)
    return time.perf_counter() - started


def in_peace(lab: Lab, configs: list[RunConfig], limit: float) -> float:
    """Carry the sweep out undisturbed; return seconds."""
    started = time.perf_counter()
    for config in configs:
        submit(lab.store, config)
    worker = lab.worker()
    try:
        wait_for(lab.ended, limit)
    finally:
        end_all([worker], GRACE_SECONDS)
    for run in lab.store.runs(status=["failed"]):
        raise RuntimeError(f"run {run.id} failed with nobody disturbing it: {run.error}")
    return time.perf_counter() - started


def under_fire(
    lab: Lab, batches: Iterator[list[RunConfig]], first: int, kills: int, limit: float
) -> tuple[list[RunConfig], dict[str, Any]]:
    """Carry a sweep out while worker and dashboard are killed at random moments, until all kills have fallen.

    Args:
        batches: where runs come from; `first` of them are submitted at once, more while kills are left.

    Returns:
        The runs, and what it took.
    """
    configs: list[RunConfig] = []

    def more() -> None:
        batch = next(batches)
        configs.extend(batch)
        for config in batch:
            submit(lab.store, config)

    for _ in range(first):
        more()
    fallen = {"worker": 0, "dashboard": 0, "both": 0}
    retried, started = 0, time.perf_counter()
    dashboard, worker = Dashboard(lab.home, configs[0].data.source), lab.worker()
    while sum(fallen.values()) < kills and time.perf_counter() - started < limit:
        # A worker's first seconds go into importing torch. Half the kills fall there or anywhere, half at work.
        if random.random() < 0.5:
            reached = trained(lab)
            with suppress(TimeoutError):
                wait_for(lambda before=reached: trained(lab) != before, 8.0)
        time.sleep(random.uniform(0.5, 4.0))
        victim = random.choices(list(fallen), weights=(2, 1, 1))[0]
        fallen[victim] += 1
        if victim != "dashboard":
            send(worker, signal.SIGKILL)
            worker.wait()
        if victim != "worker":
            dashboard.restart()
        if victim != "dashboard":
            worker = lab.worker()
        retried += take_up_again(lab)
        if lab.store.counts()["queued"] < 2:
            more()
    while not lab.ended() and time.perf_counter() - started < limit:
        time.sleep(0.1)
        retried += take_up_again(lab)
    seconds = time.perf_counter() - started
    end_all([worker], GRACE_SECONDS)
    dashboard.close()
    return configs, {
        "kills": sum(fallen.values()),
        **{f"kills_of_{name}": count for name, count in fallen.items()},
        "retried_after_the_cap": retried,
        "dashboard_back_after_s": statistics.median(dashboard.back) if dashboard.back else None,
        "views_of_the_page": dashboard.views,
        "under_fire_s": seconds,
    }


def trained(lab: Lab) -> int:
    """Return how many epochs are in the database."""
    with lab.store.read() as connection:
        return int(connection.exec_driver_sql("SELECT COUNT(*) FROM epochs").scalar_one())


def take_up_again(lab: Lab) -> int:
    """Start runs again that have used up their attempts; RuntimeError when one failed by itself."""
    failed = lab.store.runs(status=["failed"])
    for run in failed:
        if run.error != BURIED:
            raise RuntimeError(f"run {run.id} failed by itself: {run.error}")
    return sum(retry(lab.store, run.id) for run in failed)


def compare(peace: Lab, fire: Lab, configs: list[RunConfig]) -> dict[str, Any]:
    """Count the runs that ended done, and those whose figures equal the undisturbed ones to the bit."""
    runs = [fire.store.run(config.key()) for config in configs]
    equal = 0
    for run in runs:
        summary, *tables = fire.figures(run.id)
        expected, *others = peace.figures(run.id)
        equal += summary == expected and all(a.equals(b) for a, b in zip(tables, others, strict=True))
    return {
        "runs": len(runs),
        "rows_too_many": sum(fire.store.counts().values()) - len(runs),
        "done": sum(run.status == "done" for run in runs),
        "equal_to_the_undisturbed": equal,
        "attempts": sum(run.attempts for run in runs),
    }


def trials(
    home: Path, peace: Lab, configs: list[RunConfig], lease: float, limit: float, names: Sequence[str]
) -> dict[str, str]:
    """Let three runs meet these faults of their surroundings; return what came of it. Raises AssertionError."""

    def carry_out(place: Path) -> None:
        lab = Lab(place, lease)
        for config in configs:
            submit(lab.store, config)
        work(lab)
        told = compare(peace, lab, configs)
        assert told["equal_to_the_undisturbed"] == told["runs"] == told["done"], told
        assert not told["rows_too_many"], told
        lab.store.close()

    def work(lab: Lab) -> list[str]:
        worker = lab.worker()
        try:
            wait_for(lab.ended, limit)
        finally:
            end_all([worker], GRACE_SECONDS)
        return [run.error for run in lab.store.runs(status=["failed"])]

    def fill(place: Path) -> list[str]:
        lab = Lab(place, lease)
        for config in configs:
            submit(lab.store, config)
        errors = work(lab)
        lab.store.close()
        return errors

    def copy(name: str) -> Path:
        if not whole.exists():
            carry_out(whole)
        return Path(shutil.copytree(whole, home / name, ignore=shutil.ignore_patterns("workers")))

    def clock() -> str:
        lab, file = Lab(home / "clock", lease), home / "offset"
        file.write_text("0")
        for config in configs:
            submit(lab.store, config)
        worker = lab.worker(surroundings.SKEWED.format(file=str(file)))
        for offset in ("3600", "0"):  # killed with a lease that ends in an hour
            before = trained(lab)
            wait_for(lambda before=before: trained(lab) > before, limit)
            file.write_text(offset)
        send(worker, signal.SIGKILL)
        worker.wait()
        started = time.perf_counter()
        lab.store.close()
        carry_out(lab.home)
        return f"killed after it: done {time.perf_counter() - started:.0f} s later"

    def at(place: Path, trial: Callable[[Path, Callable[[], None]], str]) -> str:
        return trial(place, partial(carry_out, place))

    whole = home / "whole"
    tries: dict[str, Callable[[], str]] = {
        "clock": clock,
        "wal": lambda: at(copy("wal"), surroundings.wal),
        "bits": lambda: at(copy("bits"), surroundings.bits),
        "rights": lambda: surroundings.rights(copy("rights")),
        "full_disk": lambda: (
            surroundings.full_disk(home / "full", fill, carry_out) or "not tried: may not mount"
        ),
    }
    found = {}
    for name in names:
        print(f"the fault: {name}", file=sys.stderr)
        found[name] = tries[name]()
    return found


def same_instant(lab: Lab, config: RunConfig) -> int:
    """Submit one definition 100 times at once from 4 processes; return how many runs that made."""
    command = [
        sys.executable,
        "-c",
        SUBMITTER,
        lab.store.url.render_as_string(hide_password=False),
        config.model_dump_json(),
    ]
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    time.sleep(3.0)  # all are imported and wait for the word
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return sum(int(process.communicate()[0]) for process in processes)


def has_epochs(lab: Lab, run_id: str) -> bool:
    """Return whether a run's first epoch is there; RuntimeError when it ended without one."""
    found = not lab.store.epochs(run_id).empty
    if not found and (run := lab.store.run(run_id)).ended:
        raise RuntimeError(f"run {run_id} ended {run.status} before its first epoch: {run.error}")
    return found


def has_ended(lab: Lab, run_id: str) -> bool:
    """Return whether a run has ended."""
    return lab.store.run(run_id).ended


def latencies(lab: Lab, configs: list[RunConfig]) -> dict[str, list[float]]:
    """Return seconds from submission to the first epoch, and from cancelling to the run's end."""
    first, ends = [], []
    worker = lab.worker()
    try:
        for config in configs:
            run_id, _ = submit(lab.store, config)
            first.append(wait_for(partial(has_epochs, lab, run_id), 600.0))
            cancel(lab.store, run_id)
            ends.append(wait_for(partial(has_ended, lab, run_id), 60.0))
    finally:
        end_all([worker], GRACE_SECONDS)
    return {"first_epoch_after_s": first, "cancel_takes_s": ends}


def main() -> int:
    """Measure and print; 1 when anything was lost, doubled or changed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument(
        "--seeds", type=int, default=4, help="times the three settings: the sweep's first runs"
    )
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--images", type=int, default=42)
    parser.add_argument("--lease", type=float, default=2.0, help="seconds; 30 in daily use")
    parser.add_argument("--limit", type=float, default=3600.0, help="seconds after which a sweep is given up")
    parser.add_argument("--trial", choices=TRIALS, action="append", help="no kills, this fault alone; repeat")
    parser.add_argument("--json", action="store_true")
    add_device(parser)
    options = parser.parse_args()
    hand_on(options.device)
    random.seed(0)
    with tempfile.TemporaryDirectory(prefix="fer-faults-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        generate(GeneratedConfig(ordinary=options.images, hard=0, movies=6), home / "data")
        data = data_config(open_dataset(home / "data"))
        peace, fire, quick = (Lab(home / name, options.lease) for name in ("peace", "fire", "quick"))
        batches = sweep(data, options.epochs)
        if options.trial:
            configs, taken = next(batches), {}
            report: dict[str, Any] = {"undisturbed_s": in_peace(peace, configs, options.limit)}
        else:
            configs, taken = under_fire(fire, batches, options.seeds, options.kills, options.limit)
            report = {**taken, "undisturbed_s": in_peace(peace, configs, options.limit)}
            report |= compare(peace, fire, configs)
            report["runs_from_100_submissions"] = same_instant(quick, configs[0])
            cancel(quick.store, configs[0].key())
            long = [one.model_copy(update={"training": TrainingConfig(epochs=10_000)}) for one in configs[:6]]
            for name, values in latencies(quick, long).items():
                report[f"{name}_cold"], report[f"{name}_median"] = values[0], statistics.median(values[1:])
                report[f"{name}_most"] = max(values[1:])
        report |= trials(home, peace, configs[:3], options.lease, options.limit, options.trial or TRIALS)
    sound = options.trial or (
        report["done"] == report["equal_to_the_undisturbed"] == report["runs"]
        and not report["rows_too_many"]
        and report["runs_from_100_submissions"] == 1
    )
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        for name, value in report.items():
            print(f"{name:32}{value if not isinstance(value, float) else format(value, '.2f')}")
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
