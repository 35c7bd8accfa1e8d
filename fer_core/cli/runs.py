"""`compare` lists what has been run; `jobs`, `cancel` and `retry` what waits, is running or has ended."""

from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from fer_core.config.run import ProtocolName
from fer_core.errors import ConfigError
from fer_core.results.rows import run_row, title
from fer_core.runs.jobs import executors, queue
from fer_core.storage.store import StoredRun

from .context import Context
from .options import PAPERS_NETWORK, Json, Layout, PapersNetwork, RunId, Source
from .output import answer, note, print_json, print_table
from .train import COLUMNS

PAPER = Group("With --paper")


def compare(
    *,
    data: str | None = None,
    protocol: ProtocolName | None = None,
    paper: bool = False,
    network: Annotated[PapersNetwork, Parameter(group=PAPER)] = PAPERS_NETWORK,
    table: Annotated[Path | None, Parameter(group=PAPER)] = None,
    layout: Layout = "auto",
    json: Json = False,
) -> int:
    """Carry out `compare`; with `--paper` 1 when a run failed.

    Args:
        data: only runs on this data set.
        protocol: only runs under this protocol.
        paper: run, or recall, what the paper compares, all through the same folds, and print it beside its figures.
        table: also compare models that read this feature table.
    """
    if paper:
        from .paper import compare_with_paper

        return compare_with_paper(Source(data or "demo", layout), protocol, network, table, json=json)
    context = Context.open()
    fingerprint = None if data is None else context.dataset(Source(data, layout))[1].fingerprint
    runs = context.store.runs(status=["done"], goal="train", data=fingerprint, limit=1000)
    chosen = [run_row(run, cached=True) for run in runs if protocol in (None, run.protocol)]
    rows = sorted(chosen, key=lambda row: -row["val_accuracy"])
    if json:
        print_json(rows)
    elif rows:
        print_table(rows, ("data", *COLUMNS, "leaks"))
    elif context.store.runs(status=["done"], goal="train", limit=1):
        print(
            "No finished training is on this data set and under this protocol. Without the options all are listed."
        )
    else:
        print("Nothing has been trained yet. Start with: python -m fer_core demo")
    return 0


def jobs(*, ended: int = 10, json: Json = False) -> int:
    """Carry out `jobs`.

    Args:
        ended: list so many that have ended, the newest.
    """
    if ended < 0:
        raise ConfigError("--ended must be 0 or more", got=ended)
    context = Context.open()
    store = context.store
    ids = store.active()
    active = {run.id: run for run in store.runs(ids=ids)} if ids else {}
    old = store.runs(status=["done", "failed", "cancelled"], limit=ended) if ended else []
    places = store.queue_places(ids)
    rows = [_row(run, places) for run in [*(active[run_id] for run_id in ids if run_id in active), *old]]
    where = executors.describe(context.settings)
    if json:
        workers = store.workers().to_dict("records")
        print_json({"executor": where, "database": str(store), "workers": workers, "jobs": rows})
        return 0
    note(f"Carried out by {where}; database: {store}")
    if not rows:
        print("Nothing waits, is running or has ended. Start with: python -m fer_core demo")
        return 0
    print_table(rows, ("run_id", "status", "place", "run", "protocol", "progress", "owner"))
    for run in old:
        if run.error:
            note(f"{run.id}: {run.error}")
    return 0


def cancel(*, run_id: RunId, json: Json = False) -> int:
    """Carry out `cancel`."""
    context = Context.open()
    run = context.store.run(run_id)
    if not executors.cancel(context.settings, context.store, run.id):
        raise ConfigError("A run that is cancelled must wait or be running", got=run.status)
    return _print_status(context.store.run(run.id), json=json)


def retry(*, run_id: RunId, json: Json = False) -> int:
    """Carry out `retry`."""
    context = Context.open()
    run = context.store.run(run_id)
    if not queue.retry(context.store, run.id):
        raise ConfigError("A run that is tried again must have failed or been cancelled", got=run.status)
    executors.launch(context.settings)
    return _print_status(context.store.run(run.id), json=json)


def _print_status(run: StoredRun, *, json: bool) -> int:
    status = "stopping" if run.cancel_requested else run.status
    return answer(json, {"run_id": run.id, "status": status}, lambda _: print(f"{run.id}: {status}"))


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
