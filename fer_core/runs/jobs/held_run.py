"""What a worker writes of the run it holds. Every write is fenced by owner and attempt.

One that was taken for dead, and whose run another worker has claimed, gets `LeaseLost` in place of writing
over its successor. Life is judged by the lease alone, never by a process id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, text

from fer_core.errors import LeaseLost
from fer_core.learning.reporting import EpochRecord, RunResult
from fer_core.storage.store import Store
from fer_core.storage.values import jsonable

from .queue import Claim

#: A run keeps this many lines of its log, the newest, each cut at so many characters.
LOG_LINES = 2000
LOG_WIDTH = 2000

HELD = "id = :id AND status = 'running' AND owner = :owner AND attempts = :attempt"
RENEW = f"UPDATE runs SET lease_until = :lease_until WHERE {HELD}"
RENEW_AND_TELL = f"UPDATE runs SET lease_until = :lease_until, environment = :environment WHERE {HELD}"
WANTED = f"SELECT cancel_requested FROM runs WHERE {HELD}"
PROGRESS = f"""
    UPDATE runs SET lease_until = :lease_until, step = :step, step_done = :done, step_total = :total
    WHERE {HELD}
"""
EPOCH = """
    INSERT INTO epochs (run_id, seed, fold, epoch, train_loss, train_accuracy, val_loss, val_accuracy,
                        lr, seconds, images, written, train_reverse_loss, val_reverse_loss)
    VALUES (:id, :seed, :fold, :epoch, :train_loss, :train_accuracy, :val_loss, :val_accuracy,
            :lr, :seconds, :images, :now, :train_reverse_loss, :val_reverse_loss)
    ON CONFLICT (run_id, seed, fold, epoch) DO UPDATE SET
        train_loss = excluded.train_loss, train_accuracy = excluded.train_accuracy,
        val_loss = excluded.val_loss, val_accuracy = excluded.val_accuracy,
        lr = excluded.lr, seconds = excluded.seconds, images = excluded.images, written = excluded.written,
        train_reverse_loss = excluded.train_reverse_loss, val_reverse_loss = excluded.val_reverse_loss
"""
LOG = """
    INSERT INTO log_lines (run_id, line, written, text)
    SELECT :id, COALESCE(MAX(line), 0) + 1, :now, :text FROM log_lines WHERE run_id = :id
"""
TRIM_LOG = """
    DELETE FROM log_lines WHERE run_id = :id AND line <= (
        SELECT MAX(line) FROM log_lines WHERE run_id = :id) - :keep
"""
PREDICTION = """
    INSERT INTO predictions (run_id, seed, fold, name, label, "group", face_status,
                             p0, p1, p2, p3, p4, p5, p6)
    VALUES (:id, :seed, :fold, :name, :label, :group, :face_status, :p0, :p1, :p2, :p3, :p4, :p5, :p6)
"""
FORGET_PREDICTIONS = "DELETE FROM predictions WHERE run_id = :id"
END = "finished = :now, owner = NULL, lease_until = NULL, seconds = seconds + :seconds"
FINISH = f"""
    UPDATE runs SET status = 'done', {END}, error = '', cancel_requested = 0,
        summary = :summary, environment = :environment
    WHERE {HELD}
"""
FAIL = f"UPDATE runs SET status = 'failed', {END}, error = :error, cancel_requested = 0 WHERE {HELD}"
#: A cancelling that was taken back meanwhile (the run was submitted again) puts the run back into the queue.
CANCEL = f"""
    UPDATE runs SET {END}, status = CASE WHEN cancel_requested = 1 THEN 'cancelled' ELSE 'queued' END
    WHERE {HELD}
"""
#: The attempt is not spent: attempts never go down (they fence), so the cap goes up.
RELEASE = f"""
    UPDATE runs SET status = 'queued', owner = NULL, lease_until = NULL, seconds = seconds + :seconds,
        max_attempts = max_attempts + 1
    WHERE {HELD}
"""

#: The attempt is spent: the run waits for the next one, or ends when there is none left.
LOSE = f"""
    UPDATE runs SET owner = NULL, lease_until = NULL, seconds = seconds + :seconds,
        status = CASE WHEN cancel_requested = 1 THEN 'cancelled'
                      WHEN attempts >= max_attempts THEN 'failed' ELSE 'queued' END,
        finished = CASE WHEN cancel_requested = 1 OR attempts >= max_attempts THEN :now ELSE finished END,
        error = CASE WHEN cancel_requested = 0 AND attempts >= max_attempts THEN :error ELSE '' END
    WHERE {HELD}
"""


def _values(store: Store, held: Claim, **more: Any) -> dict[str, Any]:
    now = store.now()
    fence = {"id": held.run_id, "owner": held.owner, "attempt": held.attempt}
    return fence | {"now": now, "lease_until": now + held.lease_seconds} | more


def _fenced(connection: Connection, statement: str, values: Mapping[str, Any]) -> None:
    if not connection.execute(text(statement), values).rowcount:
        raise LeaseLost(f"run {values['id']} is no longer held by {values['owner']}")


def heartbeat(store: Store, held: Claim, usage: Mapping[str, Any] | None = None) -> bool:
    """Renew the lease; False when it is lost: the run has been taken over, or has ended.

    `usage` says what the worker uses (`usage.usage`); until the run has ended it is its `environment`.
    """
    values = _values(store, held) | ({} if usage is None else {"environment": _json(usage)})
    statement = text(RENEW if usage is None else RENEW_AND_TELL)
    return store.write(lambda connection: connection.execute(statement, values).rowcount > 0, by_row=True)


def cancel_requested(store: Store, held: Claim) -> bool:
    """Return whether the run is to be cancelled. Raises LeaseLost."""
    with store.read() as connection:
        flag = connection.execute(text(WANTED), _values(store, held)).scalar_one_or_none()
    if flag is None:
        raise LeaseLost(f"run {held.run_id} is no longer held by {held.owner}")
    return bool(flag)


def write_progress(store: Store, held: Claim, step: str, done: int, total: int) -> None:
    """Say how far the current step is. Raises LeaseLost."""
    values = _values(store, held, step=step, done=done, total=total)
    store.write(lambda connection: _fenced(connection, PROGRESS, values), by_row=True)


def write_epochs(store: Store, held: Claim, records: Sequence[EpochRecord]) -> None:
    """Keep epochs, in place of earlier ones of the same seed, fold and number. Raises LeaseLost."""
    none = {"train_reverse_loss": None, "val_reverse_loss": None}
    rows = [_values(store, held, **none | jsonable(asdict(record))) for record in records]

    def work(connection: Connection) -> None:
        _fenced(connection, RENEW, _values(store, held))
        connection.execute(text(EPOCH), rows)

    store.write(work, by_row=True)


def write_log(store: Store, held: Claim, lines: str) -> None:
    """Keep lines of the run's log. Raises LeaseLost."""
    values = _values(store, held)
    entries = [values | {"text": _text(line[:LOG_WIDTH])} for line in lines.splitlines()]

    def work(connection: Connection) -> None:
        _fenced(connection, RENEW, values)
        for entry in entries:
            connection.execute(text(LOG), entry)
        connection.execute(text(TRIM_LOG), values | {"keep": LOG_LINES})

    store.write(work, by_row=True)


def finish(store: Store, held: Claim, result: RunResult, seconds: float) -> None:
    """Keep predictions, summary and environment and mark the run done, all or nothing. Raises LeaseLost."""
    documents = {"summary": _json(result.summary), "environment": _json(result.environment)}
    values = _values(store, held, seconds=seconds, **documents)
    rows = [{"id": held.run_id, **jsonable(row)} for row in result.predictions.to_dict("records")]

    def work(connection: Connection) -> None:
        _fenced(connection, FINISH, values)
        connection.execute(text(FORGET_PREDICTIONS), values)
        if rows:
            connection.execute(text(PREDICTION), rows)

    store.write(work, by_row=True)


def fail(store: Store, held: Claim, error: str, seconds: float) -> None:
    """End the run with an error that its user can act on. Raises LeaseLost."""
    values = _values(store, held, error=_text(error), seconds=seconds)
    store.write(lambda connection: _fenced(connection, FAIL, values), by_row=True)


def cancelled(store: Store, held: Claim, seconds: float) -> None:
    """End the run as its user asked. Raises LeaseLost."""
    values = _values(store, held, seconds=seconds)
    store.write(lambda connection: _fenced(connection, CANCEL, values), by_row=True)


def release(store: Store, held: Claim, seconds: float) -> None:
    """Give the run back to its old place in the queue without spending the attempt. Raises LeaseLost."""
    values = _values(store, held, seconds=seconds)
    store.write(lambda connection: _fenced(connection, RELEASE, values), by_row=True)


def lost(store: Store, held: Claim, error: str, seconds: float) -> None:
    """Give a run whose computing was lost to its next attempt; with none left it fails. Raises LeaseLost."""
    values = _values(store, held, error=error, seconds=seconds)
    store.write(lambda connection: _fenced(connection, LOSE, values))


def _text(value: str) -> str:
    """Return a text without NUL, which PostgreSQL can't hold."""
    return value.replace("\0", "\ufffd")


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(jsonable(value), allow_nan=False)
