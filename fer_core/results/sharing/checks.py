"""Whether an imported run hangs together: its tables, its summary, its networks.

What the networks gave for the held-out images is compared as stored numbers; that the networks beside them are whole
and run here is seen by a probe (`probe`). Neither proves that the run was trained as it says.
"""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from fer_core.config.run import CLASSES, RunConfig
from fer_core.errors import DataError, StoreError
from fer_core.evaluation.metrics.probabilities import COLUMNS as PROBABILITIES
from fer_core.evaluation.metrics.probabilities import probabilities_of
from fer_core.runs.jobs.held_run import EPOCH_COLUMNS, LOG_LINES, LOG_WIDTH, PREDICTION_COLUMNS
from fer_core.storage.values import jsonable, moment_problem
from fer_core.storage.zips import BROKEN, open_zip

#: Most rows of a table.
MOST_ROWS = {"epochs": 500_000, "predictions": 1_000_000, "log": LOG_LINES}
#: Most bytes of a comparator's folds, and of what a network's file holds beside its tensors, an image of it apart.
MOST_FOLDS, BESIDE = 128 << 20, 1 << 20
CHANGED = "The archive has been changed: get it again from where it came from"


def _not_absurd(seconds: float) -> float:
    """Return a time that can have been; raises ValueError."""
    if problem := moment_problem(seconds):
        raise ValueError(problem)
    return seconds


Count = Annotated[int, Field(strict=True, ge=0, lt=10**9)]
Figure = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1e12, le=1e12)]
Positive = Annotated[Figure, Field(ge=0.0)]
Share = Annotated[float, Field(strict=True, ge=0.0, le=1.0)]
Moment = Annotated[float, Field(strict=True, allow_inf_nan=False), AfterValidator(_not_absurd)]
Text = Annotated[str, Field(strict=True, max_length=LOG_WIDTH, pattern=r"^[^\x00]*$")]
Known = Count | Figure | Text | bool | None

KINDS = dict.fromkeys(("fold", "epoch", "images"), Count) | {
    "seed": Annotated[int, Field(strict=True, ge=0, lt=2**53)]
}
#: The tables of a run: what a cell of each column is; None where a figure is unknown.
TABLES: dict[str, dict[str, Any]] = {
    "epochs": dict.fromkeys(EPOCH_COLUMNS, Positive | None)
    | dict.fromkeys(("train_accuracy", "val_accuracy"), Share | None)
    | KINDS,
    "predictions": dict.fromkeys(PREDICTION_COLUMNS, Text)
    | {"seed": KINDS["seed"], "fold": Count, "label": Annotated[Count, Field(lt=len(CLASSES))]}
    | dict.fromkeys(PROBABILITIES, Share),
    "log": {"line": Count, "written": Moment, "text": Text},
}
#: What names a row of a table.
NAMED_BY = {"epochs": ("seed", "fold", "epoch"), "predictions": ("seed", "fold", "name"), "log": ("line",)}


class Leakage(BaseModel):
    """The shares of held-out images that have a relative in training."""

    clip: Share | None
    group: Share | None
    group_known: Share | None
    image: Share | None
    detector: Share | None


class Summary(BaseModel):
    """What a summary must hold beside the figures that follow from the predictions."""

    model_config = ConfigDict(extra="allow")

    images: Count
    unreadable: Count
    folds: Count
    train_accuracy: Share | None
    train_loss: Positive | None
    val_loss: Positive | None
    missing_faces: Count | None
    leakage: Leakage
    trainable: Count | None = None
    over_epochs: dict[str, Figure | None] = {}
    temperatures: list[Figure] = []


class RunDocument(BaseModel):
    """A run's row."""

    config: dict[str, Any]
    created: Moment
    finished: Moment
    seconds: Positive
    summary: Summary
    environment: dict[Text, Known | dict[Text, Known]]
    extra: dict[str, Any] = {}


class Note(BaseModel):
    """What a network's file says of its training, as far as predictions rest on it."""

    precision: Literal["float32", "tf32", "bf16"] = "float32"
    temperature: Annotated[Figure, Field(gt=0.0)] | None = None


class Probe(BaseModel):
    """What the networks answered where they were exported."""

    logits: dict[str, list[list[Figure]]]


def check(kind: Any, document: Any, what: str) -> Any:
    """Return a document as what it must be, such as `RunDocument`. Raises DataError where it is something else."""
    try:
        return TypeAdapter(kind).validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, (what, *first["loc"])))
        raise DataError(
            "An exported run's documents must be as FER Lab writes them",
            got=f"{first['input']!r:.80} in {place}: {first['msg']}",
        ) from error


def records(document: Any, what: str) -> list[dict[str, Any]]:
    """Return the rows of one of `TABLES` as records.

    Raises:
        DataError: other columns, or a cell of another kind.
    """
    columns = TABLES[what]
    table = check(dict[str, list[Any]], document, what)
    if table.get("columns") != list(columns):
        raise DataError(f"The table of {what} must have the columns {', '.join(columns)}", got="others")
    row = tuple[tuple(columns.values())]  # type: ignore[misc, valid-type]
    kind = Annotated[list[row], Field(max_length=MOST_ROWS[what])]  # type: ignore[valid-type]
    rows = [dict(zip(columns, row, strict=True)) for row in check(kind, table.get("rows"), what)]
    if len({tuple(one[name] for name in NAMED_BY[what]) for one in rows}) < len(rows):
        raise DataError(f"A row of {what} must stand there once", got="one twice", fix=CHANGED)
    return rows


def check_summary(
    given: Mapping[str, Any], config: RunConfig, predictions: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Check that a run's summary follows from its predictions, and return what does follow by today's rules.

    An older version's intervals, and its support by image and seed, are not looked at: they are replaced.

    Raises:
        DataError: it does not.
    """
    from fer_core.runs.pipeline.summary import figures_of, summarise_sets

    if {one["seed"] for one in predictions} != set(config.protocol.seeds):
        raise DataError("Predictions must be of the seeds of the definition", got=f"{len(predictions)} rows")
    table = pd.DataFrame(predictions)
    if abs(probabilities_of(table).sum(1) - 1).max() > 1e-3:
        raise DataError("Predictions must be probabilities of the seven classes", got="other numbers")
    found = figures_of(table)
    if not found.pop("images") <= given["images"] <= MOST_ROWS["predictions"]:  # those never held out too
        raise DataError("A run's images must be at least those held out", got=given["images"])
    found = jsonable(found | summarise_sets(config, table))
    for name, value in found.items():
        if not ("interval" in name or _same(given.get(name), value)):
            raise DataError(
                "An exported run's summary must follow from its predictions",
                got=f"{name} is {given.get(name)!r:.80} instead of {value!r:.80}",
                fix=CHANGED,
            )
    return found


def _same(a: Any, b: Any) -> bool:
    """Return whether two JSON values agree, numbers to a billionth."""
    if isinstance(a, dict) and isinstance(b, dict):
        names = [key for key in b if "interval" not in key and key != "support"]
        return all(key in a and _same(a[key], b[key]) for key in names)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, int | float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
    return bool(a == b)


def check_networks(
    folder: Path, config: RunConfig, predictions: Sequence[Mapping[str, Any]], probe: Probe | None
) -> None:
    """Check that the networks are this run's, of its shapes, with the held-out probabilities of the predictions.

    Args:
        probe: what the networks of a transferred backbone answer; None for a comparator.

    Raises:
        DataError: they are not.
    """
    held: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
    for one in predictions:
        held.setdefault((one["seed"], one["fold"]), []).append(one)
    try:
        found = (
            _fitted(folder) if probe is None else _transfer(folder, config, probe.logits, len(predictions))
        )
    except (StoreError, ValueError, TypeError) as error:
        raise DataError(
            "An exported run's networks must be whole and this run's", got=str(error)[:300], fix=CHANGED
        ) from error
    if found.keys() != held.keys():
        raise DataError(
            "There must be a network for each fold of the predictions", got=f"{len(found)} of {len(held)}"
        )
    for (seed, fold), probabilities in found.items():
        if not np.array_equal(_sorted(_probabilities(held[seed, fold])), _sorted(probabilities)):
            raise DataError(
                "The networks' held-out probabilities must be those of the predictions",
                got=f"others in seed {seed}, fold {fold}",
                fix=CHANGED,
            )


def _probabilities(predictions: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Return predictions as an (M, 7) array."""
    return np.array([[one[name] for name in PROBABILITIES] for one in predictions], dtype=np.float64)


def _sorted(values: np.ndarray) -> np.ndarray:
    return values[np.lexsort(values.T)]


def _seven(values: Any) -> np.ndarray:
    """Return what a file holds as (M, 7) float64. Raises ValueError."""
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 2 or found.shape[1] != len(CLASSES):
        raise ValueError(f"{found.shape} instead of seven numbers an image")
    return found


def _transfer(
    folder: Path, config: RunConfig, logits: Mapping[str, Any], images: int
) -> dict[tuple[int, int], np.ndarray]:
    """Return each fold's held-out probabilities (M, 7); its tensors are checked, and the network is run.

    Raises:
        StoreError, ValueError, TypeError: what a network's file holds is not this run's.
        DataError: a network doesn't answer as it did where it was exported.
    """
    from fer_core.learning.training import checkpoints

    from .networks import Blank, unlike

    blank, found = Blank(config), {}
    for path in sorted(folder.glob("*.safetensors")):
        if path.stat().st_size > blank.bytes + 100 * images + BESIDE:
            raise StoreError(f"A network's file may have {blank.bytes + BESIDE} bytes", got=path.name)
        tensors, note = checkpoints.read(path, run=config.key())
        seed, fold = (int(part) for part in re.findall(r"\d+", path.stem))
        check(Note, note.get("training", {}), path.name)
        if (note.get("seed"), note.get("fold")) != (seed, fold):
            raise StoreError("A network must be named by its seed and fold", got=path.name)
        probabilities = tensors.pop("predictions.probabilities", None)
        tensors.pop("predictions.indices", None)
        if probabilities is None or {name: value.shape for name, value in tensors.items()} != blank.shapes:
            raise StoreError(
                f"A network must have the trained blocks of {config.transfer.backbone}", got=path.name
            )
        found[seed, fold] = _seven(probabilities.double())
        answers = blank.answers(tensors)
        said = _seven(logits.get(path.name, ()))
        if problem := unlike(said, answers, found[seed, fold]):
            raise DataError(
                "A network must answer as it did where it was exported",
                got=f"{problem}, {path.name}",
                fix=CHANGED,
            )
    return found


def _fitted(folder: Path) -> dict[tuple[int, int], np.ndarray]:
    from fer_core.learning.comparators.fitted import ARRAYS, NOTES, read_folds

    try:
        with (folder / ARRAYS).open("rb") as file, open_zip(file) as arrays:
            sizes = [entry.file_size for entry in arrays.infolist()]
            if sum(sizes) + (folder / NOTES).stat().st_size > MOST_FOLDS:
                raise StoreError(f"A run's fitted folds may have {MOST_FOLDS >> 20} MiB", got=ARRAYS)
    except (*BROKEN, OSError) as error:
        raise StoreError("A run's fitted folds must be readable", got=str(error)) from error
    return {(one.seed, one.fold): _seven(one.probabilities) for one in read_folds(folder)[0]}
