"""How far an accuracy can be trusted: over images, groups of images and seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Interval = tuple[float, float]

#: What all intervals hold, and the standard errors on either side of a mean that do so.
LEVEL, Z = 0.95, 1.96

#: Bootstrap resamples: the ends of a 95 % interval then vary by about a twentieth of its width.
RESAMPLES = 2000

UNKNOWN: Interval = (float("nan"), float("nan"))


def wilson(correct: float, total: float) -> Interval:
    """Return the Wilson score interval of a share; it takes images as independent.

    Fractions are allowed, for means over seeds. Without images: (nan, nan).
    """
    if not 0 <= correct <= total:
        raise ValueError(f"correct must lie between 0 and total; got {correct} of {total}")
    if total == 0:
        return UNKNOWN
    low, high = wilson_intervals(correct, total)
    return float(low), float(high)


def wilson_intervals(correct: ArrayLike, total: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lower and the upper ends of many shares' Wilson intervals at once; each total is above 0."""
    from statsmodels.stats.proportion import proportion_confint

    counts, sizes = np.asarray(correct, dtype=float), np.asarray(total, dtype=float)
    low, high = proportion_confint(counts, sizes, alpha=1 - LEVEL, method="wilson")
    return np.maximum(0.0, low), np.minimum(1.0, high)


def group_interval(figures: ArrayLike, groups: Sequence[str], names: Sequence[str] | None = None) -> Interval:
    """Return the percentile interval of a mean under a bootstrap that draws whole groups.

    Frames of one film are alike, so this is usually wider than Wilson's, and the one to believe; with fewer
    than about ten groups it is still too narrow.

    Args:
        figures: (N,) truth values, or any figures whose mean is meant.
        groups, names: (N,) as `members_of` takes them. With one group the interval is (nan, nan).
    """
    values, members = np.asarray(figures, np.float64), members_of(groups, names)
    if len(values) == 0 or members.max() == 0:
        return UNKNOWN
    sums, sizes = np.bincount(members, values), np.bincount(members).astype(float)
    rng = np.random.default_rng(0)
    means = []
    step = max(1, 4_000_000 // len(sums))  # bounds the memory of one draw to 32 MB
    for start in range(0, RESAMPLES, step):
        times = rng.multinomial(
            len(sums), np.full(len(sums), 1 / len(sums)), size=min(step, RESAMPLES - start)
        )
        means.append((times @ sums) / (times @ sizes))
    low, high = np.quantile(np.concatenate(means), [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return float(low), float(high)


def seed_interval(values: Iterable[float]) -> Interval:
    """Return Student's t interval of the mean over seeds, (nan, nan) for fewer than two."""
    from scipy.stats import t

    figures = np.asarray(list(values), np.float64)
    if len(figures) < 2:
        return UNKNOWN
    half = t.ppf(0.5 + LEVEL / 2, len(figures) - 1) * figures.std(ddof=1) / np.sqrt(len(figures))
    return float(figures.mean() - half), float(figures.mean() + half)


def members_of(groups: Sequence[str], names: Sequence[str] | None = None) -> NDArray[np.intp]:
    """Number the groups from 0; where a group is unknown ("") the image's name, or its row, stands for it."""
    stand_ins = range(len(groups)) if names is None else names
    keys = [(1, group) if group else (0, str(name)) for group, name in zip(groups, stand_ins, strict=True)]
    number = {key: index for index, key in enumerate(dict.fromkeys(keys))}
    return np.array([number[key] for key in keys], dtype=np.intp)
