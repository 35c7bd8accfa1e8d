"""In PostgreSQL: names in the order of their code points and seeds of 64 bits, as SQLite has them anyway."""

from alembic import op

revision = "0007"
down_revision = "0006"

NAMES = {
    "runs": ("id", "data"),
    "epochs": ("run_id",),
    "predictions": ("run_id", "name"),
    "log_lines": ("run_id",),
    "manual_boxes": ("data", "name"),
}


def upgrade() -> None:
    """Change the schema."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in ("epochs", "predictions", "log_lines"):
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_run_id_fkey")
    for table, columns in NAMES.items():
        changes = [f'ALTER COLUMN {column} TYPE TEXT COLLATE "C"' for column in columns]
        changes += ["ALTER COLUMN seed TYPE BIGINT"] if table in ("epochs", "predictions") else []
        op.execute(f"ALTER TABLE {table} {', '.join(changes)}")
    for table in ("epochs", "predictions", "log_lines"):
        op.execute(f"ALTER TABLE {table} ADD FOREIGN KEY (run_id) REFERENCES runs (id) ON DELETE CASCADE")
