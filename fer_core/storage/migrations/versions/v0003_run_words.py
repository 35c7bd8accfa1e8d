"""What people say of a run: its name, a note, tags, and whether it is out of the way."""

from alembic import op

revision = "v0003"
down_revision = "v0002"


def upgrade() -> None:
    """Add the columns."""
    for column in ("name TEXT", "note TEXT", "tags TEXT"):  # tags: words between single spaces
        op.execute(f"ALTER TABLE runs ADD COLUMN {column} NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE runs ADD COLUMN archived INTEGER NOT NULL DEFAULT 0")
