"""Hand-drawn boxes."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Change the schema."""
    op.execute(
        """
        CREATE TABLE manual_boxes (
            data TEXT NOT NULL,                       -- fingerprint of the data set
            name TEXT NOT NULL,                       -- of the image
            version INTEGER NOT NULL,                 -- counts from 1; the newest wins
            x1 DOUBLE PRECISION,                      -- source pixels; all four NULL: no box here
            y1 DOUBLE PRECISION,
            x2 DOUBLE PRECISION,
            y2 DOUBLE PRECISION,
            author TEXT NOT NULL,
            created DOUBLE PRECISION NOT NULL,
            PRIMARY KEY (data, name, version)
        )
        """
    )
