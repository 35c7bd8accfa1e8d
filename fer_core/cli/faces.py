"""`faces`: detect, and say what became of every frame."""

from __future__ import annotations

import argparse
import math

from fer_core.config.run import RunConfig
from fer_core.faces.extraction import read_crops
from fer_core.runs.jobs.queue import submit
from fer_core.runs.plans.requests import faces_config

from .context import Context, percent, print_json, print_table
from .train import faces_values, finish, raise_failed

SHOWN = ("status", "box", "probability", "landmarks", "faces", "rescued_by", "label", "group", "reason")


def faces(options: argparse.Namespace) -> int:
    """Carry out `faces`."""
    context = Context.open()
    _, data = context.dataset(options)
    config = RunConfig(
        goal="faces",
        data=data,
        faces=faces_config(context.store, context.artifacts, data, faces_values(options)),
    )
    run_id, _ = submit(context.store, config)
    raise_failed(finish(context, run_id))
    table = read_crops(context.artifacts.open("crops", config.crops_key())).table
    counts = table["status"].value_counts().to_dict()
    rows = [
        {
            "path": row["name"],
            **{name: _known(row[name]) for name in SHOWN},
        }
        for row in table.to_dict("records")
    ]
    if options.json:
        print_json({"counts": counts, "images": rows})
        return 0
    failed = [row for row in rows if row["status"] not in ("found", "manual")]
    print_table(
        failed,
        {
            "path": None,
            "status": None,
            "probability": percent,
            "faces": None,
            "rescued_by": None,
            "reason": None,
        },
    )
    print("\n" + ", ".join(f"{count} {status}" for status, count in counts.items()))
    rescued = table["rescued_by"].value_counts()
    if len(rescued):
        print("found on a second look: " + ", ".join(f"{count} by {name}" for name, count in rescued.items()))
    return 0


def _known(value: object) -> object:
    """Return a table's value, None for the NaN that pandas keeps for it."""
    return None if isinstance(value, float) and math.isnan(value) else value
