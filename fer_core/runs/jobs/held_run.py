"""What a worker writes of the run it holds. Every write is fenced by owner and attempt.

A worker that was taken for dead, and whose run another has claimed, gets `LeaseLost` instead of overwriting what
its successor wrote. Life is judged by the lease alone, never by a process id. `usage` is what its process takes.
"""

import json
import os
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, text

from fer_core.errors import LeaseLost
from fer_core.learning.reporting import BdnnEpoch, EpochRecord, RunResult
from fer_core.storage.store import Store
from fer_core.storage.values import jsonable

from .queue import Claim, inserting
from .registry import host_name

#: A run keeps this many lines of its log, the newest, each cut at so many characters.
LOG_LINES = 2000
LOG_WIDTH = 2000

EPOCH_COLUMNS = tuple(field.name for field in fields(BdnnEpoch))
PREDICTION_COLUMNS = ("seed", "fold", "name", "label", "group", "face_status", *(f"p{i}" for i in range(7)))

HELD = "id = :id AND status = 'running' AND owner = :owner AND attempts = :attempt"
WANTED = f"SELECT cancel_requested FROM runs WHERE {HELD}"
RENEW = "lease_until = :lease_until"
EPOCH = inserting(
    "epochs",
    ("run_id", "written", *EPOCH_COLUMNS),
    "ON CONFLICT (run_id, seed, fold, epoch) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in ("written", *EPOCH_COLUMNS[3:])),
)
PREDICTION = inserting("predictions", ("run_id", *PREDICTION_COLUMNS))
FORGET_PREDICTIONS = "DELETE FROM predictions WHERE run_id = :id"
LOG = """
    INSERT INTO log_lines (run_id, line, written, text)
    SELECT :id, COALESCE(MAX(line), 0) + 1, :now, :text FROM log_lines WHERE run_id = :id
"""
TRIM_LOG = """
    DELETE FROM log_lines WHERE run_id = :id AND line <= (
        SELECT MAX(line) FROM log_lines WHERE run_id = :id) - :keep
"""

ENDED = "owner = NULL, lease_until = NULL, seconds = seconds + :seconds, "
Ending = Literal["done", "failed", "cancelled", "released", "lost"]
#: What becomes of a run, by how an attempt at it ended.
BECOMES: dict[Ending, str] = {
    "done": """status = 'done', finished = :now, error = '', cancel_requested = 0,
        summary = :summary, environment = :environment""",
    "failed": "status = 'failed', finished = :now, error = :error, cancel_requested = 0",
    # A cancelling that was taken back meanwhile (the run was submitted again) puts the run back into the queue.
    "cancelled": "finished = :now, status = CASE WHEN cancel_requested = 1 THEN 'cancelled' ELSE 'queued' END",
    # The attempt is not spent: attempts never go down (they fence), so the cap goes up.
    "released": "status = 'queued', max_attempts = max_attempts + 1",
    # The attempt is spent: the run waits for the next one, or ends when there is none left.
    "lost": """
        status = CASE WHEN cancel_requested = 1 THEN 'cancelled'
                      WHEN attempts >= max_attempts THEN 'failed' ELSE 'queued' END,
        finished = CASE WHEN cancel_requested = 1 OR attempts >= max_attempts THEN :now ELSE finished END,
        error = CASE WHEN cancel_requested = 0 AND attempts >= max_attempts THEN :error ELSE '' END""",
}


def _write(
    store: Store,
    held: Claim,
    changes: str,
    then: Callable[[Connection, dict[str, Any]], object] | None = None,
    **values: Any,
) -> None:
    """Change the run's row and, in the same transaction, carry out what follows, given all values. Raises LeaseLost.

    Among the values are the run's `id`, `now` and the new lease, which `RENEW` writes.
    """

    def work(connection: Connection) -> None:
        now = store.now()
        given = values | _fence(held) | {"now": now, "lease_until": now + held.lease_seconds}
        if not connection.execute(text(f"UPDATE runs SET {changes} WHERE {HELD}"), given).rowcount:
            raise _lost(held)
        if then:
            then(connection, given)

    store.write(work, by_row=True)


def _fence(held: Claim) -> dict[str, Any]:
    return {"id": held.run_id, "owner": held.owner, "attempt": held.attempt}


def _lost(held: Claim) -> LeaseLost:
    return LeaseLost(f"run {held.run_id} is no longer held by {held.owner}")


def heartbeat(store: Store, held: Claim, usage: Mapping[str, Any] | None = None) -> None:
    """Renew the lease. Raises LeaseLost: the run has been taken over, or has ended.

    `usage` says what the worker uses (`usage.usage`); until the run has ended it is its `environment`.
    """
    if usage is None:
        _write(store, held, RENEW)
    else:
        _write(store, held, f"{RENEW}, environment = :environment", environment=_json(usage))


def cancel_requested(store: Store, held: Claim) -> bool:
    """Return whether the run is to be cancelled. Raises LeaseLost."""
    if not (found := store.rows(WANTED, _fence(held))):
        raise _lost(held)
    return bool(found[0].cancel_requested)


def write_progress(store: Store, held: Claim, step: str, done: int, total: int) -> None:
    """Say how far the current step is. Raises LeaseLost."""
    changes = f"{RENEW}, step = :step, step_done = :done, step_total = :total"
    _write(store, held, changes, step=step, done=done, total=total)


def write_epochs(store: Store, held: Claim, records: Sequence[EpochRecord]) -> None:
    """Keep epochs; they replace earlier ones of the same seed, fold and number. Raises LeaseLost."""

    def then(connection: Connection, given: dict[str, Any]) -> None:
        own = dict.fromkeys(EPOCH_COLUMNS) | {"run_id": held.run_id, "written": given["now"]}
        connection.execute(EPOCH, [own | jsonable(asdict(record)) for record in records])

    _write(store, held, RENEW, then)


def write_log(store: Store, held: Claim, lines: str) -> None:
    """Keep lines of the run's log. Raises LeaseLost."""

    def then(connection: Connection, given: dict[str, Any]) -> None:
        for line in lines.splitlines():
            connection.execute(text(LOG), given | {"text": _text(line[:LOG_WIDTH])})
        connection.execute(text(TRIM_LOG), given | {"keep": LOG_LINES})

    _write(store, held, RENEW, then)


def finish(store: Store, held: Claim, result: RunResult, seconds: float) -> None:
    """Keep predictions, summary and environment and mark the run done, all or nothing. Raises LeaseLost."""
    documents = {"summary": _json(result.summary), "environment": _json(result.environment)}
    rows = [{"run_id": held.run_id, **jsonable(row)} for row in result.predictions.to_dict("records")]

    def then(connection: Connection, given: dict[str, Any]) -> None:
        connection.execute(text(FORGET_PREDICTIONS), given)
        if rows:
            connection.execute(PREDICTION, rows)

    _write(store, held, ENDED + BECOMES["done"], then, seconds=seconds, **documents)


def end(store: Store, held: Claim, how: Ending, seconds: float, error: str = "") -> None:
    """End the attempt in any way but well. Raises LeaseLost.

    Args:
        how: 'failed' with an error that the run's user can act on; 'cancelled' as the user asked; 'released' to the
            run's place in the queue without spending the attempt; 'lost' with the process or host that computed,
            for the next attempt; with none left the run fails with the error.
        seconds: that this attempt worked on the run.
    """
    _write(store, held, ENDED + BECOMES[how], seconds=seconds, error=_text(error))


def _text(value: str) -> str:
    """Return a text without NUL, which PostgreSQL can't hold."""
    return value.replace("\0", "\ufffd")


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(jsonable(value), allow_nan=False)


def usage(device: str) -> dict[str, Any]:
    """Return host, process, device and memory in bytes; torch is asked only where the run has loaded it.

    `memory` is the process's resident set now and `memory_peak` its largest so far; `gpu_memory` and
    `gpu_memory_peak` are what torch's tensors take on the GPU, absent on a CPU.
    """
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    found: dict[str, Any] = {
        "host": host_name(),
        "pid": os.getpid(),
        "device": device,
        "memory": pages * os.sysconf("SC_PAGE_SIZE"),
        "memory_peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    torch = sys.modules.get("torch")
    initialised = getattr(getattr(torch, "cuda", None), "is_initialized", None)
    if torch is None or initialised is None:  # not loaded, or another thread is loading it now
        return found
    if not initialised():
        return found | {"device": "cpu" if device == "auto" else device}
    index = int(device.partition(":")[2] or 0)
    return found | {
        "device": f"cuda:{index}",
        "gpu_memory": torch.cuda.memory_allocated(index),
        "gpu_memory_peak": torch.cuda.max_memory_allocated(index),
    }
