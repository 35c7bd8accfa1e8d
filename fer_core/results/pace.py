"""How fast a run trains and what is left of it, from the epochs it has written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from fer_core.storage.store import StoredRun

#: Epochs that the pace is taken from, the newest.
RECENT = 40


@dataclass(frozen=True)
class Pace:
    """A training's pace.

    Attributes:
        done: epochs trained, over all folds and seeds, of `total`.
        images_per_second: training images a second, evaluation between epochs counted in; None while unknown.
        seconds_left: of training; None while unknown.
        accuracy: validation accuracy by epoch, the mean of the folds that have reached it.
    """

    done: int
    total: int
    images_per_second: float | None
    seconds_left: float | None
    accuracy: tuple[float, ...]


def pace(run: StoredRun, epochs: pd.DataFrame) -> Pace:
    """Return the pace of a run that trains.

    Args:
        epochs: the run's, as `Store.epochs` gives them. Only the newest are looked at, so that the pause after an
            attempt that was cut off is soon forgotten.
    """
    by_epoch = epochs.groupby("epoch")["val_accuracy"].mean() if len(epochs) else None
    accuracy = () if by_epoch is None else tuple(float(value) for value in by_epoch)
    total = run.step_total if run.step == "train" else 0
    recent = epochs[epochs["written"] >= (run.started or 0.0)].nlargest(RECENT, "written")
    first = recent["written"].min() if len(recent) else 0.0
    # What was written first only starts the clock: when it was begun is not known.
    later = recent[recent["written"] > first]
    if not total or later.empty:
        return Pace(run.step_done if total else len(epochs), total, None, None, accuracy)
    seconds = float(later["written"].max() - first)
    left = (total - run.step_done) * seconds / len(later)
    return Pace(run.step_done, total, float(later["images"].sum()) / seconds, max(0.0, left), accuracy)
