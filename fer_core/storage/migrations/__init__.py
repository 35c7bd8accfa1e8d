"""The database's schema as an ordered list of small Alembic revisions, applied from code when a database opens.

A revision never changes after its release and none is undone: a new need is a new file in `versions`, numbered
next. Its statements are plain enough for SQLite and PostgreSQL. Every time is UTC in seconds since 1970; every
flag is 0 or 1.
"""

import threading
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from fer_core.errors import StoreError

FOLDER = Path(__file__).parent

#: Every revision's name, in order.
REVISIONS: tuple[str, ...] = tuple(
    sorted(path.stem.partition("_")[0] for path in FOLDER.glob("versions/v*.py"))
)

_one_at_a_time = threading.Lock()  # Alembic keeps the migration under way in module variables


def version(connection: Connection) -> int:
    """Return how many revisions a database has had, 0 for an empty one.

    Raises:
        StoreError: it was written by a newer FER Lab, or by a version from before the first release.
    """
    found = None
    if inspect(connection).has_table("alembic_version"):
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    elif inspect(connection).has_table("runs"):
        found = "that has no number"
    if found is not None and found not in REVISIONS:
        raise StoreError(
            f"The database must be empty or of a version that this FER Lab knows ({', '.join(REVISIONS)})",
            got=f"a version {found}",
            fix="Choose another FER_HOME (or FER_DATABASE_URL) or delete it; if it is newer, update FER Lab",
        )
    return REVISIONS.index(found) + 1 if found else 0


def migrate(connection: Connection) -> None:
    """Apply, in the caller's transaction, the revisions that a database hasn't had yet."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _one_at_a_time:
        command.upgrade(config, "head")
