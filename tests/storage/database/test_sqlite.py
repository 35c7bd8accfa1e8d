"""SQLite: the file, its locks, a full disk, a folder that can't be written."""

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from worker_case import config

from fer_core.errors import StoreError
from fer_core.runs.jobs.queue import submit
from fer_core.storage.database import StoreBusyError
from fer_core.storage.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new % ? folder" / "fer.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fer.sqlite"
    path.write_bytes(b"not a database at all " * 100)
    with pytest.raises(StoreError, match="must be a FER Lab database"):
        Store(path)
    assert path.read_bytes().startswith(b"not a database")


def test_the_file_is_in_wal_mode_with_foreign_keys(store: Store, path: Path) -> None:
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    orphan = text("INSERT INTO log_lines (run_id, line, written, text) VALUES ('nobody', 1, 0, '')")
    with pytest.raises(Exception, match="FOREIGN KEY"):
        store.write(lambda connection: connection.execute(orphan))


def test_read_only_on_a_folder_that_can_not_be_written(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, _ = submit(store, config())
    store.close()
    folder = path.parent
    assert not list(folder.glob("*-wal")), "the last connection folds the log into the file"
    monkeypatch.setattr(os, "access", lambda *_: False)
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert Store(path, read_only=True).run(run_id).id == run_id
        assert not list(folder.glob("*-shm"))
    finally:
        folder.chmod(stat.S_IRWXU)


def test_a_lock_that_passes_is_waited_for_and_one_that_stays_is_named(store: Store, path: Path) -> None:
    patient, hasty = Store(path, patience=20.0), Store(path, patience=0.1)
    locker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    locker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusyError, match=r"locked.*end the process that locks it"):
        submit(hasty, config())
    assert store.counts()["queued"] == 0, "readers can read while another process writes"
    threading.Timer(0.3, locker.execute, ["ROLLBACK"]).start()
    assert submit(patient, config())[1]


def test_a_full_disk_is_waited_for_and_loses_nothing(store: Store, path: Path) -> None:
    run_id, _ = submit(store, config())
    hasty = Store(path, patience=0.1)

    def fill(connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # SQLite's own way to a full disk
        connection.exec_driver_sql("CREATE TABLE more AS SELECT randomblob(100000) AS bytes")

    with pytest.raises(StoreBusyError, match=r"full.*Free disk space"):
        hasty.write(fill)
    assert store.run(run_id).status == "queued"


def test_read_only_needs_a_file(path: Path) -> None:
    with pytest.raises(StoreError, match="must exist"):
        Store(path, read_only=True)
    assert not path.parent.exists()


def test_a_url_and_a_path_name_the_same_file(store: Store, path: Path) -> None:
    assert str(store) == str(path)
    again = Store(store.url)
    submit(again, config())
    assert store.counts()["queued"] == 1
    again.close()
