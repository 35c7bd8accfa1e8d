"""A run whose computing is lost with a process or host is tried again, as often as a run may be."""

from __future__ import annotations

import pandas as pd

from fer_core.config import settings as settings_module
from fer_core.config.run import DataConfig, RunConfig
from fer_core.config.settings import Settings
from fer_core.errors import AttemptLost
from fer_core.learning.reporting import Report, RunResult
from fer_core.runs.jobs.queue import cancel, submit
from fer_core.runs.jobs.worker import run_worker
from fer_core.storage.store import Store

CONFIG = RunConfig(data=DataConfig(fingerprint="0" * 16))


def lost(_config: RunConfig, report: Report, _settings: Settings) -> RunResult:
    raise AttemptLost(f"node {report.attempt} is gone")


def test_the_next_attempt_is_taken_at_once_and_ends_the_run() -> None:
    settings = settings_module.load()
    store = Store(settings.database)
    run_id, _ = submit(store, CONFIG)

    def second_time(config: RunConfig, report: Report, where: Settings) -> RunResult:
        if report.attempt == 1:
            lost(config, report, where)
        return RunResult({}, pd.DataFrame(), {})

    assert run_worker(settings, until_idle=True, execute=second_time) == 2
    run = store.run(run_id)
    assert (run.status, run.attempts, run.error) == ("done", 2, "")
    assert "attempt 1 was cut off: node 1 is gone" in list(store.log(run_id)["text"])


def test_attempts_are_capped_and_the_last_loss_is_told() -> None:
    settings = settings_module.load()
    store = Store(settings.database)
    run_id, _ = submit(store, CONFIG)
    assert run_worker(settings, until_idle=True, execute=lost) == 3
    run = store.run(run_id)
    assert (run.status, run.attempts) == ("failed", 3)
    assert run.error == "The last attempt was cut off: node 3 is gone"
    assert run.finished is not None


def test_a_run_that_was_to_be_cancelled_is_not_tried_again() -> None:
    settings = settings_module.load()
    store = Store(settings.database)
    run_id, _ = submit(store, CONFIG)

    def cancelled_meanwhile(config: RunConfig, report: Report, where: Settings) -> RunResult:
        cancel(store, run_id)
        return lost(config, report, where)

    assert run_worker(settings, until_idle=True, execute=cancelled_meanwhile) == 1
    assert store.run(run_id).status == "cancelled"
