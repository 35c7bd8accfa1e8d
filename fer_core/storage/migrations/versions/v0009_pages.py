"""Indices by which pages list runs of one state, and count those of a data set that are done."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Change the schema."""
    op.execute("CREATE INDEX runs_by_status ON runs (status, created, id)")
    op.execute("CREATE INDEX runs_by_data_and_status ON runs (data, status, created, id)")
    op.execute("CREATE INDEX runs_by_end ON runs (data, status, finished)")
    op.execute("CREATE INDEX runs_by_source ON runs (data_source)")
