"""Losses of the BDNN's reverse direction."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Change the schema."""
    op.execute("ALTER TABLE epochs ADD COLUMN train_reverse_loss DOUBLE PRECISION")
    op.execute("ALTER TABLE epochs ADD COLUMN val_reverse_loss DOUBLE PRECISION")
