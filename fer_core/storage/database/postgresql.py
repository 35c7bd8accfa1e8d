"""A PostgreSQL database: several hosts use it at once, and writers lock rows where SQLite locks the file."""

import time
from typing import Any, ClassVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from fer_core.errors import StoreError

#: SQLSTATEs of errors that may pass by themselves: serialization failure, deadlock, lock not available.
PASSING = {"40001", "40P01", "55P03"}
#: And whole classes of them: connection lost, out of resources (disk full, too many clients), server going down.
PASSING_CLASSES = ("08", "53", "57P")

#: Names the lock of those transactions that are alone among their like; any number that nothing else locks.
ALONE = 6_353_761

#: A transaction whose process stands still for so many seconds is ended by the server: its locks would hold all up.
IDLE_SECONDS = 120


class Postgresql:
    """A PostgreSQL database, with the attributes of `Sqlite`; it must exist, its tables are made here."""

    shared: ClassVar[bool] = True
    skip_locked: ClassVar[str] = "FOR UPDATE SKIP LOCKED"
    rule: ClassVar[str] = (
        "FER_DATABASE_URL must name a PostgreSQL database that can be reached and is FER Lab's alone"
    )
    fix: ClassVar[str] = "Check the server, the port, the user, the password and the database's name"

    def __init__(self, url: URL, *, read_only: bool, patience: float) -> None:
        self.url = url.set(drivername="postgresql+psycopg")
        self._patience, self._skew = patience, 0.0
        try:
            self.writing = create_engine(
                self.url,
                isolation_level="READ COMMITTED",
                pool_pre_ping=True,  # a connection that the server has dropped is made again, unseen
                connect_args={"connect_timeout": 5, "application_name": "fer-lab"},
            )
        except ModuleNotFoundError as error:
            raise StoreError(
                "A store in PostgreSQL needs the package psycopg",
                fix="Run: pip install -r requirements-postgresql.txt",
            ) from error
        self.reading: Engine = self.writing.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        event.listen(self.writing, "connect", self._set_up)

    @property
    def busy_fix(self) -> str:
        """What ends an outage or a lock."""
        return (
            f"See that the PostgreSQL server at {self.url.host or 'this host'} runs and has disk space left"
        )

    def prepare(self) -> None:
        """Nothing to make: the database is its administrator's."""

    def alone(self, connection: Connection) -> None:
        """Wait for the lock that such transactions take in turn; it is given back at the transaction's end."""
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ALONE})

    def passing(self, error: DBAPIError) -> bool:
        """Say whether transactions collided, or the server was away; a failed connection has no SQLSTATE."""
        state = getattr(error.orig, "sqlstate", None)
        if state is None:
            return error.connection_invalidated or type(error.orig).__name__ == "OperationalError"
        return state in PASSING or state.startswith(PASSING_CLASSES)

    def damaged(self, error: DBAPIError) -> bool:
        """Say whether the server found damaged data (SQLSTATE class XX)."""
        return str(getattr(error.orig, "sqlstate", "")).startswith("XX")

    def problem(self, connection: Connection) -> str:
        """Return '': the server's administrator has tools to check it."""
        return ""

    def now(self) -> float:
        """Return the server's time, for hosts' clocks differ: a lease is measured by one clock."""
        return time.time() + self._skew

    def _set_up(self, connection: Any, _record: object) -> None:
        """Bound what a new connection waits for and holds up, and set the clock by the server's."""
        connection.autocommit = True
        wait = max(1, round(1000 * min(5.0, self._patience)))  # longer would make `patience` longer too
        connection.execute(f"SET lock_timeout = {wait}")
        connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
        before = time.time()
        server = connection.execute("SELECT EXTRACT(EPOCH FROM clock_timestamp())::float8").fetchone()[0]
        self._skew = server - (before + time.time()) / 2
        connection.autocommit = False
