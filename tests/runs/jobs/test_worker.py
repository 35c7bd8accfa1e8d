"""The worker with a made-up pipeline: endings, cancelling, lost leases, kill -9 and SIGTERM."""

import errno
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pandas as pd
import pytest
from worker_case import CHILD, EPOCHS, LEASE, config, execute, record, result, take, wait_for

from fer_core import ROOT
from fer_core.config.run import RunConfig
from fer_core.config.settings import Settings
from fer_core.errors import AttemptLost, DataError, LeaseLost
from fer_core.learning.reporting import Report, RunResult
from fer_core.runs.jobs import held_run
from fer_core.runs.jobs.queue import cancel, claim, retry, submit
from fer_core.runs.jobs.worker import run_worker
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.database import StoreBusyError
from fer_core.storage.store import Store


def in_thread(settings: Settings, **options: object) -> threading.Thread:
    thread = threading.Thread(target=run_worker, args=(settings,), kwargs={"poll": 0.02, **options})
    thread.start()
    return thread


def test_a_run_goes_from_queued_to_done(settings: Settings, store: Store) -> None:
    ids = [submit(store, config(number))[0] for number in range(2)]
    assert run_worker(settings, until_idle=True, poll=0.01, execute=execute) == 2
    for run_id in ids:
        run = store.run(run_id)
        assert (run.status, run.attempts, run.error) == ("done", 1, "")
        assert (run.step, run.step_done, run.step_total) == ("folds", EPOCHS, EPOCHS)
        assert run.summary == {"val_accuracy": 1.0}
        assert run.environment["device"] == "cpu"
        assert run.environment["memory_peak"] > 10_000_000, "this process holds pandas at least"
        assert run.finished is not None
        assert run.started is not None
        assert run.finished >= run.started >= run.created
        assert store.epochs(run_id)["epoch"].tolist() == [1, 2, 3]
        assert store.predictions(run_id)["p1"].tolist() == [1.0]
        assert "all folds trained" in store.log(run_id)["text"].tolist()
    assert store.workers().empty


def test_a_run_without_predictions_ends_done(settings: Settings, store: Store) -> None:
    run_id, _ = submit(store, config())
    empty = RunResult({"faces": 3}, pd.DataFrame(), {})
    run_worker(settings, until_idle=True, execute=lambda *_: empty)
    assert store.run(run_id).summary == {"faces": 3}


def test_only_the_named_run_is_carried_out(settings: Settings, store: Store) -> None:
    first, second = (submit(store, config(number))[0] for number in range(2))
    assert run_worker(settings, until_idle=True, only=second, poll=0.01, execute=execute) == 1
    assert (store.run(first).status, store.run(second).status) == ("queued", "done")


@pytest.mark.parametrize(
    ("error", "shown", "logged"),
    [
        (
            DataError("The set must have faces", fix="Add some"),
            "The set must have faces. Add some.",
            "failed:",
        ),
        (ValueError("shapes differ"), "ValueError: shapes differ", "Traceback"),
        (KeyError(), "KeyError", "Traceback"),
        (OSError(errno.ENOSPC, "No space", "crops.npy"), "The disk is full (crops.npy). Free", "Traceback"),
    ],
)
def test_errors_end_the_run_with_a_message_and_the_worker_goes_on(
    settings: Settings, store: Store, error: Exception, shown: str, logged: str
) -> None:
    broken, sound = (submit(store, config(number))[0] for number in range(2))

    def fails_once(config: RunConfig, report: Report, settings: Settings) -> RunResult:
        report.epoch(record(1))
        if report.run_id == broken:
            raise error
        return result()

    assert run_worker(settings, until_idle=True, poll=0.01, execute=fails_once) == 2
    run = store.run(broken)
    assert run.status == "failed"
    assert run.error.startswith(shown)
    assert logged in "\n".join(store.log(broken)["text"])
    assert len(store.epochs(broken)) == 1
    assert store.run(sound).status == "done"


def test_a_run_on_a_full_disk_fails_in_a_sentence_and_goes_on_with_room(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keeps(config: RunConfig, report: Report, settings: Settings) -> RunResult:
        Artifacts(settings.artifacts).ensure("runs", report.run_id, {}, lambda folder: None)
        return result()

    run_id, _ = submit(store, config())
    with monkeypatch.context() as patch:
        patch.setattr("fer_core.storage.artifacts.MARGIN", 1 << 60)
        run_worker(settings, until_idle=True, poll=0.01, execute=keeps)
    run = store.run(run_id)
    assert run.status == "failed"
    assert re.fullmatch(r"There must be room to write .*; got .* free\. Free some .* is kept\.", run.error)
    assert retry(store, run_id)
    run_worker(settings, until_idle=True, poll=0.01, execute=keeps)
    assert store.run(run_id).status == "done"


def test_a_result_that_can_not_be_stored_fails_the_run(settings: Settings, store: Store) -> None:
    run_id, _ = submit(store, config())
    odd = RunResult({}, pd.DataFrame({"seed": [0]}), {})
    run_worker(settings, until_idle=True, execute=lambda *_: odd)
    assert store.run(run_id).status == "failed"
    assert store.predictions(run_id).empty


def endless(config: RunConfig, report: Report, settings: Settings) -> RunResult:
    done = 0
    while True:
        done += 1
        report.step("detect", done, 10**9)
        time.sleep(0.005)


def test_cancelling_stops_a_running_run_and_frees_the_worker(settings: Settings, store: Store) -> None:
    run_id, _ = submit(store, config())
    thread = in_thread(settings, until_idle=True, execute=endless)
    wait_for(lambda: store.run(run_id).step_done)
    cancel(store, run_id)
    wait_for(lambda: store.run(run_id).ended)
    thread.join()
    run = store.run(run_id)
    assert (run.status, run.error, run.owner) == ("cancelled", "", None)


def test_stopping_the_worker_gives_the_run_back(settings: Settings, store: Store) -> None:
    run_id, _ = submit(store, config())
    stop = threading.Event()
    thread = in_thread(settings, stop=stop, execute=endless)
    wait_for(lambda: store.run(run_id).step_done)
    stop.set()
    thread.join()
    run = store.run(run_id)
    assert (run.status, run.max_attempts - run.attempts) == ("queued", 3)
    assert store.workers().empty


def test_an_interrupted_worker_gives_the_run_back(settings: Settings, store: Store) -> None:
    run_id, _ = submit(store, config())

    def interrupted(*_: object) -> RunResult:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_worker(settings, until_idle=True, execute=interrupted)
    assert store.run(run_id).status == "queued"
    run_worker(settings, until_idle=True, execute=execute)
    assert store.run(run_id).status == "done"


def test_a_lease_outlives_a_step_that_reports_nothing(settings: Settings, store: Store) -> None:
    run_id, _ = submit(store, config())

    def silent(config: RunConfig, report: Report, settings: Settings) -> RunResult:
        time.sleep(2 * LEASE)
        assert store.run(run_id).environment["pid"] == os.getpid(), "a beat says what the worker uses"
        return result()

    thread = in_thread(settings, until_idle=True, execute=silent, lease_seconds=LEASE)
    wait_for(lambda: store.run(run_id).status == "running")
    while thread.is_alive():
        assert claim(store, "thief") is None
        time.sleep(0.02)
    assert (store.run(run_id).status, store.run(run_id).attempts) == ("done", 1)


class AnHourAhead(Store):
    def now(self) -> float:
        return super().now() + 3600.0


def test_a_worker_that_lost_its_lease_drops_the_run(settings: Settings, store: Store) -> None:
    run_id, _ = submit(store, config())
    seen: list[object] = []

    def overtaken(config: RunConfig, report: Report, settings: Settings) -> RunResult:
        if report.attempt == 1:
            thief = take(AnHourAhead(settings.database), "thief")
            held_run.write_epochs(store, thief, [record(2)])
            try:
                report.epoch(record(1))
            except LeaseLost as error:
                seen.append(error)
                held_run.finish(store, thief, result(), 1.0)
                raise
        return result()

    assert run_worker(settings, until_idle=True, poll=0.01, execute=overtaken) == 1
    assert len(seen) == 1
    assert store.epochs(run_id)["epoch"].tolist() == [2]
    assert store.run(run_id).attempts == 2


def test_a_database_locked_beyond_patience_leaves_the_run_to_a_later_attempt(
    settings: Settings, store: Store
) -> None:
    run_id, _ = submit(store, config())
    shown: list[str] = []

    def blocked(config: RunConfig, report: Report, settings: Settings) -> RunResult:
        if report.attempt > 1:
            return execute(config, report, settings)
        locker = sqlite3.connect(str(settings.database.database), isolation_level=None)
        locker.execute("BEGIN IMMEDIATE")
        try:
            report.epoch(record(1))
        except StoreBusyError as error:
            shown.append(str(error))
            raise
        finally:
            locker.execute("ROLLBACK")
        raise AssertionError("the lock was not met")

    run_worker(settings, until_idle=True, poll=0.02, execute=blocked, lease_seconds=LEASE, patience=0.05)
    run = store.run(run_id)
    assert len(shown) == 1
    assert "locked" in shown[0]
    assert (run.status, run.attempts, len(store.epochs(run_id))) == ("done", 2, EPOCHS)


def lost(_config: RunConfig, report: Report, _settings: Settings) -> RunResult:
    raise AttemptLost(f"node {report.attempt} is gone")


def test_a_run_whose_computing_was_lost_is_tried_again_at_once(settings: Settings, store: Store) -> None:
    run_id, _ = submit(store, config())

    def second_time(config: RunConfig, report: Report, where: Settings) -> RunResult:
        return lost(config, report, where) if report.attempt == 1 else result()

    assert run_worker(settings, until_idle=True, execute=second_time) == 2
    run = store.run(run_id)
    assert (run.status, run.attempts, run.error) == ("done", 2, "")
    assert "attempt 1 was cut off: node 1 is gone" in list(store.log(run_id)["text"])


def test_lost_attempts_are_capped_and_the_last_loss_is_reported(settings: Settings, store: Store) -> None:
    run_id, _ = submit(store, config())
    assert run_worker(settings, until_idle=True, execute=lost) == 3
    run = store.run(run_id)
    assert (run.status, run.attempts) == ("failed", 3)
    assert run.error == "The last attempt was cut off: node 3 is gone"
    assert run.finished is not None


def test_a_lost_run_that_was_to_be_cancelled_is_not_tried_again(settings: Settings, store: Store) -> None:
    run_id, _ = submit(store, config())

    def cancelled_meanwhile(config: RunConfig, report: Report, where: Settings) -> RunResult:
        cancel(store, run_id)
        return lost(config, report, where)

    assert run_worker(settings, until_idle=True, execute=cancelled_meanwhile) == 1
    assert store.run(run_id).status == "cancelled"


@pytest.fixture
def child(store: Store) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start a worker process that has written its first epoch of a run."""
    run_id, _ = submit(store, config())
    process = subprocess.Popen([sys.executable, "-c", CHILD, str(LEASE)], cwd=ROOT)
    try:
        wait_for(lambda: len(store.epochs(run_id)), 30.0)
        yield process, run_id
    finally:
        process.kill()
        process.wait()


def test_a_killed_workers_run_goes_on(
    settings: Settings, store: Store, child: tuple[subprocess.Popen[bytes], str]
) -> None:
    process, run_id = child
    process.send_signal(signal.SIGKILL)
    process.wait()
    run, reached = store.run(run_id), store.epochs(run_id)
    assert run.status == "running"
    assert claim(store, "early") is None
    attempts: list[int] = []

    def resume(config: RunConfig, report: Report, settings: Settings) -> RunResult:
        attempts.append(report.attempt)
        report.epoch(record(len(reached) + 1))
        return result()

    run_worker(settings, until_idle=True, poll=0.02, execute=resume, lease_seconds=LEASE)
    assert attempts == [2]
    assert store.run(run_id).status == "done"
    assert store.epochs(run_id)["epoch"].tolist() == list(range(1, len(reached) + 2))


def test_sigterm_gives_the_run_back_at_once(store: Store, child: tuple[subprocess.Popen[bytes], str]) -> None:
    process, run_id = child
    process.terminate()
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    run = store.run(run_id)
    assert (run.status, run.owner) == ("queued", None)
    assert store.workers().empty
    held = take(store, "next")
    assert held.attempt == 2
