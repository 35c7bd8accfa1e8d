"""How the database is opened, written to and tried again: a SQLite file, or PostgreSQL by URL."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import URL, Connection, Row, Text, bindparam, make_url, text
from sqlalchemy.exc import DatabaseError, DBAPIError

from fer_core.errors import StoreError
from fer_core.storage.migrations import REVISIONS, migrate, version

from .postgresql import Postgresql
from .sqlite import Sqlite

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

#: By the start of a URL; the two classes have the same attributes and methods.
BACKENDS: dict[str, type[Sqlite | Postgresql]] = {"sqlite": Sqlite, "postgresql": Postgresql}

DAMAGED = "The database must be whole and writable"
RESTORE = (
    "Correct its permissions, or put a copy of it back; `sqlite3 FILE .recover` saves what can still be read"
)


class StoreBusyError(StoreError):
    """The database can't be used at the moment: locked, its disk full, or its server away."""


class Database:
    """An open database.

    Args:
        where: a URL (sqlite: or postgresql:), or the path of a SQLite file.
        read_only: refuse every write, as the hosted demo does.
        patience: seconds for which a write is tried again while the database is locked, full or away.

    Attributes:
        url: where it is; another process opens the same database by it.
        shared: whether workers of several hosts may use it.
        skip_locked: what ends a SELECT that passes over the rows which other transactions hold; '' where none can.

    Raises:
        StoreError: no database, of an unknown version, or, read only, one that must be migrated first.
    """

    def __init__(self, where: URL | Path | str, *, read_only: bool = False, patience: float = 30.0) -> None:
        url = where if isinstance(where, URL) else _url(where)
        self.read_only, self.patience = read_only, patience
        backend = BACKENDS[url.get_backend_name()]
        self._backend = backend(url, read_only=read_only, patience=patience)
        self.url, self.shared, self.skip_locked = self._backend.url, backend.shared, backend.skip_locked
        try:
            if not read_only:
                self._retry(self._backend.prepare)
            with self._backend.reading.connect() as connection:
                found = version(connection)
            if found < len(REVISIONS):
                if read_only:
                    raise StoreError(
                        f"A database opened read only must have all {len(REVISIONS)} migrations",
                        got=found,
                        fix="Run once: python -m fer_core jobs; it adds what is missing",
                    )
                self.write(migrate)
        except DatabaseError as error:
            got = f"{self} ({str(error.orig).strip()})"
            raise StoreError(self._backend.rule, got=got, fix=self._backend.fix) from error

    def __str__(self) -> str:
        """Name the file, or the URL without its password."""
        url = self._backend.url
        return str(url.database if url.get_backend_name() == "sqlite" else url.set(drivername="postgresql"))

    def now(self) -> float:
        """Return the time that leases are measured by, UTC in seconds since 1970; the same on every host."""
        return self._backend.now()

    def close(self) -> None:
        """Close all connections; the store can't be used afterwards."""
        self._backend.writing.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a connection that sees one state of the database throughout, and can't write.

        Raises:
            StoreBusyError: the database is locked or away; ask again.
        """
        try:
            with self._backend.reading.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise self._explained(error, "The database must answer") from error

    def write(self, work: Callable[[Connection], T], *, by_row: bool = False) -> T:
        """Run `work(connection)` as one transaction, again from its start while the database is busy.

        Writes happen one after the other. `by_row` is for work that may run beside other work: its first
        statement takes the row which decides (PostgreSQL locks no more then; SQLite always locks the file). A
        write whose answer was lost on the way is done again, so `work` must bear that.

        Raises:
            StoreError: the store is read only.
            StoreBusyError: locked, full or away for `patience` seconds; nothing was written.
        """
        if self.read_only:
            raise StoreError(
                "This database is open read only", fix="Start FER Lab without demo mode (FER_DEMO)"
            )

        def once() -> T:
            with self._backend.writing.begin() as connection:
                if not by_row:
                    self._backend.alone(connection)
                return work(connection)

        return self._retry(once)

    def change(self, statement: str, values: Mapping[str, Any], *, by_row: bool = False) -> int:
        """Carry out one statement as a transaction (`write`), and return how many rows it met."""
        return self.write(
            lambda connection: connection.execute(text(statement), values).rowcount, by_row=by_row
        )

    def rows(self, query: str, values: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """Return the rows that a query finds; a list among the values stands for any of its texts."""
        values = values or {}
        lists = [
            bindparam(name, expanding=True, type_=Text) for name in values if isinstance(values[name], list)
        ]
        with self.read() as connection:
            return connection.execute(text(query).bindparams(*lists), values).all()

    def frame(self, query: str, values: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Return what a query finds as a table, a column for each of its."""
        import pandas as pd

        with self.read() as connection:
            result = connection.execute(text(query), values)
            return pd.DataFrame(result.all(), columns=list(result.keys()))

    def _retry(self, work: Callable[[], T]) -> T:
        give_up, pause = time.monotonic() + self.patience, 0.01
        while True:
            try:
                return work()
            except DBAPIError as error:
                if not self._backend.passing(error) or time.monotonic() + pause > give_up:
                    raise self._explained(error, "The database must be writable") from error
            time.sleep(pause * random.uniform(0.5, 1.0))  # so that processes do not retry in step
            pause = min(2 * pause, 1.0)

    def check(self) -> None:
        """Read the whole database. Raises StoreError where it is damaged."""
        with self.read() as connection:
            if problem := self._backend.problem(connection):
                raise StoreError(DAMAGED, got=f"{self} ({problem})", fix=RESTORE)

    def _explained(self, error: DBAPIError, rule: str) -> Exception:
        """Return an error that says what to do, or the error itself where it is none of the surroundings."""
        if self._backend.passing(error):
            return StoreBusyError(rule, got=str(error.orig).strip(), fix=self._backend.busy_fix)
        if self._backend.damaged(error):
            return StoreError(DAMAGED, got=f"{self} ({str(error.orig).strip()})", fix=RESTORE)
        return error


def _url(where: Path | str) -> URL:
    if "://" in str(where):
        return make_url(str(where))
    return URL.create("sqlite", database=str(where))
