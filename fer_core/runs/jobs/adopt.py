"""A finished run of another installation, put into the database as it is: no queue, no worker."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, text

from fer_core.config.run import RunConfig
from fer_core.errors import StoreError
from fer_core.storage.store import Store

from .held_run import EPOCH, FORGET_PREDICTIONS, PREDICTION
from .queue import MAX_ATTEMPTS, definition

ADOPT = """
    INSERT INTO runs (id, config, extra, goal, data, data_name, data_source, backbone, unfreeze, protocol,
                      status, created, queued, started, finished, attempts, max_attempts, seconds, summary,
                      environment)
    VALUES (:id, :config, :extra, :goal, :data, :data_name, :data_source, :backbone, :unfreeze, :protocol,
            'done', :created, :created, :created, :finished, 1, :max_attempts, :seconds, :summary, :environment)
"""
STATUS = "SELECT status FROM runs WHERE id = :id"
#: What a failed or cancelled attempt of the same run has left gives way.
FORGET_RUN = "DELETE FROM runs WHERE id = :id AND status IN ('failed', 'cancelled')"
FORGET = tuple(f"DELETE FROM {table} WHERE run_id = :id" for table in ("epochs", "log_lines"))
LOG = "INSERT INTO log_lines (run_id, line, written, text) VALUES (:id, :line, :written, :text)"


def adopt(
    store: Store,
    config: RunConfig,
    row: Mapping[str, Any],
    epochs: Sequence[Mapping[str, Any]],
    predictions: Sequence[Mapping[str, Any]],
    log: Sequence[Mapping[str, Any]],
) -> bool:
    """Keep a finished run with its epochs, predictions and log, all or nothing; False when it is here already.

    Args:
        row: created, finished, seconds (as in `StoredRun`), extra, summary and environment (JSON-able).
        epochs, predictions, log: records as `Store` returns them.

    Raises:
        StoreError: the same run is queued or running here.
    """
    run_id = config.key()
    documents = {name: json.dumps(row[name], allow_nan=False) for name in ("extra", "summary", "environment")}
    times = {name: row[name] for name in ("created", "finished", "seconds")}
    values = definition(config) | times | documents | {"max_attempts": MAX_ATTEMPTS}

    def work(connection: Connection) -> bool:
        status = connection.execute(text(STATUS), {"id": run_id}).scalar_one_or_none()
        if status == "done":
            return False
        if status in ("queued", "running"):
            raise StoreError(
                "A run that is imported must not be under way here",
                got=status,
                fix="Cancel it first, or wait until it is done",
            )
        for statement in (FORGET_PREDICTIONS, *FORGET, FORGET_RUN):
            connection.execute(text(statement), {"id": run_id})
        connection.execute(text(ADOPT), values)
        now = store.now()
        for statement, records in ((EPOCH, epochs), (PREDICTION, predictions), (LOG, log)):
            if records:
                connection.execute(text(statement), [{"id": run_id, "now": now, **one} for one in records])
        return True

    return store.write(work)
