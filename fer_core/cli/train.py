"""`train`, `demo` and `sweep`: submit runs, carry them out here or leave them to a worker, print figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from fer_core.config.run import Model, RunConfig, TrainingConfig, TransferConfig
from fer_core.config.training import RECIPES, SELECTIONS
from fer_core.learning.networks.backbones import PACKAGED
from fer_core.learning.networks.weight_status import weight_status
from fer_core.results.rows import run_row
from fer_core.runs.plans.comparison import comparator, inputs_of, require_rows
from fer_core.runs.plans.requests import (
    faces_config,
    require_folds,
    settings_of,
    sweep_name,
)

from .context import Context
from .options import (
    ALL_FACES,
    DEMO,
    PAPERS,
    RANDOM_FOLDS,
    THREE_SETTINGS,
    Detach,
    ExtractionOrNone,
    FaceOptions,
    Free,
    Json,
    Networks,
    Protocol,
    ProtocolOptions,
    RecipeOptions,
    Source,
    Training,
    names,
)
from .output import answer, note, print_errors, print_generated, print_json, print_protocols, print_table

if TYPE_CHECKING:
    from fer_core.results.ranking import Place

COLUMNS = (
    *(
        "system",
        "recipe",
        "protocol",
        "folds",
        "train_accuracy",
        "val_accuracy",
        "val_accuracy_interval",
        "val_accuracy_interval_over",
    ),
    *("train_loss", "val_loss", "images", "missing_faces", "seconds", "status", "cached", "run_id"),
)
PLACES = (
    *("rank", "title", "val_accuracy", "val_accuracy_interval", "val_accuracy_interval_over", "behind", "p"),
    *("verdict", "seconds", "run_id"),
)


def train(
    *,
    source: Source = DEMO,
    model: Literal["transfer", "svm", "bdnn", "mlp"] = "transfer",
    features: Literal["pixels", "phog", "lpq", "lpq+phog", "table"] | None = None,
    table: Path | None = None,
    raw: bool = False,
    alternate: int = 0,
    networks: Networks = THREE_SETTINGS,
    protocol: Protocol = RANDOM_FOLDS,
    recipe: Annotated[str, Parameter(choices=tuple(RECIPES))] = "paper",
    training: Training = PAPERS,
    extraction: ExtractionOrNone = ALL_FACES,
    detach: Detach = False,
    json: Json = False,
) -> int:
    """Carry out `train`; 1 when a run failed or was cancelled.

    Args:
        model: a pretrained backbone, or what it is compared with.
        features: what an svm, bdnn or mlp reads (default: phog for svm, else pixels).
        table: the feature table (.xlsx or .csv) of --features table.
        raw: a bdnn's or mlp's inputs as they are, not in standard units.
        alternate: a bdnn's forward steps before as many in reverse; 0: both directions in each step.
        recipe: a named recipe, to which the options of a recipe add.
    """
    context = Context.open()
    models: Sequence[Model]
    if model == "transfer":
        models = networks.configs()
        how = training.config(recipe)
    else:
        given = {} if model == "svm" else {k: v for k, v in training.given().items() if k in ("epochs", "lr")}
        read = features or ("phog" if model == "svm" else "pixels")
        if raw or alternate:
            given |= {"standardise": not raw} | ({"alternate": alternate} if model == "bdnn" else {})
        models = [comparator(model, inputs_of(read, table and table.expanduser()), **given)]
        how = TrainingConfig()
    cut = FaceOptions(extract=False) if features == "table" else extraction
    configs = _plan(context, source, protocol, models, [how], cut)
    if isinstance(first := configs[0].model, TransferConfig):
        folder = context.settings.weights_dir
        note(weight_status(first.backbone, first.weights, folder, first.weights_file).message)
    runs, done = context.asked(configs, detach=detach)
    rows = [run_row(run, cached=run.id in done) for run in runs]
    if json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS)
        _print_meaning(configs[0])
        print_errors(runs)
    return 0 if detach or all(row["status"] == "done" for row in rows) else 1


def _plan(
    context: Context,
    source: Source,
    protocol: ProtocolOptions,
    models: Sequence[Model],
    trainings: Sequence[TrainingConfig],
    extraction: FaceOptions,
) -> list[RunConfig]:
    """Return the run of every model by every recipe, recipe by recipe."""
    dataset, data = context.dataset(source)
    folds = protocol.config()
    require_folds(dataset, folds)
    if data.excluded:
        context.store.exclude(data.whole.fingerprint, data.excluded, author="the command line")
    require_rows(dataset, (model.inputs for model in models if hasattr(model, "inputs")))
    faces = faces_config(context.store, context.artifacts, data, extraction.values())
    return [
        config for training in trainings for config in settings_of(data, [faces], models, folds, training)
    ]


def _print_meaning(config: RunConfig) -> None:
    chosen = SELECTIONS[config.training.selection] if config.trains_backbone else SELECTIONS["last"]
    print(
        f"\nValidation accuracy is that of held-out images at each fold's {chosen}, with its 95 % interval."
    )
    print_protocols([config.protocol.name])
    if config.trains_backbone and config.training.optimistic:
        print("OPTIMISTIC: the epoch was chosen on the very images that are reported.")
    print_generated(config.data)


def demo(
    *,
    prepare: bool = False,
    epochs: int | None = None,
    json: Json = False,
) -> int:
    """Carry out `demo`; 1 when a run failed or was cancelled. What has been made is recalled.

    Args:
        prepare: make what a hosted demo shows: short runs of the three settings, longer ones of n = 1, comparators.
        epochs: of the three settings (default: 20; prepared: 2).
    """
    worst = max(train(**request, json=json) for request in demo_requests(prepare, epochs))
    if prepare:  # so that the first visitor need not wait for the audit
        context = Context.open()
        context.audit(*context.dataset(DEMO))
    return worst


def demo_requests(prepare: bool, epochs: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield what the demo asks of `train`."""
    grouped = {"protocol": ProtocolOptions(name="group")}
    short = RecipeOptions(epochs=epochs or (2 if prepare else 20))
    yield grouped | {"networks": Networks(backbone=PACKAGED), "training": short}
    if prepare:
        # The head alone costs little: one run long enough for curves, one whose images are dealt at random,
        # to show what a leak does, and one on whole frames; then what the paper compares with.
        long = RecipeOptions(epochs=20, calibrate=True)
        head = {"networks": Networks("1", PACKAGED), "training": long}
        yield head | grouped
        yield head | {"protocol": ProtocolOptions(name="stratified")}
        yield head | grouped | {"extraction": FaceOptions(extract=False)}
        yield grouped | {"model": "svm"}
        yield grouped | {"model": "bdnn"}


def sweep(
    *,
    source: Source = DEMO,
    networks: Networks = THREE_SETTINGS,
    recipe: Annotated[str, Parameter(help=f"Names with commas, among {', '.join(RECIPES)}.")] = "paper",
    protocol: Protocol = RANDOM_FOLDS,
    training: Free = PAPERS,
    extraction: ExtractionOrNone = ALL_FACES,
    detach: Detach = False,
    json: Json = False,
) -> int:
    """Carry out `sweep`; 1 when a run failed or was cancelled."""
    context = Context.open()
    trainings = [training.config(name) for name in names(recipe)]
    configs = _plan(context, source, protocol, networks.configs(), trainings, extraction)
    name = sweep_name(configs)
    note(f"Sweep {name}: {len(configs)} runs")
    runs, _ = context.asked(configs, detach=detach, sweep=name)
    if detach:
        queued = f"Queued as sweep {name}; the same command without --detach waits and ranks them."
        return answer(json, {"sweep": name, "runs": [run.id for run in runs]}, lambda _: print(queued))
    done = [run for run in runs if run.status == "done"]
    from fer_core.results.ranking import rank

    places = rank(done, lambda run: context.store.predictions(run.id))
    failed = [run for run in runs if run.status != "done"]
    if json:
        errors = {run.id: run.error for run in failed}
        print_json({"sweep": name, "ranking": [place.row() for place in places], "failed": errors})
    else:
        _print_places(places, configs[0])
        print_errors(failed)
    return 1 if failed else 0


def _print_places(places: list[Place], config: RunConfig) -> None:
    print_table([place.row() | {"verdict": place.verdict} for place in places], PLACES)
    print(
        "\nRanked by accuracy on held-out images, with 95 % intervals. 'Behind' is the first one's lead on the "
        "same images; within noise: its 95 % interval (of paired differences, over movies where known) holds 0. p is "
        "McNemar's, not corrected for the number of settings. The first of many is first partly by luck."
    )
    if alike := [str(place.rank) for place in places if place.noise]:
        print(f"Not distinguished from the first: {', '.join(alike)}. More seeds or images would be needed.")
    print_protocols([config.protocol.name])
    print_generated(config.data)
