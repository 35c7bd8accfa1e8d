"""An index by which the runs of one data set are listed, newest first."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Change the schema."""
    op.execute("CREATE INDEX runs_by_data ON runs (data, created, id)")
