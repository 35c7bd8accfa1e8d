"""The schema's revisions: applied once, in order, and taken over from the releases before Alembic."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from fer_core.config.run import DataConfig, RunConfig, TransferConfig
from fer_core.errors import StoreError
from fer_core.runs.jobs.queue import submit
from fer_core.storage import migrations
from fer_core.storage.store import Store

#: What the first releases ran to make a database, number by number, kept as they were.
COUNTED: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "runs, their epochs, predictions and log",
        (
            """
            CREATE TABLE runs (
                id TEXT PRIMARY KEY,                      -- RunConfig.key()
                config TEXT NOT NULL,                     -- RunConfig as JSON
                extra TEXT NOT NULL,                      -- what the submitter keeps beside it, JSON
                goal TEXT NOT NULL,
                data TEXT NOT NULL,                       -- fingerprint of the data set
                data_name TEXT NOT NULL,
                data_source TEXT NOT NULL,
                backbone TEXT NOT NULL,
                unfreeze INTEGER NOT NULL,
                protocol TEXT NOT NULL,
                status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed', 'cancelled')),
                created DOUBLE PRECISION NOT NULL,
                queued DOUBLE PRECISION NOT NULL,         -- its place in the queue
                started DOUBLE PRECISION,                 -- first claim since it was queued
                finished DOUBLE PRECISION,
                owner TEXT,
                lease_until DOUBLE PRECISION,
                attempts INTEGER NOT NULL DEFAULT 0,      -- never goes down: it fences off earlier owners
                max_attempts INTEGER NOT NULL,
                cancel_requested INTEGER NOT NULL DEFAULT 0,
                step TEXT NOT NULL DEFAULT '',
                step_done INTEGER NOT NULL DEFAULT 0,
                step_total INTEGER NOT NULL DEFAULT 0,
                seconds DOUBLE PRECISION NOT NULL DEFAULT 0,
                error TEXT NOT NULL DEFAULT '',
                summary TEXT NOT NULL DEFAULT '{}',
                environment TEXT NOT NULL DEFAULT '{}'
            )
            """,
            "CREATE INDEX runs_by_place ON runs (status, queued, id)",
            "CREATE INDEX runs_by_age ON runs (created, id)",
            """
            CREATE TABLE epochs (
                run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
                seed INTEGER NOT NULL,
                fold INTEGER NOT NULL,
                epoch INTEGER NOT NULL,
                train_loss DOUBLE PRECISION,
                train_accuracy DOUBLE PRECISION,
                val_loss DOUBLE PRECISION,
                val_accuracy DOUBLE PRECISION,
                lr DOUBLE PRECISION,
                seconds DOUBLE PRECISION NOT NULL,
                images INTEGER NOT NULL,
                written DOUBLE PRECISION NOT NULL,
                PRIMARY KEY (run_id, seed, fold, epoch)
            )
            """,
            """
            CREATE TABLE predictions (
                run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
                seed INTEGER NOT NULL,
                fold INTEGER NOT NULL,
                name TEXT NOT NULL,
                label INTEGER NOT NULL,
                "group" TEXT NOT NULL,
                face_status TEXT NOT NULL,
                p0 DOUBLE PRECISION, p1 DOUBLE PRECISION, p2 DOUBLE PRECISION, p3 DOUBLE PRECISION,
                p4 DOUBLE PRECISION, p5 DOUBLE PRECISION, p6 DOUBLE PRECISION,
                PRIMARY KEY (run_id, seed, fold, name)
            )
            """,
            """
            CREATE TABLE log_lines (
                run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
                line INTEGER NOT NULL,
                written DOUBLE PRECISION NOT NULL,
                text TEXT NOT NULL,
                PRIMARY KEY (run_id, line)
            )
            """,
        ),
    ),
    (
        "workers",
        (
            """
            CREATE TABLE workers (
                owner TEXT PRIMARY KEY,
                host TEXT NOT NULL,
                pid INTEGER NOT NULL,
                device TEXT NOT NULL,
                only_run TEXT NOT NULL,                   -- '' unless it carries out this run alone
                started DOUBLE PRECISION NOT NULL,
                seen DOUBLE PRECISION NOT NULL
            )
            """,
        ),
    ),
    (
        "hand-drawn boxes",
        (
            """
            CREATE TABLE manual_boxes (
                data TEXT NOT NULL,                       -- fingerprint of the data set
                name TEXT NOT NULL,                       -- of the image
                version INTEGER NOT NULL,                 -- counts from 1; the newest wins
                x1 DOUBLE PRECISION,                      -- source pixels; all four NULL: no box here
                y1 DOUBLE PRECISION,
                x2 DOUBLE PRECISION,
                y2 DOUBLE PRECISION,
                author TEXT NOT NULL,
                created DOUBLE PRECISION NOT NULL,
                PRIMARY KEY (data, name, version)
            )
            """,
        ),
    ),
    (
        "losses of the BDNN's reverse direction",
        (
            "ALTER TABLE epochs ADD COLUMN train_reverse_loss DOUBLE PRECISION",
            "ALTER TABLE epochs ADD COLUMN val_reverse_loss DOUBLE PRECISION",
        ),
    ),
)


def made_by_a_first_release(path: Path, count: int) -> Store:
    """Make a database as the first releases did, with `count` migrations and a run submitted to it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations "
            "(number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied DOUBLE PRECISION NOT NULL)"
        )
        for number, (name, statements) in enumerate(COUNTED[:count], start=1):
            for statement in statements:
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?, ?, 0)", (number, name))
        connection.execute(
            "INSERT INTO runs (id, config, extra, goal, data, data_name, data_source, backbone, unfreeze, protocol,"
            " status, created, queued, max_attempts) VALUES (?, ?, '{}', 'train', 'f', 'faces', '', 'resnet18', 1,"
            " 'stratified', 'queued', 5, 5, 3)",
            (config().key(), config().model_dump_json()),
        )
        connection.execute("INSERT INTO log_lines VALUES (?, 1, 5, 'kept')", (config().key(),))
        connection.execute("COMMIT")


def config(unfreeze: int = 1) -> RunConfig:
    return RunConfig(data=DataConfig(fingerprint="f" * 16), model=TransferConfig(unfreeze=unfreeze))


def schema(path: Path) -> dict[str, object]:
    with closing(sqlite3.connect(path)) as connection:
        tables = (
            "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'index') AND name <> 'migrations'"
        )
        return {
            f"{kind} {name}": connection.execute(
                f"PRAGMA {'table' if kind == 'table' else 'index'}_info('{name}')"
            ).fetchall()
            for name, kind in connection.execute(tables)
        }


def test_alembic_walks_the_revisions_in_their_numbers_order() -> None:
    options = Config()
    options.set_main_option("script_location", str(migrations.FOLDER))
    walked = [script.revision for script in ScriptDirectory.from_config(options).walk_revisions()]
    assert tuple(reversed(walked)) == migrations.REVISIONS
    assert len(walked) > migrations.COUNTED == len(COUNTED)


def test_an_empty_database_gets_every_revision_once(tmp_path: Path) -> None:
    path = tmp_path / "new % folder" / "fer.sqlite"
    for _ in range(2):
        store = Store(path)
        with store.read() as connection:
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
        store.close()
        assert found == [migrations.REVISIONS[-1]]


@pytest.mark.parametrize("count", range(1, len(COUNTED) + 1))
def test_a_database_of_the_first_releases_catches_up_and_keeps_its_rows(tmp_path: Path, count: int) -> None:
    path = tmp_path / "fer.sqlite"
    made_by_a_first_release(path, count)
    with pytest.raises(StoreError, match=rf"all {len(migrations.REVISIONS)} mig.*{count}.*without demo mode"):
        Store(path, read_only=True)
    store = Store(path)
    assert store.run(config().key()).config == config()
    assert store.log(config().key())["text"].tolist() == ["kept"]
    assert submit(store, config(2))[1]
    store.close()
    reopened = Store(path)
    assert reopened.counts()["queued"] == 2
    reopened.close()
    Store(tmp_path / "new.sqlite").close()
    assert schema(path) == schema(tmp_path / "new.sqlite")
    with closing(sqlite3.connect(path)) as connection:
        counted = connection.execute("SELECT COUNT(*) FROM migrations").fetchone()[0]
    assert counted > len(COUNTED), "a first release must refuse the database as newer"


def test_a_newer_database_is_refused_with_the_fix(tmp_path: Path) -> None:
    counted, numbered = tmp_path / "counted.sqlite", tmp_path / "numbered.sqlite"
    made_by_a_first_release(counted, len(COUNTED))
    with closing(sqlite3.connect(counted, isolation_level=None)) as connection:
        connection.execute("INSERT INTO migrations VALUES (5, 'from the future', 0)")
    Store(numbered).close()
    with closing(sqlite3.connect(numbered, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for path in (counted, numbered):
        for read_only in (False, True):
            with pytest.raises(StoreError, match=r"newer.*Update FER Lab"):
                Store(path, read_only=read_only)


def test_a_revision_that_fails_leaves_the_database_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "fer.sqlite"
    made_by_a_first_release(path, 2)
    before = schema(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ALTER TABLE epochs ADD COLUMN val_reverse_loss DOUBLE PRECISION")
    with pytest.raises(StoreError, match="val_reverse_loss"):
        Store(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ALTER TABLE epochs DROP COLUMN val_reverse_loss")
    assert schema(path) == before
    Store(path).close()
