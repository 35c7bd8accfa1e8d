"""Runs on a real Ray of two CPUs on the loopback address: the bits of a single process, through losses too."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import pipeline_case
import pytest
from extras import need
from signal_guard import descendants
from worker_case import wait_for

from fer_core.config.comparators import PixelsConfig, SvmConfig
from fer_core.config.run import FacesConfig, ProtocolConfig, RunConfig
from fer_core.config.settings import Settings, load
from fer_core.datasets.open import open_dataset
from fer_core.errors import ConfigError
from fer_core.runs.jobs import executors
from fer_core.runs.jobs.on_ray import cluster, images
from fer_core.runs.jobs.on_ray.engine import OnRay
from fer_core.runs.jobs.processes import Process, send
from fer_core.runs.jobs.queue import cancel, submit
from fer_core.runs.jobs.worker import run_worker
from fer_core.runs.pipeline.engine import LOCAL
from fer_core.runs.pipeline.run import execute
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store
from fer_core.storage.sums import SUMS

need("ray", "requirements-ray.txt")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.*")


@pytest.fixture(scope="module", autouse=True)
def loopback() -> Iterator[None]:
    """Start one Ray for this file, and leave none of its processes behind."""
    ray = cluster.package()
    cluster.start(num_cpus=2, object_store_memory=100 * 2**20, _system_config={"worker_niceness": 0})
    assert [node["NodeManagerAddress"] for node in ray.nodes()] == ["127.0.0.1"]
    yield
    ray.shutdown()


@dataclass(frozen=True)
class Home:
    """A place where runs are carried out by one executor."""

    settings: Settings
    store: Store

    def run(self, *configs: RunConfig, engine: OnRay | None = None) -> None:
        for config in configs:
            submit(self.store, config)
        self.work(engine)

    def work(self, engine: OnRay | None = None) -> None:
        chosen = engine or (OnRay() if self.settings.executor == "ray" else LOCAL)
        run_worker(self.settings, until_idle=True, execute=lambda *given: execute(*given, chosen))

    def files(self) -> dict[str, bytes]:
        """Return every artifact's content by name, less the seconds that folds took and the sums over them."""
        root = self.settings.artifacts
        paths = [path for path in root.rglob("*") if path.is_file() and path.name != SUMS]
        return {str(path.relative_to(root)): content(path) for path in paths}


def content(path: Path) -> bytes:
    found = path.read_bytes()
    if path.suffix == ".safetensors":
        return found[8 + int.from_bytes(found[:8], "little") :]  # the head is a note with seconds in it
    return re.sub(rb'"seconds": [0-9.e-]+', b"", found) if path.name == "folds.json" else found


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Home]:
    """Return the homes of both executors, in which settings of the paper have been carried out, and an SVM."""
    found = {}
    for executor in ("inline", "ray"):
        settings = load(home=tmp_path_factory.mktemp(executor), device="cpu", threads=1, executor=executor)
        found[executor] = Home(settings, Store(settings.database))
    return found


definition = partial(pipeline_case.definition, protocol=ProtocolConfig(name="stratified", folds=2))


def same(homes: dict[str, Home], config: RunConfig) -> None:
    """Check that a run reported the same under both executors, the clock left out."""
    here, there = homes["inline"].store, homes["ray"].store
    run_id = config.key()
    pd.testing.assert_frame_equal(here.predictions(run_id), there.predictions(run_id))
    clock = ["seconds", "written"]
    pd.testing.assert_frame_equal(
        here.epochs(run_id).drop(columns=clock), there.epochs(run_id).drop(columns=clock)
    )
    mine, other = here.run(run_id).summary, there.run(run_id).summary
    assert mine | {"seconds": 0} == other | {"seconds": 0}


def test_settings_and_their_faces_are_those_of_one_process(homes: dict[str, Home], few: Path) -> None:
    """Detections, crops, activations and folds are byte for byte the same; so is what the database holds.

    The first run's activations go through Ray Data, as a large set's do, the other's through the fits.
    """
    configs = [definition(few, n) for n in (3, 2)]
    svm = configs[0].model_copy(
        update={"model": SvmConfig(inputs=PixelsConfig(), costs=(1.0,), gammas=(1.0,))}
    )
    for home in homes.values():
        home.run(configs[0], engine=OnRay(large=0) if home is homes["ray"] else None)
        home.run(*configs[1:], svm)
        assert {run.status for run in home.store.runs()} == {"done"}, [run.error for run in home.store.runs()]
    mine, other = homes["inline"].files(), homes["ray"].files()
    assert set(mine) == set(other)
    assert [name for name in mine if mine[name] != other[name]] == []
    assert {name.partition("/")[0] for name in mine} >= {"detections", "crops", "activations", "runs"}
    for config in [*configs, svm]:
        same(homes, config)
    environment = homes["ray"].store.run(configs[0].key()).environment
    assert environment["ray"]["slots"] == 2
    assert environment["device"] == "cpu"


def test_a_killed_task_is_an_attempt_and_the_next_ends_with_the_same_bits(
    homes: dict[str, Home], few: Path
) -> None:
    config = definition(few, 2, epochs=12)
    home = homes["ray"]
    run_id, _ = submit(home.store, config)
    worker = threading.Thread(target=home.work)
    worker.start()
    wait_for(lambda: home.store.run(run_id).step == "train" and fits())
    assert send(fits()[0], signal.SIGKILL)
    worker.join()
    run = home.store.run(run_id)
    assert (run.status, run.attempts) == ("done", 2)
    assert any("WorkerCrashedError" in line for line in home.store.log(run_id)["text"])
    homes["inline"].run(config)
    same(homes, config)


def test_cancelling_reaches_the_tasks(homes: dict[str, Home], few: Path) -> None:
    import ray

    home = homes["ray"]
    run_id, _ = submit(home.store, definition(few, 2, epochs=1000))
    worker = threading.Thread(target=home.work)
    worker.start()
    wait_for(lambda: home.store.run(run_id).step == "train")
    cancel(home.store, run_id)
    asked = time.monotonic()
    worker.join()
    assert time.monotonic() - asked < 15, "it stops at a batch, and is not waited for to its end"
    assert home.store.run(run_id).status == "cancelled"
    wait_for(lambda: ray.available_resources().get("CPU") == 2)
    assert list((home.settings.artifacts / "runs").glob(f".{run_id}.partial")), "what was trained is kept"


def test_detectors_end_when_they_are_left_and_are_started_anew_when_they_die(
    homes: dict[str, Home], few: Path, tmp_path: Path
) -> None:
    """What is found is what one process finds, though the first actor is killed as soon as it is there."""
    import ray

    samples = open_dataset(few).samples
    here = (FacesConfig(), Artifacts(tmp_path), homes["ray"].settings)
    left = images.detect(samples, *here)
    next(left)
    left.close()
    wait_for(lambda: ray.available_resources().get("CPU") == 2)

    def kill_one() -> None:
        wait_for(lambda: named(b"ray::MapWorker"))
        assert send(named(b"ray::MapWorker")[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    found = [line for lines in images.detect(samples, *here) for line in lines]
    killer.join()
    assert found == [line for lines in LOCAL.detect(samples, *here) for line in lines]


def fits() -> list[Process]:
    """Return the processes that carry out a fit at this moment."""
    return named(b"ray::fit")


def named(title: bytes) -> list[Process]:
    """Return this file's Ray's processes whose title begins so: Ray gives them the names of what they do."""
    found = []
    for pid in descendants(os.getpid()):
        process = Process.of(pid)
        with suppress(OSError):  # it has ended
            if process and Path(f"/proc/{pid}/cmdline").read_bytes().startswith(title):
                found.append(process)
    return found


def test_what_is_missing_is_named(homes: dict[str, Home], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = homes["ray"].settings
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert "a private Ray on" in executors.describe(settings)
    monkeypatch.setenv("FER_RAY_ADDRESS", "10.0.0.1:6379")
    assert executors.describe(settings) == "Ray at 10.0.0.1:6379"
    with pytest.raises(ConfigError, match="without GPUs"):
        cluster.gpus(settings.model_copy(update={"device": "cuda"}))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install -r requirements-ray\.txt"):
        cluster.package()
