"""Boxes that were undone stay, so that they can be redone."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Change the schema."""
    # When the entry was undone; NULL: it counts.
    op.execute("ALTER TABLE manual_boxes ADD COLUMN undone DOUBLE PRECISION")
