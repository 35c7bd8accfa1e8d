"""Runs as a queue: a run's row is its job. Each change is one small transaction.

A worker holds a run by a lease that its heartbeat renews; a lease that runs out gives the run to the next
worker. What a worker writes of a run it holds is in `jobs.holding`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from fer_core.config.run import RunConfig, parse
from fer_core.learning.networks.naming import column
from fer_core.storage.store import Store

from .registry import at_work, host_name, refuse_other_hosts

MAX_ATTEMPTS = 3
LEASE_SECONDS = 30.0

SUBMIT = """
    INSERT INTO runs (id, config, extra, goal, data, data_name, data_source, backbone, unfreeze, protocol,
                      status, created, queued, max_attempts)
    VALUES (:id, :config, :extra, :goal, :data, :data_name, :data_source, :backbone, :unfreeze, :protocol,
            'queued', :now, :now, :max_attempts)
    ON CONFLICT (id) DO NOTHING
"""
REQUEUE = """
    UPDATE runs SET status = 'queued', queued = :now, started = NULL, finished = NULL, owner = NULL,
        lease_until = NULL, max_attempts = attempts + :max_attempts, cancel_requested = 0, error = ''
    WHERE id = :id AND status IN ('failed', 'cancelled')
"""
FORGET_SWEEP = "DELETE FROM sweeps WHERE name = :name"
SWEEP = "INSERT INTO sweeps (name, place, run_id) VALUES (:name, :place, :run)"
#: A cancelling that the worker hasn't met yet is taken back by submitting the run again.
KEEP_RUNNING = "UPDATE runs SET cancel_requested = 0 WHERE id = :id AND status = 'running'"
CANCEL_WAITING = """
    UPDATE runs SET status = 'cancelled', finished = :now, owner = NULL, lease_until = NULL
    WHERE id = :id AND (status = 'queued' OR (status = 'running' AND lease_until < :now))
"""
CANCEL_RUNNING = "UPDATE runs SET cancel_requested = 1 WHERE id = :id AND status = 'running'"
#: Takes the run's row, so that a worker can't change its state between the two statements above.
TAKE = "UPDATE runs SET id = id WHERE id = :id"
#: What became of abandoned runs that no worker may take up again.
BURY = """
    UPDATE runs SET finished = :now, owner = NULL, lease_until = NULL,
        status = CASE WHEN cancel_requested = 1 THEN 'cancelled' ELSE 'failed' END,
        error = CASE WHEN cancel_requested = 1 THEN '' ELSE :error END
    WHERE status = 'running' AND lease_until < :now AND (cancel_requested = 1 OR attempts >= max_attempts)
"""
BURIED = (
    "The worker stopped without a word (killed, out of memory, or the host went down) on each of the "
    "attempts that a run may take. Look into the worker's log, then start the run again: it goes on from its "
    "last epoch."
)
CLAIM = """
    UPDATE runs SET status = 'running', owner = :owner, attempts = attempts + 1, lease_until = :lease_until,
        started = COALESCE(started, :now)
    WHERE id = (
        SELECT id FROM runs
        WHERE (status = 'queued' OR (status = 'running' AND lease_until < :abandoned))
          AND (CAST(:only AS TEXT) IS NULL OR id = :only)
        ORDER BY queued, id LIMIT 1 {skip_locked})
    RETURNING id, config, attempts
"""
#: Asked before the claim itself, which locks the database; an idle worker asks often.
CLAIMABLE = """
    SELECT EXISTS (
        SELECT 1 FROM runs
        WHERE (status = 'queued' OR (status = 'running' AND lease_until < :abandoned))
          AND (CAST(:only AS TEXT) IS NULL OR id = :only))
"""


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


def submit(store: Store, config: RunConfig, *, extra: Mapping[str, Any] | None = None) -> tuple[str, bool]:
    """Ask for a run; the same definition is the same run, whoever asks and however often.

    Returns the run's id, and whether this call put it into the queue: True for a new run and for one that had
    failed or been cancelled (it goes on from its last epoch); False for one that is queued, running or done.
    `extra` is kept beside a new run (JSON values: a note, the name of a sweep).
    """
    row = _row(config, extra)
    return row["id"], store.write(lambda connection: _put(connection, row, store.now()))


def submit_together(
    store: Store, configs: Sequence[RunConfig], *, sweep: str, extra: Mapping[str, Any] | None = None
) -> dict[str, bool]:
    """Ask for several runs at once, all or none of them, and remember under a name that they belong together.

    Returns, by the runs' ids and in the order given, whether this call put them into the queue, as `submit` does.
    """
    rows = [_row(config, extra) for config in configs]

    def work(connection: Connection) -> dict[str, bool]:
        found = {row["id"]: _put(connection, row, store.now()) for row in rows}
        connection.execute(text(FORGET_SWEEP), {"name": sweep})
        members = [{"name": sweep, "place": place, "run": run_id} for place, run_id in enumerate(found)]
        connection.execute(text(SWEEP), members)
        return found

    return store.write(work)


def _row(config: RunConfig, extra: Mapping[str, Any] | None) -> dict[str, Any]:
    return definition(config) | {"extra": json.dumps(dict(extra or {})), "max_attempts": MAX_ATTEMPTS}


def _put(connection: Connection, row: Mapping[str, Any], now: float) -> bool:
    values = {**row, "now": now}
    if connection.execute(text(SUBMIT), values).rowcount:
        return True
    # In this order, for a worker may end the run between two statements: it finds the request taken back.
    connection.execute(text(KEEP_RUNNING), values)
    return connection.execute(text(REQUEUE), values).rowcount > 0


def definition(config: RunConfig) -> dict[str, Any]:
    """Return what a run's row holds of its definition, by column."""
    backbone, unfreeze = column(config.model)
    return {
        "id": config.key(),
        "config": config.model_dump_json(),
        "goal": config.goal,
        "data": config.data.fingerprint,
        "data_name": config.data.name,
        "data_source": config.data.source,
        "backbone": backbone,
        "unfreeze": unfreeze,
        "protocol": config.protocol.name,
    }


def retry(store: Store, run_id: str) -> bool:
    """Put a failed or cancelled run into the queue again; False when it is in any other state.

    Raises:
        NotFoundError: there is no such run.
    """
    store.run(run_id)
    values = {"id": run_id, "now": store.now(), "max_attempts": MAX_ATTEMPTS}
    return store.write(lambda connection: connection.execute(text(REQUEUE), values).rowcount > 0)


def cancel(store: Store, run_id: str) -> bool:
    """Cancel a queued run at once and ask the worker of a running one to stop; False when it has ended.

    Raises:
        NotFoundError: there is no such run.
    """
    store.run(run_id)

    def work(connection: Connection) -> bool:
        values = {"id": run_id, "now": store.now()}
        connection.execute(text(TAKE), values)
        return any(
            connection.execute(text(statement), values).rowcount
            for statement in (CANCEL_WAITING, CANCEL_RUNNING)
        )

    return store.write(work)


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
    lest a lease that runs out in between leaves one.

    Raises:
        StoreError: a worker of another host uses the same SQLite file.
    """

    taking = CLAIM.format(skip_locked=store.skip_locked)

    def work(connection: Connection) -> Claim | None:
        now = store.now()
        refuse_other_hosts(store, connection, host_name())
        if device and at_work(store, connection, owner, device):
            return None
        connection.execute(text(BURY), {"now": now, "error": BURIED})
        values = {"owner": owner, "now": now, "lease_until": now + lease_seconds, "only": only}
        values["abandoned"] = now if abandoned is None else abandoned
        row = connection.execute(text(taking), values).first()
        return None if row is None else Claim(row.id, row.config, owner, row.attempts, lease_seconds)

    with store.read() as connection:
        moment = store.now() if abandoned is None else abandoned
        if not connection.execute(text(CLAIMABLE), {"only": only, "abandoned": moment}).scalar_one():
            return None
    # Row by row two workers of one device could both find it idle.
    return store.write(work, by_row=device is None)
