"""`jobs`, `cancel` and `retry`: what waits and goes on, who carries it out, and its end or another start."""

from __future__ import annotations

import argparse
from typing import Any

from fer_core.errors import ConfigError
from fer_core.results.rows import title
from fer_core.runs.jobs import executors, queue
from fer_core.storage.store import Store, StoredRun

from .context import Context, note, print_json, print_table

#: So many runs that have ended are listed, the newest.
ENDED = 10


def add_jobs(commands: Any, command: Any) -> None:
    """Add the commands; `command` makes one as `cli._command` does."""
    jobs = command(commands, "jobs", "jobs:jobs", "list what goes on, what waits, and what has ended lately")
    jobs.add_argument(
        "--ended", type=int, default=ENDED, metavar="N", help="list so many that have ended, the newest"
    )
    cancel = command(commands, "cancel", "jobs:cancel", "cancel a run that waits or goes on")
    retry = command(
        commands,
        "retry",
        "jobs:retry",
        "put a failed or cancelled run into the queue; it goes on where it was",
    )
    for one in (cancel, retry):
        one.add_argument("--run", dest="run_id", required=True, metavar="ID", help="a run that `jobs` lists")
    for one in (jobs, cancel, retry):
        one.add_argument("--json", action="store_true", help="print one JSON document on standard output")


def jobs(options: argparse.Namespace) -> int:
    """Carry out `jobs`."""
    if options.ended < 0:
        raise ConfigError("--ended must be 0 or more", got=options.ended)
    context = Context.open()
    store = context.store
    ids = store.active()
    active = {run.id: run for run in store.runs(ids=ids)} if ids else {}
    ended = store.runs(status=["done", "failed", "cancelled"], limit=options.ended) if options.ended else []
    places = store.queue_places(ids)
    rows = [_row(run, places) for run in [*(active[run_id] for run_id in ids if run_id in active), *ended]]
    where = executors.describe(context.settings)
    if options.json:
        print_json({"executor": where, "database": str(store), "workers": _workers(store), "jobs": rows})
        return 0
    note(f"Carried out by {where}; database: {store}")
    if not rows:
        print("Nothing waits, goes on or has ended. Start with: python -m fer_core demo")
        return 0
    print_table(rows, dict.fromkeys(("run_id", "status", "place", "run", "protocol", "progress", "owner")))
    for run in ended:
        if run.error:
            note(f"{run.id}: {run.error}")
    return 0


def cancel(options: argparse.Namespace) -> int:
    """Carry out `cancel`."""
    context = Context.open()
    options.run_id = context.run_id(options.run_id)
    if not executors.cancel(context.settings, context.store, options.run_id):
        status = context.store.run(options.run_id).status
        raise ConfigError("A run that is cancelled must wait or go on", got=status)
    return _told(context.store.run(options.run_id), options)


def retry(options: argparse.Namespace) -> int:
    """Carry out `retry`."""
    context = Context.open()
    options.run_id = context.run_id(options.run_id)
    if not queue.retry(context.store, options.run_id):
        status = context.store.run(options.run_id).status
        raise ConfigError("A run that is tried again must have failed or been cancelled", got=status)
    executors.launch(context.settings)
    return _told(context.store.run(options.run_id), options)


def _told(run: StoredRun, options: argparse.Namespace) -> int:
    said = "stopping" if run.cancel_requested else run.status
    if options.json:
        print_json({"run_id": run.id, "status": said})
    else:
        print(f"{run.id}: {said}")
    return 0


def _row(run: StoredRun, places: dict[str, int]) -> dict[str, object]:
    return {
        "run_id": run.id,
        "status": "stopping" if run.cancel_requested and not run.ended else run.status,
        "place": places.get(run.id),
        "run": title(run) if run.config.goal == "train" else "Face detection",
        "protocol": run.protocol,
        "progress": f"{run.step} {run.step_done} of {run.step_total}" if run.status == "running" else None,
        "owner": run.owner,
        "error": run.error or None,
    }


def _workers(store: Store) -> list[dict[str, object]]:
    table = store.workers()
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
