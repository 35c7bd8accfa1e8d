"""What people say of a hand-drawn box: who it shows, or what."""

from alembic import op

revision = "v0005"
down_revision = "v0004"


def upgrade() -> None:
    """Add the column."""
    op.execute("ALTER TABLE manual_boxes ADD COLUMN note TEXT NOT NULL DEFAULT ''")
