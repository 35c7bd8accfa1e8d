"""Sweeps: every unfreeze setting of every backbone by every recipe, ranked, with what is noise named so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fer_core.evaluation.metrics import first_seed_p, paired
from fer_core.storage.store import StoredRun

from .rows import run_row, title


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
