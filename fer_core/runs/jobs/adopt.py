"""A finished run of another installation, put into the database as it is: no queue, no worker."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, text

from fer_core.config.run import RunConfig
from fer_core.errors import StoreError
from fer_core.storage.store import Store

from .queue import definition, inserting

UNDER_WAY = "A run that is imported must not be under way here"
STATUS = "SELECT status FROM runs WHERE id = :id"
#: What a failed or cancelled attempt of the same run has left gives way, with all its epochs and lines.
FORGET = "DELETE FROM runs WHERE id = :id"


def adopt(
    store: Store, config: RunConfig, row: Mapping[str, Any], tables: Mapping[str, Sequence[Mapping[str, Any]]]
) -> bool:
    """Keep a finished run with its epochs, predictions and log, all or nothing; False when it is here already.

    Args:
        row: created, finished, seconds (as in `StoredRun`), extra, summary and environment (JSON-able).
        tables: records as `Store` returns them, by 'epochs', 'predictions' and 'log'.

    Raises:
        StoreError: the same run is queued or running here.
    """
    run_id, created = config.key(), row["created"]
    documents = {name: json.dumps(row[name], allow_nan=False) for name in ("summary", "environment")}
    times = {"created": created, "queued": created, "started": created, "finished": row["finished"]}
    ended = {"status": "done", "attempts": 1, "seconds": row["seconds"]}
    new = definition(config, row["extra"]) | times | ended | documents

    def work(connection: Connection) -> bool:
        status = connection.execute(text(STATUS), {"id": run_id}).scalar_one_or_none()
        if status == "done":
            return False
        if status in ("queued", "running"):
            raise StoreError(UNDER_WAY, got=status, fix="Cancel it first, or wait until it is done")
        connection.execute(text(FORGET), {"id": run_id})
        connection.execute(inserting("runs", new), new)
        for table, name, more in (
            ("epochs", "epochs", {"run_id": run_id, "written": store.now()}),
            ("predictions", "predictions", {"run_id": run_id}),
            ("log_lines", "log", {"run_id": run_id}),
        ):
            if rows := [{**more, **record} for record in tables[name]]:
                connection.execute(inserting(table, rows[0]), rows)
        return True

    return store.write(work)
