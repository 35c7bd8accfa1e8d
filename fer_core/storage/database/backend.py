"""What the two databases do differently: how they are opened, locked, and which of their errors pass."""

from __future__ import annotations

from typing import ClassVar, Protocol

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError


class Backend(Protocol):
    """A database's engine and habits.

    Attributes:
        url: where it is, without its password when printed.
        reading: the engine of transactions that see one state of the database throughout.
        writing: the engine of transactions that write.
        shared: whether workers of several hosts may use it.
        skip_locked: ends a SELECT that passes over the rows which other transactions hold.
        rule, fix: of the error that is raised when it can't be opened.
        busy_fix: of the error that is raised when it stays locked, full or away.
    """

    url: URL
    reading: Engine
    writing: Engine
    shared: ClassVar[bool]
    skip_locked: ClassVar[str]
    rule: ClassVar[str]
    fix: ClassVar[str]

    @property
    def busy_fix(self) -> str:
        """What ends a lock, a full disk or an outage."""

    def prepare(self) -> None:
        """Make what a first writer needs."""

    def alone(self, connection: Connection) -> None:
        """Let no other transaction that asks for the same begin before this one has ended."""

    def passing(self, error: DBAPIError) -> bool:
        """Say whether the same transaction may succeed when it is tried again."""

    def now(self) -> float:
        """Return the time by the clock that all users of the database share, UTC in seconds since 1970."""
