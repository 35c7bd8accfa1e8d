"""`train`: submit a run per unfreeze setting, carry it out here or wait for it, print figures."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fer_core.config.recipes import SELECTIONS
from fer_core.config.run import Model, ProtocolConfig, RunConfig, TrainingConfig, TransferConfig, parse
from fer_core.datasets.base import generated_words
from fer_core.errors import FerError
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.learning.networks.backbones import weight_status
from fer_core.results.rows import run_row
from fer_core.runs.jobs import executors
from fer_core.runs.jobs.queue import submit
from fer_core.runs.plans.comparison import comparator, inputs_of
from fer_core.runs.plans.requests import (
    faces_config,
    most_blocks_first,
    require_folds,
    seeds,
    settings_of,
    transfer_configs,
    whole_numbers,
)
from fer_core.storage.store import StoredRun

from .context import Bar, Context, note, percent, percent_interval, print_json, print_table
from .recipe import recipe_of

COLUMNS = {
    "system": None,
    "recipe": None,
    "protocol": None,
    "folds": None,
    "train_accuracy": percent,
    "val_accuracy": percent,
    "val_accuracy_interval": percent_interval,
    "train_loss": "{:.3f}".format,
    "val_loss": "{:.3f}".format,
    "images": None,
    "missing_faces": None,
    "seconds": "{:.0f}".format,
    "status": None,
    "cached": lambda value: "yes" if value else "no",
    "run_id": None,
}


def train(options: argparse.Namespace) -> int:
    """Carry out `train`; 1 when a run failed or was cancelled."""
    context = Context.open()
    configs = plan(context, options)
    _say_weights(context, configs[0])
    asked = [submit_run(context, config) for config in most_blocks_first(configs)]
    if options.detach:
        hand_over(context)
    found = {
        run_id: run_row(
            context.store.run(run_id) if options.detach else finish(context, run_id), cached=cached
        )
        for run_id, cached in asked
    }
    rows = [found[config.key()] for config in configs]
    if options.json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS)
        _footnotes(configs[0], rows)
    return 0 if options.detach or all(row["status"] == "done" for row in rows) else 1


def hand_over(context: Context) -> None:
    """See to it that what is queued gets carried out by another process than this one, and say by which."""
    if not context.store.active():
        return
    if context.settings.executor == "inline":
        note("FER_EXECUTOR=inline starts no worker; carry out what is queued with: python -m fer_core worker")
    else:
        executors.launch(context.settings)
        note(f"Carried out by {executors.describe(context.settings)}; watch it with: python -m fer_core jobs")


def submit_run(context: Context, config: RunConfig) -> tuple[str, bool]:
    """Ask for a run; return its id and whether its figures were there already."""
    run_id, _ = submit(context.store, config)
    return run_id, context.store.run(run_id).status == "done"


def plan(context: Context, options: argparse.Namespace) -> list[RunConfig]:
    """Return the run definitions that the options ask for."""
    protocol = parse(
        ProtocolConfig, {"name": options.protocol, "folds": options.folds, "seeds": seeds(options.seeds)}
    )
    if options.model == "transfer":
        unfreeze = whole_numbers(options.unfreeze, "unfreeze")
        models: list[Model] = list(transfer_configs(options.backbone, options.weights, unfreeze))
    else:
        models = [comparator_of(options)]
    training = recipe_of(options, options.recipe) if options.model == "transfer" else TrainingConfig()
    dataset, data = context.dataset(options)
    require_folds(dataset, protocol)
    values = {"extract": False} if options.features == "table" else faces_values(options)
    faces = faces_config(context.store, context.artifacts, data, values)
    return settings_of(data, [faces], models, protocol, training)


def comparator_of(options: argparse.Namespace) -> Model:
    """Return the SVM, BDNN or MLP that the options ask for."""
    features = options.features or {"svm": "phog"}.get(options.model, "pixels")
    table = Path(options.table).expanduser() if options.table else None
    chosen = {name: getattr(options, name) for name in ("epochs", "lr")} if options.model != "svm" else {}
    given = {name: value for name, value in chosen.items() if value is not None}
    return comparator(options.model, inputs_of(features, table), **given)


def faces_values(options: argparse.Namespace) -> dict[str, Any]:
    """Return the face settings among the options."""
    if not getattr(options, "faces", True):
        return {"extract": False}
    return {
        "margin": options.margin,
        "choice": options.choice,
        "align": options.align,
        "no_face": options.no_face_policy,
        "rescue": tuple(name.strip() for name in options.rescue.split(",") if name.strip()),
        "detector": options.detector,
    }


def finish(context: Context, run_id: str) -> StoredRun:
    """Carry a run out in this process, or wait for the worker that holds it; show its progress."""
    with _watched(context, run_id):
        while not (run := context.store.run(run_id)).ended:
            executors.EXECUTORS[context.settings.executor].work(
                context.settings, until_idle=True, only=run_id
            )
            if not context.store.run(run_id).ended:
                time.sleep(0.5)
    return run


@contextmanager
def _watched(context: Context, run_id: str) -> Iterator[None]:
    """Show a run's progress from the database while the body works or waits."""
    ended = threading.Event()

    def watch() -> None:
        bar, step = None, ""
        while not ended.wait(0.3):
            run = context.store.run(run_id)
            if run.step != step:
                if bar:
                    bar.__exit__()
                bar, step = Bar(f"{run_id[:8]} {run.step}"), run.step
            if bar and run.step_total:
                bar(run.step_done, run.step_total)
        if bar:
            bar.__exit__()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _say_weights(context: Context, config: RunConfig) -> None:
    if not isinstance(config.model, TransferConfig):
        return
    model = config.model
    status = weight_status(model.backbone, model.weights, context.settings.weights_dir, model.weights_file)
    note(status.message)


def _footnotes(config: RunConfig, rows: list[dict[str, Any]]) -> None:
    protocol = PROTOCOLS[config.protocol.name]
    chosen = SELECTIONS[config.training.selection] if config.trains_backbone else SELECTIONS["last"]
    print(
        f"\nValidation accuracy is that of held-out images at each fold's {chosen}, with a 95 % Wilson interval."
        f"\nProtocol: {protocol.title}. {protocol.why}"
    )
    if config.trains_backbone and config.training.optimistic:
        print("OPTIMISTIC: the epoch was chosen on the very images that are reported.")
    if config.data.generated:
        print(": ".join(generated_words(config.data.layout)))
    for row in rows:
        if row["error"]:
            print(f"{row['run_id']}: {row['error']}")


def raise_failed(run: StoredRun) -> None:
    """Raise what ended a run unless it is done."""
    if run.status != "done":
        raise FerError(f"run {run.id} must end done", got=run.status, fix=run.error)
