"""`reproduce`: the paper's tables 2 and 3 beside this machine's, under its own protocol and a fair one."""

from __future__ import annotations

import argparse
from typing import Any

from fer_core.datasets.base import generated_words
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.results.paper.reported import DISAGREEMENTS
from fer_core.results.paper.tables import by_setting, table_2, table_3
from fer_core.results.rows import run_row, title
from fer_core.runs.jobs.queue import submit
from fer_core.runs.plans.comparison import choose_backbone
from fer_core.runs.plans.grid import LEAKING, grid
from fer_core.runs.plans.requests import faces_config, most_blocks_first, seeds, transfer_configs

from .context import Context, note, print_json, print_table
from .train import finish

INPUT = {True: "faces", False: "whole frames"}


def reproduce(options: argparse.Namespace) -> int:
    """Carry out `reproduce`; 1 when a run failed."""
    context = Context.open()
    dataset, data = context.dataset(options)
    name, said = choose_backbone(options.backbone, context.settings, options.weights)
    plan = grid(
        dataset,
        data,
        faces_config(context.store, context.artifacts, data, {"no_face": "resize"}),
        transfer_configs(name, options.weights, (1, 2, 3)),
        epochs=options.epochs,
        folds=options.folds,
        seeds=seeds(options.seeds),
    )
    notes = [line for line in (said, *plan.notes) if line]
    runs = []
    for number, config in enumerate(most_blocks_first(plan.configs), 1):
        run_id, _ = submit(context.store, config)
        note(f"[{number}/{len(plan.configs)}] {title(context.store.run(run_id))}, {config.protocol.name}")
        runs.append(finish(context, run_id))
    found, protocols = by_setting(runs), (LEAKING, plan.fair)
    accuracies, losses = table_2(found, protocols), table_3(found, protocols)
    if options.json:
        print_json(
            {
                "backbone": name,
                "weights": options.weights,
                "generated": data.generated,
                "protocols": {one: {"leaks": PROTOCOLS[one].leaks} for one in protocols},
                "notes": notes,
                "table_2": accuracies,
                "table_3": losses,
                "runs": [run_row(run) for run in runs],
            }
        )
    else:
        _print(accuracies, losses, protocols, options.epochs)
        for line in notes:
            print(line)
        if data.generated:
            print(
                "{}: {} That one agrees or not says nothing about the paper.".format(
                    *generated_words(data.layout)
                )
            )
        for run in runs:
            if run.error:
                print(f"{run.id} ({title(run)}): {run.error}")
    return 0 if all(run.status == "done" for run in runs) else 1


def _print(
    accuracies: list[dict[str, Any]], losses: list[dict[str, Any]], protocols: tuple[str, str], epochs: int
) -> None:
    print(
        f"Table 2: accuracy, mean over {epochs} epochs as in the paper; 'last' after the last one (95 % interval)"
    )
    shown = []
    for row in accuracies:
        cells: dict[str, Any] = {"n": row["unfreeze"], "input": INPUT[row["faces"]]}
        cells["paper train"], cells["paper val"] = (
            _share(row[f"paper_{name}"]) for name in ("train_accuracy", "val_accuracy")
        )
        for name in protocols:
            own = row[name] or {}
            cells[f"{name} train"], cells[f"{name} val"] = (
                _share(own.get(measure)) for measure in ("train_accuracy", "val_accuracy")
            )
            cells[f"{name} last"] = _last(own)
        shown.append(cells)
    print_table(shown, dict.fromkeys(shown[0]))
    print(f"\nTable 3: mean loss over {epochs} epochs, in nats")
    shown = []
    for row in losses:
        cells = {"loss": row["measure"], "input": INPUT[row["faces"]], "paper (n not said)": row["paper"]}
        for name in protocols:
            cells |= {
                f"{name} n={n}": None if value is None else f"{value:.3f}" for n, value in row[name].items()
            }
        shown.append(cells)
    print_table(shown, dict.fromkeys(shown[0]))
    print()
    for name in protocols:
        print(f"{name}: {'LEAKS. ' if PROTOCOLS[name].leaks else ''}{PROTOCOLS[name].why}")
    print("\nWhere the paper disagrees with itself")
    for one in DISAGREEMENTS:
        print(f"  {one.about}: {one.reading}")


def _share(value: float | None) -> str | None:
    return None if value is None else f"{100 * value:.2f} %"


def _last(own: dict[str, Any]) -> str | None:
    if not own:
        return None
    low, high = own["interval"]
    return f"{100 * own['last']:.1f} ({100 * low:.1f}-{100 * high:.1f}) %"
