"""Whether an imported run hangs together: its tables, its summary, its networks."""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_core.config.run import CLASSES, RunConfig
from fer_core.errors import DataError, StoreError
from fer_core.evaluation.metrics.probabilities import COLUMNS as PROBABILITIES
from fer_core.faces.extraction import NOT_DETECTED
from fer_core.runs.jobs.held_run import LOG_WIDTH

NAME = 1000
EPOCH_COLUMNS: dict[str, type] = {
    "seed": int,
    "fold": int,
    "epoch": int,
    "train_loss": float,
    "train_accuracy": float,
    "val_loss": float,
    "val_accuracy": float,
    "lr": float,
    "seconds": float,
    "images": int,
    "train_reverse_loss": float,
    "val_reverse_loss": float,
}
PREDICTION_COLUMNS: dict[str, type] = {
    "seed": int,
    "fold": int,
    "name": str,
    "label": int,
    "group": str,
    "face_status": str,
    **dict.fromkeys(PROBABILITIES, float),
}
LOG_COLUMNS: dict[str, type] = {"line": int, "written": float, "text": str}
MOST_ROWS = 2_000_000
#: What a summary must hold beside the figures that follow from the predictions.
COUNTS = ("images", "unreadable", "folds")
SHARES = ("train_accuracy", "train_loss", "val_loss", "missing_faces")


def records(document: Any, columns: Mapping[str, type], what: str) -> list[dict[str, Any]]:
    """Return a table's rows as records; every cell is of its column's kind, None where a figure is unknown.

    Raises:
        DataError: other columns, or a cell of another kind.
    """
    if not isinstance(document, dict) or document.get("columns") != list(columns):
        raise DataError(f"The table of {what} must have the columns {', '.join(columns)}", got="others")
    rows = document.get("rows")
    if not isinstance(rows, list) or len(rows) > MOST_ROWS:
        raise DataError(f"The table of {what} must have rows, at most {MOST_ROWS}", got=type(rows).__name__)
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(columns):
            raise DataError(f"A row of {what} must have {len(columns)} cells", got=f"row {number}")
        for (name, kind), cell in zip(columns.items(), row, strict=True):
            if not _fits(cell, kind):
                raise DataError(
                    f"{name} of {what} must be a {kind.__name__}", got=f"{cell!r:.80} in row {number}"
                )
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _fits(cell: Any, kind: type) -> bool:
    if kind is float:
        return cell is None or (type(cell) in (int, float) and math.isfinite(cell))
    if kind is int:
        return type(cell) is int and 0 <= cell < 2**53
    return isinstance(cell, str) and len(cell) <= LOG_WIDTH and "\0" not in cell


def check_row(row: Mapping[str, Any], config: RunConfig, predictions: Sequence[Mapping[str, Any]]) -> None:
    """Check that a run's summary follows from its predictions and names all that pages show.

    Raises:
        DataError: it does not.
    """
    from fer_core.evaluation.metrics import summary

    given, environment = row.get("summary"), row.get("environment")
    if not isinstance(given, dict) or not isinstance(environment, dict):
        raise DataError("An exported run must have a summary and an environment", got="none")
    for name in ("created", "finished", "seconds"):
        if not _fits(row.get(name), float) or row.get(name) is None:
            raise DataError(
                f"An exported run's {name} must be a number of seconds", got=repr(row.get(name))[:80]
            )
    folds = {(one["seed"], one["fold"]) for one in predictions}
    if not predictions or {seed for seed, _ in folds} != set(config.protocol.seeds):
        raise DataError("Predictions must be of the seeds of the definition", got=f"{len(folds)} folds")
    values = np.array([[one[name] for name in PROBABILITIES] for one in predictions], dtype=np.float64)
    labels = np.array([one["label"] for one in predictions])
    if not np.isfinite(values).all() or labels.max() >= len(CLASSES) or abs(values.sum(1) - 1).max() > 1e-3:
        raise DataError("Predictions must be probabilities of the seven classes", got="other numbers")
    found = summary(
        labels,
        values,
        [one["group"] for one in predictions],
        ["" if one["face_status"] == NOT_DETECTED else one["face_status"] for one in predictions],
        np.array([one["seed"] for one in predictions]),
        names=[one["name"] for one in predictions],
    )
    found.pop("images")  # of a run: all its images, those never held out too
    for name, value in found.items():
        if not _same(given.get(name), value):
            raise DataError(
                "An exported run's summary must follow from its predictions",
                got=f"{name} is {given.get(name)!r:.80} in place of {value!r:.80}",
                fix="The archive has been changed: get it again from where it came from",
            )
    for name in COUNTS:
        if type(given.get(name)) is not int:
            raise DataError(f"A summary's {name} must be a whole number", got=repr(given.get(name))[:80])
    for name in SHARES:
        if name not in given or not _fits(given[name], float):
            raise DataError(f"A summary's {name} must be a number or null", got=repr(given.get(name))[:80])
    leakage = given.get("leakage")
    if not isinstance(leakage, dict) or not all(
        name in leakage and _fits(leakage[name], float) for name in ("clip", "group", "image")
    ):
        raise DataError(
            "A summary's leakage must have shares of clip, group and image", got=repr(leakage)[:80]
        )


def _same(a: Any, b: Any) -> bool:
    """Whether two JSON-able values agree, floats to a billionth; None and NaN are one."""
    if isinstance(b, Mapping):
        return (
            isinstance(a, Mapping)
            and set(a) == {str(key) for key in b}
            and all(_same(a[str(key)], value) for key, value in b.items())
        )
    if isinstance(b, list | tuple | np.ndarray):
        return isinstance(a, list) and len(a) == len(b) and all(map(_same, a, b))
    unknown = b is None or b != b
    if a is None or unknown:
        return a is None and unknown
    if isinstance(b, float | np.floating):
        return type(a) in (int, float) and math.isclose(a, float(b), rel_tol=1e-9, abs_tol=1e-9)
    return bool(a == b)


def check_networks(folder: Path, config: RunConfig, predictions: Sequence[Mapping[str, Any]]) -> None:
    """Check that the networks are this run's, of its shapes, and gave the predictions beside them.

    Raises:
        DataError: they are not.
    """
    folds = sorted({(one["seed"], one["fold"]) for one in predictions})
    try:
        held = _transfer(folder, config) if config.trains_backbone else _fitted(folder)
    except StoreError as error:
        raise DataError(
            "An exported run's networks must be whole and its own", got=str(error)[:300]
        ) from error
    if sorted(held) != folds:
        raise DataError(
            "There must be a network for each fold of the predictions", got=f"{len(held)} of {len(folds)}"
        )
    for (seed, fold), probabilities in held.items():
        told = np.array(
            [
                [one[name] for name in PROBABILITIES]
                for one in predictions
                if (one["seed"], one["fold"]) == (seed, fold)
            ],
            dtype=np.float64,
        )
        if told.shape != probabilities.shape or not np.array_equal(_sorted(told), _sorted(probabilities)):
            raise DataError(
                "The networks' held-out probabilities must be those of the predictions",
                got=f"others in seed {seed}, fold {fold}",
                fix="The archive has been changed: get it again from where it came from",
            )


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
        found[(seed, fold)] = probabilities.double().numpy()
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
