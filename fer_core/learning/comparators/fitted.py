"""What a fitted comparator leaves in its run's artifact: held-out probabilities, epochs, class prototypes.

Pages read it too, so torch is not needed here.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from fer_core.errors import StoreError
from fer_core.learning.reporting import BdnnEpoch, EpochRecord, FoldResult

ARRAYS, NOTES = "folds.npz", "folds.json"
OPTIONAL = ("prototypes", "distances")


def write_folds(folder: Path, folds: Sequence[FoldResult], names: Sequence[str]) -> None:
    """Write a run's folds, and the names of its images in the order that `indices` count."""
    arrays: dict[str, np.ndarray] = {"names": np.array(names, dtype=np.str_)}
    notes = []
    for number, one in enumerate(folds):
        arrays |= {f"{number}.indices": one.indices, f"{number}.probabilities": one.probabilities}
        arrays |= {
            f"{number}.{name}": value for name in OPTIONAL if (value := getattr(one, name)) is not None
        }
        epochs = [asdict(record) for record in one.epochs]
        notes.append({"seed": one.seed, "fold": one.fold, "epochs": epochs, "note": one.note})
    np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type]
    (folder / NOTES).write_text(json.dumps(notes), encoding="utf-8")


def read_folds(folder: Path) -> tuple[list[FoldResult], list[str]]:
    """Return what `write_folds` wrote: the folds and the images' names.

    Raises:
        StoreError: the files are missing or damaged.
    """
    try:
        notes = json.loads((folder / NOTES).read_text(encoding="utf-8"))
        with np.load(folder / ARRAYS) as arrays:
            folds = [
                FoldResult(
                    seed=note["seed"],
                    fold=note["fold"],
                    indices=arrays[f"{number}.indices"],
                    probabilities=arrays[f"{number}.probabilities"],
                    epochs=tuple(
                        (BdnnEpoch if "train_reverse_loss" in fields else EpochRecord)(**fields)
                        for fields in note["epochs"]
                    ),
                    note=note["note"],
                    **{name: arrays[f"{number}.{name}"] for name in OPTIONAL if f"{number}.{name}" in arrays},
                )
                for number, note in enumerate(notes)
            ]
            return folds, arrays["names"].tolist()
    except (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError, BadZipFile) as error:
        raise StoreError(
            "a run's folds must be readable", got=f"{folder.name}: {error}", fix="Run it again"
        ) from error
