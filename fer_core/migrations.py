"""The database's schema as an ordered list of small migrations, each recorded once it has been applied.

A migration never changes after its release: a new need is a new entry at the end. The statements are plain
enough for SQLite and PostgreSQL. Every time is UTC in seconds since 1970; every flag is 0 or 1.
"""

from __future__ import annotations

import time

from sqlalchemy import Connection, inspect, text

from .errors import StoreError

MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
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


def version(connection: Connection) -> int:
    """Return how many migrations a database has had, 0 for an empty one.

    Raises:
        StoreError: it was written by a newer FER Lab.
    """
    if not inspect(connection).has_table("migrations"):
        return 0
    found = connection.execute(text("SELECT COUNT(*) FROM migrations")).scalar_one()
    if found > len(MIGRATIONS):
        raise StoreError(
            f"The database must not be newer than this FER Lab, which knows {len(MIGRATIONS)} migrations",
            got=f"{found} migrations",
            fix="Update FER Lab, or choose another folder with FER_HOME",
        )
    return int(found)


def migrate(connection: Connection) -> None:
    """Apply, in the caller's transaction, the migrations that a database hasn't had yet."""
    done = version(connection)
    if done == 0:
        connection.execute(
            text(
                "CREATE TABLE IF NOT EXISTS migrations "
                "(number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied DOUBLE PRECISION NOT NULL)"
            )
        )
    for number, (name, statements) in enumerate(MIGRATIONS[done:], start=done + 1):
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.execute(
            text("INSERT INTO migrations (number, name, applied) VALUES (:number, :name, :now)"),
            {"number": number, "name": name, "now": time.time()},
        )
