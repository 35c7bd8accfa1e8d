"""SFEW's two-set figures: those of each set, tested by what was trained on the other, and their mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .classification import class_figures, confusion
from .intervals import share

SHARES = ("precision", "recall", "specificity", "f1")


def two_sets(
    labels: ArrayLike,
    guesses: ArrayLike,
    folds: ArrayLike,
    seeds: ArrayLike,
    groups: Sequence[str],
    names: Sequence[str],
) -> dict[str, Any]:
    """Return what Dhall et al. (2011) report under the strictly person independent protocol.

    A set counts half, whatever its size, so the accuracy can differ from that of all images together. Several seeds
    are averaged.

    Args:
        folds: (N,) 0 for images of set2, tested by a model of set1; 1 the other way round.
        seeds: (N,) seed of the row.
        groups, names: (N,) as `intervals.share` takes them.

    Returns:
        JSON-able, shares in 0..1: accuracy and per_class (class, precision, recall, specificity, f1), the means over
        both sets; sets, a record each: tested, images, accuracy, interval and interval_over
        (`intervals.share`), per_class. A share that
        is 0/0 in one set (NaN) is that of the other.
    """
    truth, said, fold, seed = (np.asarray(values) for values in (labels, guesses, folds, seeds))
    count = len(np.unique(seed))
    sets, tables, accuracies = [], [], []
    for number, tested in ((0, "set2"), (1, "set1")):
        here = fold == number
        rows = np.flatnonzero(here).tolist()
        found = share((truth == said)[here], [groups[row] for row in rows], [names[row] for row in rows])
        figures = class_figures(confusion(truth[here], said[here]), count)
        tables.append(figures)
        accuracies.append(found.value)
        sets.append(
            {
                "tested": tested,
                "images": len(rows) // count,
                "accuracy": found.value,
                "interval": list(found.interval),
                "interval_over": found.over,
                "per_class": figures.to_dict("records"),
            }
        )
    both = pd.concat(tables)
    return {
        "accuracy": float(np.mean(accuracies)),
        "per_class": both.groupby("class", sort=False)[list(SHARES)].mean().reset_index().to_dict("records"),
        "sets": sets,
    }
