"""`compare`: what has been run, best first."""

from __future__ import annotations

import argparse

from fer_core.results.rows import run_row
from fer_core.storage.store import StoredRun

from .context import Context, print_json, print_table
from .paper import compare_with_paper
from .train import COLUMNS


def compare(options: argparse.Namespace) -> int:
    """Carry out `compare`."""
    if options.paper:
        return compare_with_paper(options)
    context = Context.open()
    data = None
    if options.data is not None:
        options.label_codes, options.group_pattern = None, None
        data = context.dataset(options)[1].fingerprint
    runs = [run for run in context.store.runs(status=["done"], data=data, limit=1000) if wanted(run, options)]
    rows = sorted((run_row(run, cached=True) for run in runs), key=lambda row: -row["val_accuracy"])
    if options.json:
        print_json(rows)
    elif rows:
        print_table(rows, {"data": None, **COLUMNS, "leaks": lambda leaks: "LEAKS" if leaks else ""})
    elif context.store.runs(status=["done"], goal="train", limit=1):
        print(
            "No finished training is on this data set and under this protocol. Without the options all are listed."
        )
    else:
        print("Nothing has been trained yet. Start with: python -m fer_core demo")
    return 0


def wanted(run: StoredRun, options: argparse.Namespace) -> bool:
    """Return whether a run was trained under the asked protocol."""
    return run.config.goal == "train" and options.protocol in (None, run.protocol)
