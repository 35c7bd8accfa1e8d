"""Which runs were asked for together."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Change the schema."""
    op.execute(
        """
        CREATE TABLE sweeps (
            name TEXT NOT NULL,                       -- sweep.sweep_name()
            place INTEGER NOT NULL,                   -- counts from 0, in the order asked for
            run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            PRIMARY KEY (name, place)
        )
        """
    )
