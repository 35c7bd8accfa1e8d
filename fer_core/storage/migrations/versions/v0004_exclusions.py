"""Frames that people leave out of later runs."""

from alembic import op

revision = "v0004"
down_revision = "v0003"


def upgrade() -> None:
    """Make the table."""
    op.execute(
        """
        CREATE TABLE exclusions (
            data TEXT NOT NULL,                       -- fingerprint of the data set with all its frames
            key TEXT NOT NULL,                        -- of the names
            names TEXT NOT NULL,                      -- JSON, sorted
            author TEXT NOT NULL,
            created DOUBLE PRECISION NOT NULL,
            PRIMARY KEY (data, key)
        )
        """
    )
