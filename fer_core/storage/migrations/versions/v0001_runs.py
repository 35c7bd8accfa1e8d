"""Runs, their epochs, predictions and log."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Change the schema."""
    op.execute(
        """
        CREATE TABLE runs (
            id TEXT PRIMARY KEY,                      -- RunConfig.key()
            config TEXT NOT NULL,                     -- RunConfig as JSON
            extra TEXT NOT NULL,                      -- what the submitter keeps beside it, JSON
            goal TEXT NOT NULL,
            data TEXT NOT NULL,                       -- fingerprint of the data set
            data_name TEXT NOT NULL,
            data_source TEXT NOT NULL,
            backbone TEXT NOT NULL,
            unfreeze INTEGER NOT NULL,
            protocol TEXT NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed', 'cancelled')),
            created DOUBLE PRECISION NOT NULL,
            queued DOUBLE PRECISION NOT NULL,         -- its place in the queue
            started DOUBLE PRECISION,                 -- first claim since it was queued
            finished DOUBLE PRECISION,
            owner TEXT,
            lease_until DOUBLE PRECISION,
            attempts INTEGER NOT NULL DEFAULT 0,      -- never goes down: it fences off earlier owners
            max_attempts INTEGER NOT NULL,
            cancel_requested INTEGER NOT NULL DEFAULT 0,
            step TEXT NOT NULL DEFAULT '',
            step_done INTEGER NOT NULL DEFAULT 0,
            step_total INTEGER NOT NULL DEFAULT 0,
            seconds DOUBLE PRECISION NOT NULL DEFAULT 0,
            error TEXT NOT NULL DEFAULT '',
            summary TEXT NOT NULL DEFAULT '{}',
            environment TEXT NOT NULL DEFAULT '{}'
        )
        """
    )
    op.execute("CREATE INDEX runs_by_place ON runs (status, queued, id)")
    op.execute("CREATE INDEX runs_by_age ON runs (created, id)")
    op.execute(
        """
        CREATE TABLE epochs (
            run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            seed INTEGER NOT NULL,
            fold INTEGER NOT NULL,
            epoch INTEGER NOT NULL,
            train_loss DOUBLE PRECISION,
            train_accuracy DOUBLE PRECISION,
            val_loss DOUBLE PRECISION,
            val_accuracy DOUBLE PRECISION,
            lr DOUBLE PRECISION,
            seconds DOUBLE PRECISION NOT NULL,
            images INTEGER NOT NULL,
            written DOUBLE PRECISION NOT NULL,
            PRIMARY KEY (run_id, seed, fold, epoch)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE predictions (
            run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            seed INTEGER NOT NULL,
            fold INTEGER NOT NULL,
            name TEXT NOT NULL,
            label INTEGER NOT NULL,
            "group" TEXT NOT NULL,
            face_status TEXT NOT NULL,
            p0 DOUBLE PRECISION, p1 DOUBLE PRECISION, p2 DOUBLE PRECISION, p3 DOUBLE PRECISION,
            p4 DOUBLE PRECISION, p5 DOUBLE PRECISION, p6 DOUBLE PRECISION,
            PRIMARY KEY (run_id, seed, fold, name)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE log_lines (
            run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            line INTEGER NOT NULL,
            written DOUBLE PRECISION NOT NULL,
            text TEXT NOT NULL,
            PRIMARY KEY (run_id, line)
        )
        """
    )
