"""Starting workers: one, detached, for every caller; the real command line carries nothing out here."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import text
from worker_case import wait_for

from fer_core.config.run import DataConfig, RunConfig
from fer_core.config.settings import Executor, Settings
from fer_core.errors import StoreError
from fer_core.runs.jobs import executors, registry
from fer_core.runs.jobs.processes import Process
from fer_core.runs.jobs.queue import submit
from fer_core.storage.store import Store

SLEEPER = """
import json, os, sys, time
fer = {k: v for k, v in os.environ.items() if k.startswith("FER_")}
print(json.dumps({"argv": sys.argv[1:], "session": os.getsid(0), "environment": fer}), flush=True)
time.sleep(60)
"""


class Sleeping(executors.Local):
    """Starts processes that only sleep instead of workers."""

    def __init__(self) -> None:
        super().__init__([sys.executable, "-c", SLEEPER])

    def started(self, settings: Settings) -> list[Process]:
        """Return what stands in the table of workers and is a process."""
        owners = Store(settings.database).workers()["owner"]
        return [process for owner in owners if (process := registry.process_of(owner))]


@pytest.fixture
def local(settings: Settings) -> Iterator[Sleeping]:
    """Return an executor whose processes end with the test."""
    local = Sleeping()
    yield local
    for process in local.started(settings):
        process.end(grace=0.1)


def test_the_table_names_what_settings_allow() -> None:
    assert set(executors.EXECUTORS) == set(get_args(Executor))


def test_one_worker_is_started_and_given_where_things_are(settings: Settings, local: Sleeping) -> None:
    settings = settings.model_copy(update={"device": "cpu", "threads": 1})
    local.submit(settings)
    local.submit(settings)
    workers = Store(settings.database).workers()
    (process,) = local.started(settings)
    assert workers["pid"].tolist() == [process.pid]
    log = settings.home / "logs" / "worker.log"
    wait_for(log.read_text)
    found = json.loads(log.read_text())
    assert found["argv"] == ["--until-idle"]
    assert found["session"] == process.pid != os.getsid(0), "it outlives the caller's terminal"
    assert found["environment"] == settings.environment()


def test_callers_at_the_same_instant_start_one_worker(settings: Settings, local: Sleeping) -> None:
    barrier = threading.Barrier(6)

    def work(_: int) -> None:
        barrier.wait()
        local.submit(settings)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert len(local.started(settings)) == 1


@pytest.mark.parametrize("dead", [True, False], ids=["dead", "not seen for long"])
def test_a_worker_that_is_gone_is_replaced(settings: Settings, local: Sleeping, dead: bool) -> None:
    local.submit(settings)
    if dead:
        assert local.started(settings)[0].end(grace=1.0)
    else:
        late = text("UPDATE workers SET seen = seen - :late")
        values = {"late": registry.LIVE_SECONDS + 1}
        Store(settings.database).write(lambda connection: connection.execute(late, values))
    local.submit(settings)
    assert len(local.started(settings)) == 2


def test_a_worker_of_one_run_does_not_stand_in_the_way(settings: Settings, local: Sleeping) -> None:
    registry.enter(Store(settings.database), "here:1", device="cpu", only="0" * 16)
    local.submit(settings)
    assert len(local.started(settings)) == 1


def test_a_long_log_begins_again(settings: Settings, local: Sleeping) -> None:
    log = settings.home / "logs" / "worker.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"x" * (executors.LOG_BYTES + 1))
    local.submit(settings)
    assert log.with_name("worker.log.1").stat().st_size == executors.LOG_BYTES + 1


def test_inline_works_here_until_idle(settings: Settings, tmp_path: Path) -> None:
    store, missing = (
        Store(settings.database),
        DataConfig(source=str(tmp_path / "nothing"), fingerprint="0" * 16),
    )
    run_id, _ = submit(store, RunConfig(data=missing))
    executors.launch(settings.model_copy(update={"executor": "inline"}))
    assert store.run(run_id).status == "failed", "there is no such data set, which it says here and at once"


def test_a_demo_starts_nothing(settings: Settings) -> None:
    with pytest.raises(StoreError, match="FER_DEMO"):
        executors.launch(settings.model_copy(update={"demo": True}))
    assert Store(settings.database).workers().empty
