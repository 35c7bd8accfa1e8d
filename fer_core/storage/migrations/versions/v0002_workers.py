"""Workers."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Change the schema."""
    op.execute(
        """
        CREATE TABLE workers (
            owner TEXT PRIMARY KEY,
            host TEXT NOT NULL,
            pid INTEGER NOT NULL,
            device TEXT NOT NULL,
            only_run TEXT NOT NULL,                   -- '' unless it carries out this run alone
            started DOUBLE PRECISION NOT NULL,
            seen DOUBLE PRECISION NOT NULL
        )
        """
    )
