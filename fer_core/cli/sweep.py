"""`sweep`: one submission of many settings, ranked by validation accuracy."""

from __future__ import annotations

import argparse

from fer_core.config.run import ProtocolConfig, RunConfig, parse
from fer_core.datasets.base import generated_words
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.results.ranking import Place, rank
from fer_core.results.rows import title
from fer_core.runs.jobs.queue import submit_together
from fer_core.runs.plans.requests import (
    faces_config,
    most_blocks_first,
    require_folds,
    seeds,
    settings_of,
    sweep_name,
    transfer_configs,
    whole_numbers,
)

from .context import Context, note, percent, percent_interval, print_json, print_table
from .recipe import recipe_of
from .train import faces_values, finish, hand_over

COLUMNS = {
    "rank": None,
    "title": None,
    "val_accuracy": percent,
    "val_accuracy_interval": percent_interval,
    "behind": lambda value: f"{100 * value:.1f} points",
    "p": lambda value: "< 0.001" if value < 0.001 else f"{value:.3f}",
    "verdict": None,
    "seconds": "{:.0f}".format,
    "run_id": None,
}


def sweep(options: argparse.Namespace) -> int:
    """Carry out `sweep`; 1 when a run failed or was cancelled."""
    context = Context.open()
    configs = plan(context, options)
    name = sweep_name(configs)
    queue = most_blocks_first(configs)
    ids = list(submit_together(context.store, queue, sweep=name, extra={"sweep": name}))
    note(f"Sweep {name}: {len(ids)} runs")
    if options.detach:
        hand_over(context)
        if options.json:
            print_json({"sweep": name, "runs": ids})
        else:
            print(f"Queued as sweep {name}; the same command without --detach waits and ranks them.")
        return 0
    runs = []
    for number, (run_id, config) in enumerate(zip(ids, queue, strict=True), 1):
        note(f"[{number}/{len(ids)}] {title(context.store.run(run_id))}, {config.protocol.name}")
        runs.append(finish(context, run_id))
    done = [run for run in runs if run.status == "done"]
    places = rank(done, lambda run: context.store.predictions(run.id))
    failed = [run for run in runs if run.status != "done"]
    if options.json:
        errors = {run.id: run.error for run in failed}
        print_json({"sweep": name, "ranking": [place.row() for place in places], "failed": errors})
    else:
        _print(places, configs[0])
        for run in failed:
            print(f"{run.id} ({title(run)}): {run.status}. {run.error}")
    return 1 if failed else 0


def plan(context: Context, options: argparse.Namespace) -> list[RunConfig]:
    """Return the run definitions of a sweep, recipe by recipe."""
    protocol = parse(
        ProtocolConfig, {"name": options.protocol, "folds": options.folds, "seeds": seeds(options.seeds)}
    )
    unfreeze = whole_numbers(options.unfreeze, "unfreeze")
    names = list(dict.fromkeys(name.strip() for name in options.recipe.split(",") if name.strip()))
    models = [
        model
        for backbone in dict.fromkeys(name.strip() for name in options.backbone.split(","))
        for model in transfer_configs(backbone, options.weights, unfreeze)
    ]
    trainings = [recipe_of(options, name) for name in names]
    dataset, data = context.dataset(options)
    require_folds(dataset, protocol)
    faces = faces_config(context.store, context.artifacts, data, faces_values(options))
    return [
        config for training in trainings for config in settings_of(data, [faces], models, protocol, training)
    ]


def _print(places: list[Place], config: RunConfig) -> None:
    rows = [place.row() | {"verdict": _verdict(place)} for place in places]
    print_table(rows, COLUMNS)
    alike = [place.rank for place in places if place.noise]
    protocol = PROTOCOLS[config.protocol.name]
    print(
        "\nRanked by accuracy on held-out images, with 95 % Wilson intervals. 'Behind' is the first one's lead on the "
        "same images; within noise: its 95 % interval (paired bootstrap, whole movies where known) holds 0. p is "
        "McNemar's, not corrected for the number of settings. The first of many is first partly by luck."
    )
    if alike:
        print(
            f"Not told apart from the first: {', '.join(map(str, alike))}. More seeds or images would be needed."
        )
    print(f"Protocol: {protocol.title}. {'LEAKS. ' if protocol.leaks else ''}{protocol.why}")
    if config.data.generated:
        print(": ".join(generated_words(config.data.layout)))


def _verdict(place: Place) -> str:
    if place.rank == 1:
        return "first"
    return "within noise" if place.noise else "behind"
