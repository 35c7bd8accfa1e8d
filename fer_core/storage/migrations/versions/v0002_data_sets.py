"""Data sets that people have brought: a name, where each lies and how it is read."""

from alembic import op

revision = "v0002"
down_revision = "v0001"


def upgrade() -> None:
    """Make the table."""
    op.execute(
        """
        CREATE TABLE data_sets (
            name TEXT PRIMARY KEY,
            source TEXT NOT NULL,                     -- a path, as runs store it
            layout TEXT NOT NULL,
            reading TEXT NOT NULL,                    -- Reading as JSON
            created DOUBLE PRECISION NOT NULL
        )
        """
    )
