"""How far an accuracy can be trusted: one rule gives its interval and the name of what that is over.

`benchmarks/coverage.py` measures how often the intervals hold the truth; docs/figures.md has its table.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Interval = tuple[float, float]

#: What all intervals hold, and the standard errors on either side of a mean that do so.
LEVEL, Z = 0.95, 1.96

#: Groups, and degrees of freedom, below which no interval over groups is shown: chosen by measured coverage.
MIN_GROUPS, MIN_DF = 5, 2.0

#: For a difference: groups below which none is shown, and up to which it is read off all subsets of them.
MIN_PAIRED, FEW = 8, 20

#: Seeds below which no interval over seeds is shown, but their figures.
MIN_SEEDS = 5

UNKNOWN: Interval = (float("nan"), float("nan"))


@dataclass(frozen=True)
class Estimate:
    """A mean, its 95 % interval, (nan, nan) where none is shown, and what that is over or why there is none."""

    value: float
    interval: Interval
    over: str

    def named(self, name: str, before: str | None = None) -> dict[str, object]:
        """Return it as it is stored: under `name`, and `before`interval and `before`interval_over (`name`_ if None)."""
        before = f"{name}_" if before is None else before
        return {
            name: self.value,
            f"{before}interval": list(self.interval),
            f"{before}interval_over": self.over,
        }


def share(figures: ArrayLike, groups: Sequence[str], names: Sequence[str] | None = None) -> Estimate:
    """Return the mean of shares with its interval: over groups where any is known, else over images (Wilson).

    Frames of one movie are alike, so a movie counts as one. The interval is Student's t on the log odds, with the
    cluster-robust variance and degrees of freedom of Bell and McCaffrey (2002), the latter for the intraclass
    correlation that the groups show.

    Args:
        figures: (N,) in 0..1: right or wrong, a row an image and seed, or an image's mean over seeds.
        groups: (N,) names of what is alike; "" is unknown, and the image then stands for itself.
        names: (N,) of the images; without them each row is an image.
    """
    return _estimate(figures, groups, names, of_shares=True)


def difference(
    gains: ArrayLike, groups: Sequence[str], names: Sequence[str] | None = None, *, most: float = float("inf")
) -> Estimate:
    """Return the mean of figures on any scale, such as paired gains, with the interval over groups or images.

    Between two systems groups differ by more than chance would have it, which makes Student's t too wide. Up to `FEW`
    groups the ends are typical values (Hartigan 1969): of the means of all subsets of the groups (4,095 drawn ones
    above 12) those that as many lie beyond as the level allows; exact where a group's gain strays to either side
    alike. With more groups, or images, it is t on the mean as in `share`, cut at -`most` and `most`: 1 for shares.
    """
    found = _estimate(gains, groups, names, of_shares=False)
    low, high = found.interval
    return Estimate(
        found.value, found.interval if low != low else (max(low, -most), min(high, most)), found.over
    )


def _estimate(
    figures: ArrayLike, groups: Sequence[str], names: Sequence[str] | None, *, of_shares: bool
) -> Estimate:
    values, members = np.asarray(figures, np.float64), members_of(groups, names)
    if not len(values):
        return Estimate(float("nan"), UNKNOWN, "no images")
    mean, count = float(values.mean()), int(members.max()) + 1
    if any(groups):
        over = f"{count} movies or persons" if count > 1 else "1 movie or person"
    else:
        over = f"{count} images"
        if of_shares and count == len(values):  # one answer an image
            return Estimate(mean, wilson(values.sum(), count), f"{over} (Wilson)")
    least = MIN_GROUPS if of_shares else MIN_PAIRED
    if count < least:
        return Estimate(mean, UNKNOWN, f"no interval: {over}, fewer than {least}")
    error, df = _standard_error(values, members)
    if df < MIN_DF:
        return Estimate(mean, UNKNOWN, f"no interval: {over}, but most images are of one or two")
    if not of_shares and error == 0:
        return Estimate(mean, UNKNOWN, f"no interval: {over} that don't differ")
    if not of_shares and count <= FEW:
        return Estimate(mean, _typical(values, members), over)
    return Estimate(mean, _interval(mean, error, df, count, of_shares=of_shares), over)


def _typical(values: NDArray[np.float64], groups: NDArray[np.intp]) -> Interval:
    """Return the ends of the interval of a mean among the means of subsets of its groups."""
    sizes, sums = np.bincount(groups), np.bincount(groups, values)
    count = len(sizes)
    if count <= 12:
        subsets = np.arange(1, 2**count)[:, None] >> np.arange(count) & 1
    else:
        drawn = np.random.default_rng(0).integers(0, 2, (4095, count))
        subsets = drawn[drawn.any(axis=1)]
    means = np.sort((subsets @ sums) / (subsets @ sizes))
    beyond = int((1 - LEVEL) / 2 * (len(means) + 1)) - 1
    return float(means[beyond]), float(means[-1 - beyond])


def _interval(mean: float, error: float, df: float, groups: int, *, of_shares: bool) -> Interval:
    from scipy.special import expit, logit, stdtrit

    if of_shares and (error == 0 or not 0 < mean < 1):  # all groups alike: each counts as one answer
        return wilson(mean * groups, groups)
    half = float(stdtrit(df, 0.5 + LEVEL / 2)) * error
    if not of_shares:
        return mean - half, mean + half
    low, high = expit(logit(mean) + np.array([-half, half]) / (mean * (1 - mean)))
    return float(low), float(high)


def _standard_error(values: NDArray[np.float64], groups: NDArray[np.intp]) -> tuple[float, float]:
    """Return the cluster-robust standard error of a mean (CR2) and its Satterthwaite degrees of freedom."""
    sizes, sums = np.bincount(groups).astype(float), np.bincount(groups, values)
    total, mean, count = sizes.sum(), values.mean(), len(sizes)
    weights = sizes / total
    scale = 1 / (1 - weights)
    error = np.sqrt((scale * (sums - sizes * mean) ** 2).sum()) / total
    # The working model: figures of a group correlate by rho, estimated by analysis of variance.
    rho = 0.0
    if total > count:
        within = ((values - (sums / sizes)[groups]) ** 2).sum() / (total - count)
        between = (sizes * (sums / sizes - mean) ** 2).sum() / (count - 1)
        usual = (total - (sizes**2).sum() / total) / (count - 1)
        spread = between + (usual - 1) * within
        rho = max(0.0, (between - within) / spread) if spread > 0 else 0.0
    own = sizes * (1 + rho * (sizes - 1))  # each group's variance, and that of all
    whole = own.sum()
    # tr(AS) squared over tr(ASAS), S the covariance of the groups' residuals, A their scales.
    cross = weights**2 * whole - 2 * weights * own
    p, q, x = (scale * weights**2).sum(), (scale * own**2).sum(), (scale * weights * own).sum()
    trace = (scale * (own + cross)).sum()
    squares = 2 * p * q + (whole * p) ** 2 + 2 * x**2 - 4 * whole * p * x
    squares += (scale**2 * ((own + cross) ** 2 - cross**2)).sum()
    return float(error), float(trace**2 / squares)


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


def seed_interval(values: Iterable[float]) -> Interval:
    """Return Student's t interval of the mean over seeds; (nan, nan) below `MIN_SEEDS` or without spread."""
    from scipy.special import stdtrit

    figures = np.asarray(list(values), np.float64)
    if len(figures) < MIN_SEEDS or np.ptp(figures) == 0:
        return UNKNOWN
    half = stdtrit(len(figures) - 1, 0.5 + LEVEL / 2) * figures.std(ddof=1) / np.sqrt(len(figures))
    return float(max(0.0, figures.mean() - half)), float(min(1.0, figures.mean() + half))


def members_of(groups: Sequence[str], names: Sequence[str] | None = None) -> NDArray[np.intp]:
    """Number the groups from 0; where a group is unknown ("") the image's name, or its row, stands for it."""
    from pandas import factorize

    stand_ins = range(len(groups)) if names is None else names
    keys = [f"g{group}" if group else f"i{name}" for group, name in zip(groups, stand_ins, strict=True)]
    return factorize(np.array(keys, dtype=object))[0].astype(np.intp)
