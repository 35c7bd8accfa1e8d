"""How fast a run trains and what is left of it, from the epochs it has written; how long one would take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fer_core.config.run import RunConfig

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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


def estimate(config: RunConfig, done: Iterable[StoredRun]) -> float | None:
    """Return the seconds that a run would take, from the finished run most like it; None where none is like it.

    Like it is a run of the same kind of model, of the same backbone and n; its time is scaled by images, networks
    and epochs. What is prepared once for several runs is not told from what each does.
    """
    model = config.model

    def likeness(run: StoredRun) -> tuple[bool, ...]:
        own = run.config
        return (
            own.data.key() == config.data.key(),
            own.training == config.training,
            own.protocol == config.protocol,
        )

    def alike(run: StoredRun) -> bool:
        own = run.config.model
        fields = ("kind", "backbone", "unfreeze", "inputs")
        return run.seconds > 0 and all(getattr(own, f, None) == getattr(model, f, None) for f in fields)

    best = max((run for run in done if alike(run)), key=likeness, default=None)
    return None if best is None else best.seconds * _work(config) / _work(best.config)


def remaining(active: Sequence[tuple[StoredRun, Pace]], done: Sequence[StoredRun]) -> float | None:
    """Return the seconds until the last of some runs ends, one after another; None while one's time is not known."""
    left = [
        one.seconds_left if one.seconds_left is not None else estimate(run.config, done)
        for run, one in active
    ]
    return None if None in left else sum(filter(None, left))


def _work(config: RunConfig) -> int:
    return max(config.data.images, 1) * config.protocol.networks * config.epochs


def duration(seconds: float) -> str:
    """Return a time for people: 40 s, 12 min, 3 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
