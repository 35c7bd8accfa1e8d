"""Runs as a queue: a run's row is its job. Each change is one small transaction.

A worker holds a run by a lease that its heartbeat renews; a lease that runs out gives the run to the next
worker. What a worker writes of a run it holds is in `held_run`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, TextClause, text

from fer_core.config.run import RunConfig, parse
from fer_core.errors import StoreError
from fer_core.learning.networks.naming import column
from fer_core.storage.store import Store

from .registry import LAPSED, at_work, refuse_other_hosts

MAX_ATTEMPTS = 3
LEASE_SECONDS = 30.0

REQUEUE = """
    UPDATE runs SET status = 'queued', queued = :now, started = NULL, finished = NULL, owner = NULL,
        lease_until = NULL, max_attempts = attempts + :max_attempts, cancel_requested = 0, error = ''
    WHERE id = :id AND (status IN ('failed', 'cancelled') OR (status = 'done' AND :done = 1))
"""
FORGET_SWEEP = "DELETE FROM sweeps WHERE name = :name"
#: A detection takes the name that it was asked for by last; a name is in no key.
NAME = "UPDATE runs SET config = :config WHERE id = :id"
#: A cancelling that the worker hasn't met yet is taken back by submitting the run again.
KEEP_RUNNING = "UPDATE runs SET cancel_requested = 0 WHERE id = :id AND status = 'running'"
#: A run that no worker holds is cancelled at once; the worker of any other is asked to stop.
CANCEL = """
    UPDATE runs SET
        status = CASE WHEN {idle} THEN 'cancelled' ELSE status END,
        finished = CASE WHEN {idle} THEN :now ELSE finished END,
        owner = CASE WHEN {idle} THEN NULL ELSE owner END,
        lease_until = CASE WHEN {idle} THEN NULL ELSE lease_until END,
        cancel_requested = CASE WHEN {idle} THEN cancel_requested ELSE 1 END
    WHERE id = :id AND status IN ('queued', 'running')
""".replace("{idle}", f"status = 'queued' OR {LAPSED.format(now=':now')}")
#: What became of abandoned runs that no worker may take up again.
BURY = f"""
    UPDATE runs SET finished = :now, owner = NULL, lease_until = NULL,
        status = CASE WHEN cancel_requested = 1 THEN 'cancelled' ELSE 'failed' END,
        error = CASE WHEN cancel_requested = 1 THEN '' ELSE :error END
    WHERE status = 'running' AND {LAPSED.format(now=":now")} AND (cancel_requested = 1 OR attempts >= max_attempts)
"""
BURIED = (
    "The worker stopped without a word (killed, out of memory, or the host went down) on each of the "
    "attempts that a run may take. Look into the worker's log, then start the run again: it continues from its "
    "last epoch."
)
WAITING = f"""
    (status = 'queued' OR (status = 'running' AND {LAPSED.format(now=":abandoned")}))
    AND (CAST(:only AS TEXT) IS NULL OR id = :only)
"""
CLAIM = f"""
    UPDATE runs SET status = 'running', owner = :owner, attempts = attempts + 1, lease_until = :lease_until,
        started = COALESCE(started, :now)
    WHERE id = (SELECT id FROM runs WHERE {WAITING} ORDER BY queued, id LIMIT 1 {{skip_locked}})
    RETURNING id, config, attempts
"""
#: Asked before the claim itself, which locks the database; an idle worker asks often.
CLAIMABLE = f"SELECT 1 FROM runs WHERE {WAITING} LIMIT 1"


@dataclass(frozen=True)
class Claim:
    """A run held by a worker: its id, its definition, who holds it, and as which attempt (from 1)."""

    run_id: str
    config_json: str
    owner: str
    attempt: int
    lease_seconds: float

    @property
    def config(self) -> RunConfig:
        """The run's definition. Raises ConfigError when it was written by another version."""
        return parse(RunConfig, json.loads(self.config_json))


def inserting(table: str, columns: Iterable[str], conflict: str = "") -> TextClause:
    """Return the statement that inserts a row given as a dict by column; `conflict` ends it."""
    names, values = zip(*((f'"{name}"', f":{name}") for name in columns), strict=True)
    return text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(values)}) {conflict}")


def submit(store: Store, config: RunConfig) -> tuple[str, bool]:
    """Ask for a run; the same definition is the same run, however often and by whomever it is asked for.

    Returns the run's id, and whether this call put it into the queue: True for a new run and for one that had
    failed or been cancelled (it continues from its last epoch); False for one that is queued, running or done.
    """
    return submit_together(store, [config]).popitem()


def submit_together(
    store: Store, configs: Sequence[RunConfig], *, sweep: str | None = None
) -> dict[str, bool]:
    """Ask for several runs at once, all or none of them; `sweep` is a name under which they belong together.

    Returns, by the runs' ids and in the order given, whether this call put them into the queue, as `submit` does.
    """
    rows = [definition(config, {}) for config in configs]

    def work(connection: Connection) -> dict[str, bool]:
        found = {row["id"]: _put(connection, row, store.now()) for row in rows}
        for row, config in zip(rows, configs, strict=True):
            if config.goal == "faces" and config.faces.name:
                connection.execute(text(NAME), row)
        if sweep is not None:
            connection.execute(text(FORGET_SWEEP), {"name": sweep})
            members = [
                {"name": sweep, "place": place, "run_id": run_id} for place, run_id in enumerate(found)
            ]
            connection.execute(inserting("sweeps", members[0]), members)
        return found

    return store.write(work)


def _put(connection: Connection, row: Mapping[str, Any], now: float) -> bool:
    new = {**row, "status": "queued", "created": now, "queued": now}
    if connection.execute(inserting("runs", new, "ON CONFLICT (id) DO NOTHING"), new).rowcount:
        return True
    # In this order, for a worker may end the run between two statements: it finds the request taken back.
    connection.execute(text(KEEP_RUNNING), new)
    return connection.execute(text(REQUEUE), {**row, "now": now, "done": 0}).rowcount > 0


def definition(config: RunConfig, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a new run's row holds of its definition and of `extra`, by column."""
    backbone, unfreeze = column(config.model)
    return {
        "id": config.key(),
        "config": config.model_dump_json(),
        "extra": json.dumps(dict(extra), allow_nan=False),
        "goal": config.goal,
        "data": config.data.whole.fingerprint,
        "data_name": config.data.name,
        "data_source": config.data.source,
        "backbone": backbone,
        "unfreeze": unfreeze,
        "protocol": config.protocol.name,
        "max_attempts": MAX_ATTEMPTS,
    }


def retry(store: Store, run_id: str, *, done: bool = False) -> bool:
    """Put a failed or cancelled run into the queue again; False when it is in any other state.

    Args:
        done: put one that is done there too: what it left has been damaged.

    Raises:
        NotFoundError: there is no such run.
    """
    return _changed(store, run_id, REQUEUE, done=int(done))


def cancel(store: Store, run_id: str) -> bool:
    """Cancel a queued run at once and ask the worker of a running one to stop; False when it has ended.

    Raises:
        NotFoundError: there is no such run.
    """
    return _changed(store, run_id, CANCEL)


def _changed(store: Store, run_id: str, statement: str, **more: int) -> bool:
    store.run(run_id)
    values = {**more, "id": run_id, "now": store.now(), "max_attempts": MAX_ATTEMPTS}
    return store.change(statement, values) > 0


def claim(
    store: Store,
    owner: str,
    *,
    lease_seconds: float = LEASE_SECONDS,
    only: str | None = None,
    device: str | None = None,
    abandoned: float | None = None,
) -> Claim | None:
    """Take the oldest waiting run, or one whose worker let its lease run out; None when there is nothing.

    Abandoned runs whose attempts are spent become failed on the way, and those that were to be cancelled
    cancelled. `only` restricts the claim to one run. `device` is one that carries out a run at a time: nothing is
    claimed while another worker of this host is at work on it. `abandoned` is the moment (the database's clock)
    before which a lease must have run out; now if None. A worker gives the moment at which it looked for orphans,
    so that a lease that runs out in between leaves none.

    Raises:
        StoreError: a worker of another host uses the same SQLite file.
    """

    def work(connection: Connection) -> Claim | None:
        now = store.now()
        refuse_other_hosts(store, connection)
        if device and at_work(store, connection, owner, device):
            return None
        connection.execute(text(BURY), {"now": now, "error": BURIED})
        values = {"owner": owner, "now": now, "lease_until": now + lease_seconds, "only": only}
        values["abandoned"] = now if abandoned is None else abandoned
        row = connection.execute(text(CLAIM.format(skip_locked=store.skip_locked)), values).first()
        return None if row is None else Claim(row.id, row.config, owner, row.attempts, lease_seconds)

    moment = store.now() if abandoned is None else abandoned
    if not store.rows(CLAIMABLE, {"only": only, "abandoned": moment}):
        return None
    # Row by row two workers of one device could both find it idle.
    return store.write(work, by_row=device is None)


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
