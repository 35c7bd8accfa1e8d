"""Whether an imported run hangs together: its tables, its summary, its networks."""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from fer_core.config.run import CLASSES, RunConfig
from fer_core.errors import DataError, StoreError
from fer_core.evaluation.metrics.probabilities import COLUMNS as PROBABILITIES
from fer_core.faces.extraction import NOT_DETECTED
from fer_core.runs.jobs.held_run import EPOCH_COLUMNS, LOG_WIDTH, PREDICTION_COLUMNS
from fer_core.storage.values import jsonable

MOST_ROWS = 2_000_000
CHANGED = "The archive has been changed: get it again from where it came from"

Count = Annotated[int, Field(strict=True, ge=0, lt=2**53)]
Figure = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Text = Annotated[str, Field(strict=True, max_length=LOG_WIDTH, pattern=r"^[^\x00]*$")]

COUNTS = dict.fromkeys(("seed", "fold", "epoch", "images"), Count)
#: The tables of a run: what a cell of each column is; None where a figure is unknown.
TABLES: dict[str, dict[str, Any]] = {
    "epochs": {name: COUNTS.get(name, Figure | None) for name in EPOCH_COLUMNS},
    "predictions": dict.fromkeys(PREDICTION_COLUMNS, Text)
    | {"seed": Count, "fold": Count, "label": Annotated[Count, Field(lt=len(CLASSES))]}
    | dict.fromkeys(PROBABILITIES, Figure),
    "log": {"line": Count, "written": Figure, "text": Text},
}


class Leakage(BaseModel):
    """The shares of held-out images that have a relative in training."""

    clip: Figure | None
    group: Figure | None
    image: Figure | None


class Summary(BaseModel):
    """What a summary must hold beside the figures that follow from the predictions."""

    model_config = ConfigDict(extra="allow")

    images: Count
    unreadable: Count
    folds: Count
    train_accuracy: Figure | None
    train_loss: Figure | None
    val_loss: Figure | None
    missing_faces: Figure | None
    leakage: Leakage


class RunDocument(BaseModel):
    """A run's row."""

    config: dict[str, Any]
    created: Figure
    finished: Figure
    seconds: Figure
    summary: Summary
    environment: dict[str, Any]
    extra: dict[str, Any] = {}


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
    rows = check(Annotated[list[row], Field(max_length=MOST_ROWS)], table.get("rows"), what)  # type: ignore[valid-type]
    return [dict(zip(columns, row, strict=True)) for row in rows]


def check_summary(
    given: Mapping[str, Any], config: RunConfig, predictions: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Check that a run's summary follows from its predictions, and return what does follow by today's rules.

    An older version's intervals, and its support by image and seed, are not looked at: they are replaced.

    Raises:
        DataError: it does not.
    """
    from fer_core.evaluation.metrics import summary

    if {one["seed"] for one in predictions} != set(config.protocol.seeds):
        raise DataError("Predictions must be of the seeds of the definition", got=f"{len(predictions)} rows")
    values = _probabilities(predictions)
    if abs(values.sum(1) - 1).max() > 1e-3:
        raise DataError("Predictions must be probabilities of the seven classes", got="other numbers")
    found = summary(
        np.array([one["label"] for one in predictions]),
        values,
        [one["group"] for one in predictions],
        ["" if one["face_status"] == NOT_DETECTED else one["face_status"] for one in predictions],
        np.array([one["seed"] for one in predictions]),
        names=[one["name"] for one in predictions],
    )
    found.pop("images")  # of a run: all its images, those never held out too
    found = jsonable(found)
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


def check_networks(folder: Path, config: RunConfig, predictions: Sequence[Mapping[str, Any]]) -> None:
    """Check that the networks are this run's, of its shapes, and gave the predictions beside them.

    Raises:
        DataError: they are not.
    """
    held: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
    for one in predictions:
        held.setdefault((one["seed"], one["fold"]), []).append(one)
    try:
        found = _transfer(folder, config) if config.trains_backbone else _fitted(folder)
    except StoreError as error:
        raise DataError(
            "An exported run's networks must be whole and this run's", got=str(error)[:300]
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


def _transfer(folder: Path, config: RunConfig) -> dict[tuple[int, int], np.ndarray]:
    """Return each fold's held-out probabilities (M, 7), its tensors checked against the network's shapes."""
    from fer_core.learning.networks.transfer import build
    from fer_core.learning.training import checkpoints

    chain = build(config.transfer.model_copy(update={"weights": "none"}), None)
    suffix = chain.suffix(chain.row.boundary(config.transfer.unfreeze))
    shapes = {f"suffix.{name}": value.shape for name, value in suffix.state_dict().items()}
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        tensors, note = checkpoints.read(path, run=config.key())
        seed, fold = (int(part) for part in re.findall(r"\d+", path.stem))
        if (note.get("seed"), note.get("fold")) != (seed, fold):
            raise StoreError("A network must be named by its seed and fold", got=path.name)
        probabilities = tensors.pop("predictions.probabilities", None)
        tensors.pop("predictions.indices", None)
        if probabilities is None or {name: value.shape for name, value in tensors.items()} != shapes:
            raise StoreError(
                f"A network must have the trained blocks of {config.transfer.backbone}", got=path.name
            )
        found[seed, fold] = probabilities.double().numpy()
    return found


def _fitted(folder: Path) -> dict[tuple[int, int], np.ndarray]:
    from fer_core.learning.comparators.fitted import ARRAYS, read_folds

    try:
        with zipfile.ZipFile(folder / ARRAYS) as arrays:
            if sum(entry.file_size for entry in arrays.infolist()) > 1 << 30:
                raise StoreError("A run's fitted folds may have 1 GiB", got=ARRAYS)
    except (zipfile.BadZipFile, OSError) as error:
        raise StoreError("A run's fitted folds must be readable", got=str(error)) from error
    return {(one.seed, one.fold): one.probabilities.astype(np.float64) for one in read_folds(folder)[0]}
