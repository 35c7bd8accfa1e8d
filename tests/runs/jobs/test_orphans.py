"""Workers judged by their lease: stopped ones are ended, busy, late and other people's processes are not."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from worker_case import CHILD, LEASE, config, execute, wait_for

from fer_core import ROOT
from fer_core.config import settings as settings_module
from fer_core.runs.jobs import registry
from fer_core.runs.jobs.processes import Process, end_all, send
from fer_core.runs.jobs.queue import claim, submit
from fer_core.runs.jobs.registry import Orphans, mark, marked
from fer_core.runs.jobs.worker import run_worker
from fer_core.storage.store import Store

SLEEP = "import time; print('up', flush=True); time.sleep(60)"
Start = Callable[..., subprocess.Popen[bytes]]
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP
#: What stands for a worker keeps its home's mark open, as one does.
MARKED = "import sys; mark = open(sys.argv[-1], 'ab'); "


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str) -> subprocess.Popen[bytes]:
        running.append(
            subprocess.Popen(
                [sys.executable, "-c", *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        )
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def worker(store: Store, start: Start) -> Callable[..., Process]:
    """Start what stands for a worker of this home, registered and waiting."""

    def begin(**registered: str) -> Process:
        with marked(settings_module.load()):
            process = up(start(MARKED + SLEEP, str(mark(settings_module.load()))))
        registry.enter(store, registry.owner_name(process.pid), device="cpu", pid=process.pid, **registered)
        return process

    return begin


def up(process: subprocess.Popen[bytes]) -> Process:
    assert process.stdout is not None
    process.stdout.readline()
    found = Process.of(process.pid)
    assert found is not None
    return found


def change(store: Store, *statements: str) -> None:
    """Change rows behind the registry's back."""
    store.write(lambda connection: [connection.execute(text(statement)) for statement in statements])


def test_a_process_is_known_by_more_than_its_number(start: Start) -> None:
    child = start(SLEEP)
    process = up(child)
    assert process.lives()
    assert not Process(process.pid, process.started + 1).lives(), "its number was given away again"
    os.kill(process.pid, signal.SIGSTOP)
    assert process.lives(), "a stopped process is still there"
    os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: not process.lives())
    assert child.returncode is None, "what is left of it is a zombie nobody has waited for"


@pytest.mark.parametrize("code", [SLEEP, STUBBORN])
def test_a_process_is_asked_to_end_then_killed(start: Start, code: str) -> None:
    child = start(code)
    assert up(child).end(grace=0.3)
    assert child.wait() == -(signal.SIGKILL if code is STUBBORN else signal.SIGTERM)


def test_a_child_that_does_not_end_is_killed_and_the_others_end(start: Start) -> None:
    children = [start(code) for code in (STUBBORN, SLEEP)]
    for child in children:
        up(child)
    end_all(children, 0.5)
    assert [child.returncode for child in children] == [-signal.SIGKILL, -signal.SIGTERM]


def test_another_users_process_is_left_alone(start: Start) -> None:
    process = up(start(SLEEP))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        assert not process.end(grace=0.05)
    assert process.lives()


def test_the_systems_own_process_and_many_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGCONT, which does nothing to a process that runs, should it be sent after all."""
    monkeypatch.setattr(Process, "lives", lambda _: True)
    monkeypatch.setattr(os, "geteuid", lambda: Path("/proc/1").stat().st_uid)
    for pid in (1, 0, -1):
        assert not send(Process(pid, 0), signal.SIGCONT)


def test_signals_are_sent_in_one_place() -> None:
    sends = re.compile(r"os\.kill|killpg|pidfd|send_signal|pthread_kill|\.terminate\(|(?<!ray)\.kill\(")
    files = [path for folder in ("fer_core", "benchmarks", "pages") for path in (ROOT / folder).rglob("*.py")]
    found = [path for path in files if sends.search(path.read_text(encoding="utf-8"))]
    assert found == [ROOT / "fer_core" / "runs" / "jobs" / "processes.py"]


def test_an_owner_names_its_process() -> None:
    mine = Process.of(os.getpid())
    assert registry.process_of(registry.owner_name()) == mine
    assert registry.process_of(f"{registry.owner_name()}/77") is None, "a thread can't be ended by itself"
    assert registry.process_of("here:1") is None


def test_a_stopped_worker_is_ended_before_its_run_goes_on(store: Store, start: Start) -> None:
    run_id, _ = submit(store, config())
    child = start(CHILD, str(LEASE))
    wait_for(lambda: len(store.epochs(run_id)), 30.0)
    child.send_signal(signal.SIGSTOP)
    dead_at_claim: list[bool] = []

    def resume(*arguments: object) -> object:
        dead_at_claim.append(Process.of(child.pid) is None)
        return execute(*arguments)  # type: ignore[arg-type]

    run_worker(settings_module.load(), until_idle=True, poll=0.02, execute=resume, lease_seconds=LEASE)
    assert dead_at_claim == [True]
    assert child.wait() == -signal.SIGKILL, "a stopped process can't follow SIGTERM"
    assert (store.run(run_id).status, store.run(run_id).attempts) == ("done", 2)


def test_a_worker_that_is_only_late_goes_on(store: Store, worker: Callable[..., Process]) -> None:
    process = worker()
    other = registry.owner_name(process.pid)
    change(store, "UPDATE workers SET seen = seen - 1000")
    registry.enter(store, "me", device="cpu")
    orphans = Orphans(store, settings_module.load(), "me", patience=0.3)
    assert not orphans.gone(), "it is watched first"
    registry.seen(store, other)
    assert orphans.gone()
    time.sleep(0.4)
    assert orphans.gone()
    assert process.lives()


def test_a_copied_home_leaves_the_originals_worker_alone(
    store: Store, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy's database names a worker that was never seen again there; it still works where it belongs."""
    run_id, _ = submit(store, config())
    child = start(CHILD, str(LEASE))
    wait_for(lambda: len(store.epochs(run_id)), 30.0)
    child.send_signal(signal.SIGSTOP)  # so that the copy is a whole one
    shutil.copytree(settings_module.load().home, tmp_path / "copy")
    child.send_signal(signal.SIGCONT)
    monkeypatch.setenv("FER_HOME", str(tmp_path / "copy"))
    copy = Store(settings_module.load().database)
    assert copy.run(run_id).status == "running"
    change(copy, "UPDATE workers SET seen = seen - 1000", "UPDATE runs SET lease_until = lease_until - 1000")
    run_worker(settings_module.load(), until_idle=True, poll=0.02, execute=execute, lease_seconds=LEASE)
    assert (copy.run(run_id).status, copy.run(run_id).attempts) == ("done", 2)
    copy.close()
    assert child.poll() is None
    reached = len(store.epochs(run_id))
    wait_for(lambda: len(store.epochs(run_id)) > reached, 30.0)
    assert (store.run(run_id).status, store.run(run_id).attempts) == ("running", 1)


def test_a_process_that_the_database_only_names_is_left_alone(store: Store, start: Start) -> None:
    named, system = up(start(SLEEP)), Process.of(1)
    assert system is not None
    for process in (named, system):
        registry.enter(store, registry.owner_name(process.pid), device="cpu", pid=process.pid)
    change(store, "UPDATE workers SET seen = seen - 1000")
    registry.enter(store, "me", device="cpu")
    with marked(settings_module.load()):
        assert Orphans(store, settings_module.load(), "me", patience=0.0).gone()
    assert named.lives()


def test_homes_and_databases_have_marks_of_their_own(tmp_path: Path) -> None:
    homes = [{"home": tmp_path / name} for name in "ab"]
    urls = [{"database_url": f"postgresql://fer:secret@there/{name}"} for name in "xy"]
    found = [mark(settings_module.load(**one)) for one in (*homes, *(homes[0] | url for url in urls))]
    assert len(set(found)) == 4
    with marked(settings_module.load(**homes[0])):
        mine = Process.of(os.getpid())
        assert mine is not None
        assert [mine.holds(one) for one in found] == [True, False, False, False]
    assert not mine.holds(found[0])


LOCKER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("up", flush=True)
time.sleep(60)
"""


def test_a_stopped_worker_that_locks_the_database_is_ended(
    store: Store, start: Start, worker: Callable[..., Process]
) -> None:
    """Nobody can write, so nobody can say that he lives: only the one that stands still may be ended."""
    run_id, _ = submit(store, config())
    waiting = worker()
    code = MARKED + "sys.stdin.readline(); " + LOCKER
    child = start(code, str(store.url.database), str(mark(settings_module.load())))
    stopped = Process.of(child.pid)
    assert stopped is not None
    registry.enter(store, registry.owner_name(child.pid), device="cpu", pid=child.pid)
    change(store, "UPDATE workers SET seen = seen - 1000")
    assert child.stdin is not None
    child.stdin.write(b"lock\n")
    child.stdin.flush()
    up(child)
    child.send_signal(signal.SIGSTOP)
    wait_for(stopped.stopped)
    run_worker(settings_module.load(), until_idle=True, poll=0.02, execute=execute, lease_seconds=LEASE)
    assert child.wait() == -signal.SIGKILL
    assert store.run(run_id).status == "done"
    assert not waiting.lives(), "once the lock was gone it still said nothing"


def test_a_worker_of_one_run_is_ended_only_for_the_run_it_holds(
    store: Store, worker: Callable[..., Process]
) -> None:
    idle, holder = worker(only="x"), worker(only="x")
    for number in range(2):
        submit(store, config(number))
    assert claim(store, registry.owner_name(holder.pid), lease_seconds=-1.0) is not None
    change(
        store,
        "UPDATE workers SET seen = seen - 1000",
        "INSERT INTO workers VALUES ('me', 'h', 1, 'cpu', '', 0, 9e9)",
    )
    assert Orphans(store, settings_module.load(), "me", patience=0.0).gone()
    assert idle.lives()
    assert not holder.lives()


def test_a_stopped_worker_is_not_forgotten(store: Store, start: Start) -> None:
    process = up(start(SLEEP))
    registry.enter(store, registry.owner_name(process.pid), device="cpu", pid=process.pid)
    registry.enter(store, "gone:1@1", device="cpu")
    change(store, "UPDATE workers SET seen = seen - 1000")
    registry.enter(store, "new", device="cpu")
    assert set(store.workers()["owner"]) == {registry.owner_name(process.pid), "new"}
