"""All tables: runs with their epochs, predictions and log, sweeps, workers, what people say of frames and data sets.

The first three numbers were steps to these tables before a first release; their databases are refused.
"""

from alembic import op

revision = "v0004"
down_revision = None


def upgrade() -> None:
    """Make the tables and the indices by which pages list runs."""
    # Names are in the order of their code points, as SQLite has them anyway.
    name = 'TEXT COLLATE "C"' if op.get_bind().dialect.name == "postgresql" else "TEXT"
    run_id = f"run_id {name} NOT NULL REFERENCES runs (id) ON DELETE CASCADE"
    op.execute(
        f"""
        CREATE TABLE runs (
            id {name} PRIMARY KEY,                    -- RunConfig.key()
            config TEXT NOT NULL,                     -- RunConfig as JSON
            extra TEXT NOT NULL,                      -- what the submitter keeps beside it, JSON
            goal TEXT NOT NULL,
            data {name} NOT NULL,                     -- fingerprint of the data set
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
            summary TEXT NOT NULL DEFAULT '{{}}',
            environment TEXT NOT NULL DEFAULT '{{}}',
            name TEXT NOT NULL DEFAULT '',            -- what people say of it, from here on
            note TEXT NOT NULL DEFAULT '',
            tags TEXT NOT NULL DEFAULT '',            -- words between single spaces
            archived INTEGER NOT NULL DEFAULT 0       -- out of the way
        )
        """
    )
    for index, columns in {
        "place": "status, queued, id",
        "age": "created, id",
        "data": "data, created, id",
        "status": "status, created, id",
        "data_and_status": "data, status, created, id",
        "end": "data, status, finished",
        "source": "data_source",
    }.items():
        op.execute(f"CREATE INDEX runs_by_{index} ON runs ({columns})")
    op.execute(
        f"""
        CREATE TABLE epochs (
            {run_id},
            seed BIGINT NOT NULL,
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
            train_reverse_loss DOUBLE PRECISION,      -- of the BDNN alone
            val_reverse_loss DOUBLE PRECISION,
            PRIMARY KEY (run_id, seed, fold, epoch)
        )
        """
    )
    op.execute(
        f"""
        CREATE TABLE predictions (
            {run_id},
            seed BIGINT NOT NULL,
            fold INTEGER NOT NULL,
            name {name} NOT NULL,
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
        f"""
        CREATE TABLE log_lines (
            {run_id},
            line INTEGER NOT NULL,
            written DOUBLE PRECISION NOT NULL,
            text TEXT NOT NULL,
            PRIMARY KEY (run_id, line)
        )
        """
    )
    op.execute(
        f"""
        CREATE TABLE sweeps (                         -- which runs were asked for together
            name TEXT NOT NULL,                       -- sweep.sweep_name()
            place INTEGER NOT NULL,                   -- counts from 0, in the order asked for
            {run_id},
            PRIMARY KEY (name, place)
        )
        """
    )
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
    op.execute(
        f"""
        CREATE TABLE manual_boxes (
            data {name} NOT NULL,                     -- fingerprint of the data set
            name {name} NOT NULL,                     -- of the image
            version INTEGER NOT NULL,                 -- counts from 1; the newest wins
            x1 DOUBLE PRECISION,                      -- source pixels; all four NULL: no box here
            y1 DOUBLE PRECISION,
            x2 DOUBLE PRECISION,
            y2 DOUBLE PRECISION,
            author TEXT NOT NULL,
            created DOUBLE PRECISION NOT NULL,
            undone DOUBLE PRECISION,                  -- when the entry was undone; NULL: it counts
            PRIMARY KEY (data, name, version)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE data_sets (                      -- what people have brought
            name TEXT PRIMARY KEY,
            source TEXT NOT NULL,                     -- a path, as runs store it
            layout TEXT NOT NULL,
            reading TEXT NOT NULL,                    -- Reading as JSON
            created DOUBLE PRECISION NOT NULL
        )
        """
    )
    op.execute(
        """
        CREATE TABLE exclusions (                     -- frames that people leave out of later runs
            data TEXT NOT NULL,                       -- fingerprint of the data set with all its frames
            key TEXT NOT NULL,                        -- of the names
            names TEXT NOT NULL,                      -- JSON, sorted
            author TEXT NOT NULL,
            created DOUBLE PRECISION NOT NULL,
            PRIMARY KEY (data, key)
        )
        """
    )
