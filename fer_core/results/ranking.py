"""Sweeps: every unfreeze setting of every backbone by every recipe, ranked, with what is noise named so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fer_core.evaluation.metrics import first_seed_p, paired
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.storage.store import StoredRun

from .rows import honest, run_row, title
from .shares import accuracy_interval, percent

#: Settings that `opening` compares: each one's predictions are read.
COMPARED = 20


@dataclass(frozen=True)
class Place:
    """A run's place in a sweep.

    Attributes:
        rank: from 1, by validation accuracy.
        difference: the first one's accuracy minus this one's, on the images both were judged on; with its
            95 % interval (`metrics.paired`), what that is `over` and the p-value of McNemar's exact
            test on the first seed. None for the first one itself.
        noise: whether that interval holds 0, or there is none (few movies): the two can't be distinguished here.
    """

    rank: int
    run: StoredRun
    difference: float | None
    interval: tuple[float, float] | None
    over: str | None
    p: float | None
    noise: bool

    @property
    def verdict(self) -> str:
        """How it stands to the first: 'first' itself, 'within noise' of it or 'behind'."""
        return "first" if self.rank == 1 else "within noise" if self.noise else "behind"

    def row(self) -> dict[str, Any]:
        """Return it as one flat row, with the run's own (`results.run_row`)."""
        return {
            "rank": self.rank,
            "title": title(self.run),
            **run_row(self.run),
            "behind": self.difference,
            "behind_interval": self.interval,
            "behind_interval_over": self.over,
            "p": self.p,
            "within_noise": self.noise,
        }


def rank(runs: Sequence[StoredRun], predictions: Callable[[StoredRun], pd.DataFrame]) -> list[Place]:
    """Rank finished runs of one data set under one protocol by validation accuracy, best first.

    Several seeds of an image count as one, its mean; McNemar's test, which needs a right or wrong, reads the
    first seed. The first of many is first partly by luck, so its own accuracy is a little optimistic.
    """
    ordered = sorted(runs, key=lambda run: -run.summary["val_accuracy"])
    if not ordered:
        return []
    best = predictions(ordered[0])
    places = [Place(1, ordered[0], None, None, None, None, False)]
    for number, run in enumerate(ordered[1:], 2):
        other = predictions(run)
        gap, _ = paired(other, best)
        low, high = gap.interval
        apart = low > 0 or high < 0
        places.append(
            Place(number, run, gap.value, (low, high), gap.over, first_seed_p(other, best), not apart)
        )
    return places


def opening(runs: Sequence[StoredRun], predictions: Callable[[StoredRun], pd.DataFrame]) -> list[str]:
    """Say of finished runs which setting is best, what it beats beyond noise, and what leaking protocols claim.

    A setting counts with the run of most seeds and folds that nothing flatters (`rows.honest`), not with its
    luckiest.

    Returns:
        Sentences, the best one first; none without runs.
    """
    ordered = sorted(runs, key=lambda run: -run.summary["val_accuracy"])
    leaking = [run for run in ordered if not (honest(run) or run.config.data.excluded)]
    settings: dict[str, StoredRun] = {}
    for run in ordered:
        known = settings.get(title(run))
        if honest(run) and (known is None or _weight(run) > _weight(known)):
            settings[title(run)] = run
    said = []
    best_first = sorted(settings.values(), key=lambda run: -run.summary["val_accuracy"])
    places = rank(best_first[:COMPARED], predictions)
    if places:
        best = places[0].run
        said.append(
            f"The best setting that doesn't leak is {_called(best)}: {_figure(best)}, 95 % interval "
            f"{accuracy_interval(best.summary)}."
        )
        behind = [place for place in places[1:] if not place.noise]
        close = [_called(place.run) for place in places[1:] if place.noise]
        if behind:
            beaten = (
                f"{_called(place.run)} (by {100 * place.difference:.1f} points, at least "  # type: ignore[operator]
                f"{100 * min(map(abs, place.interval)):.1f})"  # type: ignore[arg-type]
                for place in behind
            )
            said.append(f"Beyond noise it beats {'; '.join(beaten)}.")
        if close:
            said.append(f"Within noise of it: {'; '.join(close)}.")
    elif leaking:
        said.append("No run here is free of leaks, so none shows which setting is better.")
    if leaking:
        said.append(
            f"Leaking protocols would have claimed up to {_figure(leaking[0])} for {_called(leaking[0])}."
        )
        same = [run for run in leaking if places and title(run) == title(places[0].run)]
        if same and same[0] is not leaking[0]:
            said.append(f"For the best setting they claim {_figure(same[0])}.")
    return said


def _called(run: StoredRun) -> str:
    return f"“{run.name}”" if run.name else title(run)


def _weight(run: StoredRun) -> tuple[int, int]:
    return len(run.config.protocol.seeds), run.summary["folds"]


def _figure(run: StoredRun) -> str:
    return f"{percent(run.summary['val_accuracy'])} ({PROTOCOLS[run.protocol].title.lower()})"
