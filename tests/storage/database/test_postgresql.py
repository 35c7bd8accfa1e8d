"""PostgreSQL: what it refuses, what passes, and what several hosts may do at once."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import psycopg
import pytest
from postgresql import PASSWORD, Server
from sqlalchemy import Connection, inspect, text
from worker_case import config, take

from fer_core.config import settings as settings_module
from fer_core.config.run import RunConfig
from fer_core.config.settings import Settings
from fer_core.errors import StoreError
from fer_core.learning.reporting import Report, RunResult
from fer_core.runs.jobs import held_run, registry
from fer_core.runs.jobs.queue import claim, submit
from fer_core.runs.jobs.worker import run_worker
from fer_core.storage.database import StoreBusyError
from fer_core.storage.migrations import REVISIONS
from fer_core.storage.store import Store


@pytest.fixture
def store(postgresql: Server) -> Iterator[Store]:
    store = Store(postgresql.make())
    yield store
    store.close()


def locked(store: Store, statement: str) -> psycopg.Connection:
    """Return a connection of another process that holds what the statement locks, until it is closed."""
    url = store.url.set(drivername="postgresql").render_as_string(hide_password=False)
    other = psycopg.connect(url)
    other.execute(statement)
    return other


def test_an_empty_database_gets_its_tables_whoever_opens_it_first(postgresql: Server) -> None:
    url = postgresql.make(empty=True)
    with pytest.raises(StoreError, match=rf"read only must have all {len(REVISIONS)} migrations; got 0"):
        Store(url, read_only=True)
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(Store, [url] * 4))
    with opened[0].read() as connection:
        assert {"runs", "epochs", "predictions", "alembic_version"} <= set(
            inspect(connection).get_table_names()
        )
    for store in opened:
        store.close()


def test_what_can_not_be_opened_is_named_with_the_fix_and_without_the_password(postgresql: Server) -> None:
    url = postgresql.make()
    newer, foreign = postgresql.make(), postgresql.make(empty=True)
    postgresql.execute("UPDATE alembic_version SET version_num = 'v9999'", database=str(newer.database))
    postgresql.execute("CREATE TABLE workers (distance_km INTEGER)", database=str(foreign.database))
    cases = {
        "password authentication failed": url.set(password=f"{PASSWORD} either"),
        "does not exist": url.set(database="absent"),
        "Connection refused": url.set(port=1),
        "already exists": foreign,
        "update FER Lab": newer,
    }
    for words, wrong in cases.items():
        with pytest.raises(StoreError, match=words) as refused:
            Store(wrong, patience=0.1)
        assert PASSWORD not in str(refused.value)
        assert "FER_DATABASE_URL" in str(refused.value) or wrong is newer


def test_the_password_is_not_printed(store: Store) -> None:
    assert PASSWORD not in f"{store} {store.url} {store.url!r}"
    assert str(store).startswith("postgresql://fer:***@127.0.0.1")


def test_a_server_that_restarts_is_waited_for_and_its_old_connections_are_not_met(
    postgresql: Server, store: Store
) -> None:
    run_id, _ = submit(store, config())
    held = take(store, "a")
    hasty = Store(store.url, patience=0.1)
    postgresql.stop()
    try:
        with pytest.raises(StoreBusyError, match=r"server at 127\.0\.0\.1 runs"):
            submit(hasty, config(1))
        with pytest.raises(StoreBusyError, match="must answer"):
            hasty.run(run_id)
        starting = threading.Timer(0.5, postgresql.start)
        starting.start()
        held_run.write_progress(store, held, "train", 1, 2)
        starting.join()
    except BaseException:
        postgresql.start()
        raise
    assert store.run(run_id).step_done == 1
    assert hasty.run(run_id).step_done == 1
    hasty.close()


def test_a_broken_connection_is_made_anew(postgresql: Server, store: Store) -> None:
    run_id, _ = submit(store, config())
    attempts: list[int] = []

    def work(connection: Connection) -> None:
        attempts.append(len(attempts))
        connection.execute(text("UPDATE runs SET step = step || 'x' WHERE id = :id"), {"id": run_id})
        if len(attempts) == 1:
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            postgresql.execute(f"SELECT pg_terminate_backend({pid})")

    store.write(work)
    assert len(attempts) == 2
    assert store.run(run_id).step == "x", "the first attempt left nothing"


def test_a_serialization_failure_is_tried_again(store: Store) -> None:
    run_id, _ = submit(store, config())
    attempts: list[int] = []

    def work(connection: Connection) -> None:
        attempts.append(len(attempts))
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        connection.execute(text("SELECT 1 FROM runs"))
        if len(attempts) == 1:
            locked(store, "UPDATE runs SET step = 'meanwhile'").commit()
        connection.execute(text("UPDATE runs SET step_total = 7 WHERE id = :id"), {"id": run_id})

    store.write(work, by_row=True)
    assert len(attempts) == 2
    assert (store.run(run_id).step, store.run(run_id).step_total) == ("meanwhile", 7)


def test_a_row_that_stays_locked_is_named_and_readers_go_on(store: Store) -> None:
    run_id, _ = submit(store, config())
    held = take(store, "a")
    hasty = Store(store.url, patience=0.1)
    other = locked(store, "SELECT 1 FROM runs FOR UPDATE")
    with pytest.raises(StoreBusyError, match="lock timeout"):
        held_run.write_progress(hasty, held, "train", 1, 2)
    assert hasty.run(run_id).step_done == 0
    other.close()
    held_run.write_progress(hasty, held, "train", 1, 2)
    hasty.close()


def test_a_claim_passes_over_a_row_that_another_takes(store: Store) -> None:
    first, second = (submit(store, config(number))[0] for number in (1, 2))
    other = locked(store, f"SELECT 1 FROM runs WHERE id = '{first}' FOR UPDATE")
    started = time.monotonic()
    held = take(store, "a")
    assert held.run_id == second
    assert claim(store, "a") is None
    assert time.monotonic() - started < 4, "nobody waited for the lock"
    other.rollback()
    held = take(store, "a")
    assert held.run_id == first


def test_leases_are_measured_by_the_servers_clock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(store, config())
    take(store, "a", lease_seconds=30)
    real = time.time
    monkeypatch.setattr("fer_core.storage.database.postgresql.time.time", lambda: real() + 3600)
    ahead = Store(store.url)  # as a host whose clock is an hour ahead opens it
    assert abs(ahead.now() - real()) < 2
    assert claim(ahead, "b") is None
    ahead.close()


def test_a_null_byte_does_not_cost_a_log_line_or_an_error(store: Store) -> None:
    run_id, _ = submit(store, config())
    held = take(store, "a")
    held_run.write_log(store, held, "before\0after")
    held_run.end(store, held, "failed", 1.0, "bad file\0")
    assert store.log(run_id)["text"].tolist() == ["before\ufffdafter"]
    assert store.run(run_id).error == "bad file\ufffd"


def test_workers_of_several_hosts_share_it_and_a_run_is_carried_out(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = store.url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("FER_DATABASE_URL", url)
    settings = settings_module.load()
    registry.enter(store, "elsewhere:1", device="cuda:0")
    monkeypatch.setattr(registry, "host_name", lambda: "here")

    def execute(config: RunConfig, report: Report, settings: Settings) -> RunResult:
        report.step("train", 1, 1)
        return RunResult({"val_accuracy": 0.5}, pd.DataFrame(), {})

    run_id, _ = submit(store, config())
    assert run_worker(settings, until_idle=True, poll=0.02, execute=execute) == 1
    assert store.run(run_id).status == "done"
    assert not settings.home.exists() or not list(settings.home.glob("*.sqlite*"))
    assert store.workers()["owner"].tolist() == ["elsewhere:1"]
