"""Starting workers: one, detached, whoever asks; the real command line carries nothing out here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import get_args

import pytest

from fer_core import ROOT
from fer_core.config import settings as settings_module
from fer_core.config.settings import Executor, Settings
from fer_core.errors import StoreError
from fer_core.runs.jobs import executors, registry
from fer_core.storage.store import Store


@pytest.fixture
def settings() -> Settings:
    return settings_module.load()


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start a process that only sleeps in place of the worker, and end it with the test."""
    processes: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def sleeper(command: list[str], **options: object) -> subprocess.Popen[bytes]:
        script = (
            "import json, os, sys, time\n"
            "fer = {k: v for k, v in os.environ.items() if k.startswith('FER_')}\n"
            "print(json.dumps({'argv': sys.argv[1:], 'session': os.getsid(0), 'environment': fer}), flush=True)\n"
            "time.sleep(60)"
        )
        process = real([sys.executable, "-c", script, *command[1:]], **options)  # type: ignore[call-overload]
        processes.append(process)
        return process

    monkeypatch.setattr(executors.subprocess, "Popen", sleeper)
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def test_the_table_names_what_settings_allow() -> None:
    assert set(executors.EXECUTORS) == set(get_args(Executor))


def test_one_worker_is_started_and_told_where_things_are(
    settings: Settings, spawned: list[subprocess.Popen[bytes]]
) -> None:
    settings = settings.model_copy(update={"device": "cpu", "threads": 1})
    executors.launch(settings)
    executors.launch(settings)
    assert len(spawned) == 1
    workers = Store(settings.database).workers()
    assert workers["pid"].tolist() == [spawned[0].pid]
    assert workers["owner"].tolist() == [registry.owner_name(spawned[0].pid)]
    log = settings.home / "logs" / "worker.log"
    deadline = time.monotonic() + 60
    while not log.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    told = json.loads(log.read_text())
    assert told["argv"] == ["-m", "fer_core", "worker", "--until-idle"]
    assert told["session"] == spawned[0].pid != os.getsid(0), "it outlives the caller's terminal"
    assert told["environment"] == {
        "FER_HOME": str(settings.home),
        "FER_DATABASE_URL": "",
        "FER_WEIGHTS_DIR": str(settings.weights_dir),
        "FER_DEVICE": "cpu",
        "FER_EXECUTOR": "local",
        "FER_ARTIFACTS_URL": "",
        "FER_DISK_LIMIT": "",
        "FER_DATA_ROOTS": "",
        "FER_THREADS": "1",
    }


def test_callers_at_the_same_instant_start_one_worker(
    settings: Settings, spawned: list[subprocess.Popen[bytes]]
) -> None:
    barrier = threading.Barrier(6)

    def work() -> None:
        barrier.wait()
        executors.launch(settings)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(spawned) == 1


def test_a_dead_worker_is_replaced_at_once(
    settings: Settings, spawned: list[subprocess.Popen[bytes]]
) -> None:
    executors.launch(settings)
    spawned[0].kill()
    spawned[0].wait()
    executors.launch(settings)
    assert len(spawned) == 2


def test_a_worker_that_was_not_seen_for_long_is_replaced(
    settings: Settings, spawned: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    executors.launch(settings)
    later = time.time() + registry.LIVE_SECONDS + 1
    monkeypatch.setattr(Store, "now", lambda _: later)
    executors.launch(settings)
    assert len(spawned) == 2


def test_a_worker_of_one_run_does_not_stand_in_the_way(
    settings: Settings, spawned: list[subprocess.Popen[bytes]]
) -> None:
    registry.enter(Store(settings.database), "here:1", device="cpu", only="0" * 16)
    executors.launch(settings)
    assert len(spawned) == 1


def test_a_long_log_starts_anew(
    settings: Settings, spawned: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "LOG_BYTES", 10)
    log = settings.home / "logs" / "worker.log"
    log.parent.mkdir(parents=True)
    log.write_text("a long log of earlier days")
    executors.launch(settings)
    assert log.with_name("worker.log.1").read_text() == "a long log of earlier days"


def test_inline_works_here_until_idle(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Settings, bool]] = []
    monkeypatch.setattr(executors, "run_worker", lambda where, until_idle: calls.append((where, until_idle)))
    inline = settings.model_copy(update={"executor": "inline"})
    executors.launch(inline)
    assert calls == [(inline, True)]


def test_a_demo_starts_nothing(settings: Settings, spawned: list[subprocess.Popen[bytes]]) -> None:
    with pytest.raises(StoreError, match="FER_DEMO"):
        executors.launch(settings.model_copy(update={"demo": True}))
    assert not spawned


def test_queue_and_executors_leave_torch_out() -> None:
    code = (
        "import sys, fer_core.runs.jobs.queue, fer_core.runs.jobs.executors, fer_core.storage.store; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
