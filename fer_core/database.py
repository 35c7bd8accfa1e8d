"""How the database is opened, locked and tried again: one SQLite file in WAL mode, readers never wait."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, QueuePool, create_engine, event
from sqlalchemy.exc import DatabaseError, DBAPIError

from .errors import StoreError
from .migrations import REVISIONS, migrate, version

T = TypeVar("T")

#: SQLite's primary result codes that may pass by themselves: busy, locked, I/O error, disk full.
PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL}


class StoreBusyError(StoreError):
    """The database can't be written at the moment: locked by another process, or the disk is full."""


class Database:
    """An open database.

    Args:
        path: the SQLite file; made, with its folder, unless `read_only`.
        read_only: refuse every write, as the hosted demo does.
        patience: seconds for which a write is tried again while the database is locked or the disk full.

    Raises:
        StoreError: no database, of a newer version, or, read only, one that must be migrated first.
    """

    def __init__(self, path: Path | str, *, read_only: bool = False, patience: float = 30.0) -> None:
        self.path, self.read_only, self.patience = Path(path).absolute(), read_only, patience
        if read_only and not self.path.is_file():
            raise StoreError(
                "A database opened read only must exist",
                got=str(self.path),
                fix="Train a run first, or point FER_HOME at a folder that has one",
            )
        if not read_only:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = create_engine("sqlite://", creator=self._connect, poolclass=QueuePool)
        event.listen(self._engine, "begin", _begin)
        try:
            if not read_only:
                self._retry(self._use_wal)
            with self.read() as connection:
                found = version(connection)
            if found < len(REVISIONS):
                self._catch_up(found)
        except DatabaseError as error:
            raise StoreError(
                "The file must be a FER Lab database",
                got=f"{self.path} ({error.orig})",
                fix="Move it away, or choose another folder with FER_HOME",
            ) from error

    def _connect(self) -> sqlite3.Connection:
        mode = "ro" if self.read_only else "rwc"
        if self.read_only and not _wal(self.path).exists() and not _can_write(self.path.parent):
            # A WAL database needs its side files even to be read; on a read-only disk it has neither them
            # nor a writer.
            mode = "ro&immutable=1"
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode={mode}",
            uri=True,
            timeout=min(5.0, self.patience),
            isolation_level=None,  # transactions are begun by _begin alone
            check_same_thread=False,  # the pool hands a connection to one thread at a time
        )
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def _use_wal(self) -> None:
        with self._engine.execution_options(raw=True).connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")

    def _catch_up(self, found: int) -> None:
        if self.read_only:
            raise StoreError(
                f"A database opened read only must have all {len(REVISIONS)} migrations",
                got=found,
                fix="Open it once without demo mode",
            )
        self.write(migrate)

    def close(self) -> None:
        """Close all connections; the store can't be used afterwards."""
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a connection that sees one state of the database throughout."""
        with self._engine.connect() as connection:
            yield connection

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work(connection)` as one transaction, again from its start while the database is busy.

        Raises:
            StoreError: the store is read only.
            StoreBusyError: locked, or the disk full, for `patience` seconds; nothing was written.
        """
        if self.read_only:
            raise StoreError(
                "This database is open read only", fix="Start FER Lab without demo mode (FER_DEMO)"
            )

        def once() -> T:
            with self._engine.execution_options(immediate=True).begin() as connection:
                return work(connection)

        return self._retry(once)

    def _retry(self, work: Callable[[], T]) -> T:
        give_up, pause = time.monotonic() + self.patience, 0.01
        while True:
            try:
                return work()
            except DBAPIError as error:
                if getattr(error.orig, "sqlite_errorcode", -1) & 0xFF not in PASSING:
                    raise
                if time.monotonic() + pause > give_up:
                    raise StoreBusyError(
                        "The database must be writable",
                        got=str(error.orig),
                        fix=f"Free disk space around {self.path}, or end the process that locks it",
                    ) from error
            time.sleep(pause * random.uniform(0.5, 1.0))  # so that processes do not retry in step
            pause = min(2 * pause, 1.0)


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("raw"):
        # A writer takes the lock at once: a transaction that turned from reader to writer could deadlock.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("immediate") else "BEGIN")


def _wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _can_write(folder: Path) -> bool:
    return os.access(folder, os.W_OK)
