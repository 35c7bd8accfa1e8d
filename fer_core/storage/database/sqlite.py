"""One SQLite file in WAL mode: readers never wait, writers take turns, and all are on one host."""

import os
import sqlite3
import time
from pathlib import Path
from typing import ClassVar

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import DBAPIError

from fer_core.errors import StoreError

#: Primary result codes that may pass by themselves: busy, locked, I/O error, disk full.
PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL}

#: And of those that don't: the file is damaged, or not to be written.
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_READONLY}


class Sqlite:
    """A SQLite file; made, with its folder, unless `read_only`.

    Attributes:
        url: where it is, without its password when printed.
        reading: the engine of transactions that see one state of the database throughout.
        writing: the engine of transactions that write.
        shared: whether workers of several hosts may use it.
        skip_locked: ends a SELECT that passes over the rows which other transactions hold.
        rule, fix: of the error that is raised when it can't be opened.
        busy_fix: of the error that is raised when it stays locked, full or away.
    """

    shared: ClassVar[bool] = False  # its locks don't hold over network file systems
    skip_locked: ClassVar[str] = ""  # there is one writer at a time
    rule: ClassVar[str] = "The file must be a FER Lab database"
    fix: ClassVar[str] = "Move it away, or choose another folder with FER_HOME"

    def __init__(self, url: URL, *, read_only: bool, patience: float) -> None:
        self.path = Path(url.database or "").absolute()
        self.url = url.set(database=str(self.path))
        self._read_only, self._timeout = read_only, min(5.0, patience)
        if read_only and not self.path.is_file():
            raise StoreError(
                "A database opened read only must exist",
                got=str(self.path),
                fix="Train a run first, or point FER_HOME at a folder that has one",
            )
        if not read_only:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self.reading = create_engine("sqlite://", creator=self._connect, poolclass=QueuePool)
        self.writing: Engine = self.reading.execution_options(immediate=True)
        event.listen(self.reading, "begin", _begin)

    @property
    def busy_fix(self) -> str:
        """What ends a lock or a full disk."""
        return f"Free disk space around {self.path}, or end the process that locks it"

    def prepare(self) -> None:
        """Turn WAL mode on; the file remembers it."""
        with self.reading.execution_options(raw=True).connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")

    def alone(self, connection: Connection) -> None:
        """Nothing to do: every writer is alone from its first statement."""

    def passing(self, error: DBAPIError) -> bool:
        """Say whether the file was locked, or the disk full."""
        return getattr(error.orig, "sqlite_errorcode", -1) & 0xFF in PASSING

    def damaged(self, error: DBAPIError) -> bool:
        """Say whether the file itself is at fault."""
        return getattr(error.orig, "sqlite_errorcode", -1) & 0xFF in DAMAGED

    def problem(self, connection: Connection) -> str:
        """Return the first of what is wrong with the file's pages and indices, '' for nothing."""
        found = str(connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one())
        return "" if found == "ok" else found

    def now(self) -> float:
        """Return this host's time; no other host uses the file."""
        return time.time()

    def _connect(self) -> sqlite3.Connection:
        mode = "ro" if self._read_only else "rwc"
        log = self.path.with_name(f"{self.path.name}-wal")
        if self._read_only and not log.exists() and not os.access(self.path.parent, os.W_OK):
            # A WAL database needs its side files even to be read; on a read-only disk it has neither them
            # nor a writer.
            mode = "ro&immutable=1"
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode={mode}",
            uri=True,
            timeout=self._timeout,
            isolation_level=None,  # transactions are begun by _begin alone
            check_same_thread=False,  # the pool hands a connection to one thread at a time
        )
        connection.execute("PRAGMA foreign_keys = ON")
        return connection


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("raw"):
        # A writer takes the lock at once: a transaction that turned from reader to writer could deadlock.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("immediate") else "BEGIN")
