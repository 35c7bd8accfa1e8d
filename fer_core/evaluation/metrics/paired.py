"""Two systems on the same images."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .intervals import Estimate, difference
from .probabilities import right


def mcnemar(a_correct: ArrayLike, b_correct: ArrayLike) -> float:
    """Return the exact two-sided p-value that two systems err equally often on the same N images."""
    from statsmodels.stats.contingency_tables import mcnemar as test

    a, b = _pair(a_correct, b_correct)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    if only_a + only_b == 0:
        return 1.0
    return float(test([[0, only_a], [only_b, 0]], exact=True).pvalue)


def disagreements(a_correct: ArrayLike, b_correct: ArrayLike) -> dict[str, Any]:
    """Return on how many of the same N images both are right, only one or neither, and McNemar's `p`.

    Keys: both, only_a, only_b, neither, p.
    """
    a, b = _pair(a_correct, b_correct)
    return {
        "both": int((a & b).sum()),
        "only_a": int((a & ~b).sum()),
        "only_b": int((b & ~a).sum()),
        "neither": int((~a & ~b).sum()),
        "p": mcnemar(a, b),
    }


def paired(
    a: pd.DataFrame, b: pd.DataFrame, figure: Callable[[pd.DataFrame], NDArray[Any]] = right
) -> tuple[Estimate, int]:
    """Return the mean of b minus a over the images both were judged on (`intervals.difference`), and their number.

    Args:
        a, b, figure: as `same_images` takes them.
    """
    both = same_images(a, b, figure)
    gains = (both["b"] - both["a"]).to_numpy()
    names, groups = (list(both.index.get_level_values(level)) for level in ("name", "group"))
    most = 1.0 if figure is right else float("inf")
    return difference(gains, groups, names, most=most), len(gains)


def same_images(
    a: pd.DataFrame, b: pd.DataFrame, figure: Callable[[pd.DataFrame], NDArray[Any]] = right
) -> pd.DataFrame:
    """Return two systems' figures on the images that both were judged on: columns a and b, by name and group.

    Args:
        a, b: predictions as the store keeps them; several seeds of an image count as one, their mean.
        figure: what is compared, one value a row: right or wrong, or the log loss.
    """
    sides = [
        side.assign(figure=figure(side).astype(np.float64)).groupby(["name", "group"])["figure"].mean()
        for side in (a, b)
    ]
    return pd.concat(sides, axis=1, keys=["a", "b"]).dropna()


def first_seed_p(a: pd.DataFrame, b: pd.DataFrame) -> float:
    """Return McNemar's exact p-value of two systems' predictions, on the images of each one's first seed."""
    first = (side[side["seed"] == side["seed"].min()] for side in (a, b))
    both = same_images(*first)
    return mcnemar(both["a"], both["b"])


def lead(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, Any]:
    """Return how far predictions lead on others of the same images: lead (-1..1), its interval and what that is over,
    and McNemar's `p` on the first seeds; JSON-able.
    """
    return {**paired(before, after)[0].named("lead"), "p": first_seed_p(before, after)}


def _pair(a_correct: ArrayLike, b_correct: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    a, b = np.asarray(a_correct, bool), np.asarray(b_correct, bool)
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise ValueError(f"both systems must be judged on the same images; got {a.shape} and {b.shape}")
    return a, b
