"""The database's schema as an ordered list of small Alembic revisions, applied from code when a database opens.

A revision never changes after its release and none is undone: a new need is a new file in `versions`, numbered
next. Its statements are plain enough for SQLite and PostgreSQL. Every time is UTC in seconds since 1970; every
flag is 0 or 1.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from fer_core.errors import StoreError

FOLDER = Path(__file__).parent

#: Every revision's number, in order.
REVISIONS: tuple[str, ...] = tuple(
    sorted(path.stem.partition("_")[0].removeprefix("v") for path in FOLDER.glob("versions/v*.py"))
)

#: The first releases counted their migrations in a table of their own; so many are the first revisions.
COUNTED = 4
#: Left in that table, so that those releases refuse the database as newer in place of breaking on it.
FAREWELL = "INSERT INTO migrations (number, name, applied) VALUES (:number, 'Alembic takes over', :now)"

_one_at_a_time = threading.Lock()  # Alembic keeps the migration under way in module variables


def version(connection: Connection) -> int:
    """Return how many revisions a database has had, 0 for an empty one.

    Raises:
        StoreError: it was written by a newer FER Lab.
    """
    if not _has_revision(connection):
        return _counted(connection)
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if found is None:
        return 0
    if found not in REVISIONS:
        raise _newer(len(REVISIONS), f"revision {found}")
    return REVISIONS.index(found) + 1


def migrate(connection: Connection) -> None:
    """Apply, in the caller's transaction, the revisions that a database hasn't had yet."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _one_at_a_time:
        if not _has_revision(connection) and (counted := _counted(connection)):
            command.stamp(config, REVISIONS[counted - 1])
            rest = range(counted + 1, COUNTED + 2)
            connection.execute(text(FAREWELL), [{"number": number, "now": time.time()} for number in rest])
        command.upgrade(config, "head")


def _has_revision(connection: Connection) -> bool:
    return inspect(connection).has_table("alembic_version")


def _counted(connection: Connection) -> int:
    """Return how many migrations a database of the first releases has had, 0 for any other."""
    if not inspect(connection).has_table("migrations"):
        return 0
    found = int(connection.execute(text("SELECT COUNT(*) FROM migrations")).scalar_one())
    if found > COUNTED:
        raise _newer(COUNTED, f"{found} migrations")
    return found


def _newer(known: int, got: str) -> StoreError:
    return StoreError(
        f"The database must not be newer than this FER Lab, which knows {known} migrations",
        got=got,
        fix="Update FER Lab, or choose another folder with FER_HOME",
    )
