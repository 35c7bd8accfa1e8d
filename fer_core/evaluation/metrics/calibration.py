"""Whether probabilities mean what they say: reliability, calibration error, temperature scaling."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from fer_core.config.run import CLASSES

from .intervals import share
from .probabilities import log_losses

#: Bins of equal width that confidences fall into.
BINS = 15

#: Temperatures that `fit_temperature` looks among.
TEMPERATURES = (0.05, 20.0)


def reliability(
    probabilities: ArrayLike,
    labels: ArrayLike,
    groups: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return what a reliability diagram shows, a row per bin of equal width that holds images.

    Columns: lower, upper (edges), confidence (mean highest probability), accuracy, low, high (its 95 % interval,
    `intervals.share`; NaN where none is shown), images (different ones, by `names`). A bin holds its upper edge.
    """
    top, right, index = _binned(probabilities, labels)
    groups = [""] * len(top) if groups is None else groups
    rows = []
    for part in np.unique(index):
        inside = np.flatnonzero(index == part).tolist()
        named = None if names is None else [names[row] for row in inside]
        found = share(right[inside], [groups[row] for row in inside], named)
        edges, images = (part / BINS, (part + 1) / BINS), len(inside) if named is None else len(set(named))
        rows.append((*edges, float(top[inside].mean()), found.value, *found.interval, images))
    columns = ["lower", "upper", "confidence", "accuracy", "low", "high", "images"]
    return pd.DataFrame(rows, columns=columns)


def ece(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the expected calibration error, 0..1: |confidence - accuracy| over bins, weighted by images.

    Bins of equal width (Guo et al. 2017).
    """
    top, right, index = _binned(probabilities, labels)
    return float(np.abs(np.bincount(index, top) - np.bincount(index, right)).sum() / len(top))


def _binned(probabilities: ArrayLike, labels: ArrayLike) -> tuple[NDArray, NDArray, NDArray]:
    """Return each image's highest probability, whether its class is right, and the bin that it falls into."""
    values, truth = checked(probabilities, labels)
    top, right = values.max(axis=1), values.argmax(axis=1) == truth
    return top, right, np.clip(np.ceil(top * BINS).astype(int) - 1, 0, BINS - 1)


def by_seed(
    figure: Callable[[NDArray[np.float64], NDArray[np.intp]], float],
    probabilities: ArrayLike,
    labels: ArrayLike,
    seeds: ArrayLike,
) -> float:
    """Return the mean over seeds of a figure of probabilities and labels, a row per image and seed.

    Pooled, seeds that are wrong in different ways would look better calibrated or worse than any of them.
    """
    values, truth = checked(probabilities, labels)
    of = np.asarray(seeds)
    return float(np.mean([figure(values[of == seed], truth[of == seed]) for seed in np.unique(of)]))


def fit_temperature(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the temperature in `TEMPERATURES` with the least cross-entropy (Guo et al. 2017).

    Fit it on images that neither trained the model nor are reported on.
    """
    from scipy.optimize import minimize_scalar

    values, truth = checked(probabilities, labels)

    def loss(log_temperature: float) -> float:
        scaled = apply_temperature(values, float(np.exp(log_temperature)))
        return float(log_losses(scaled, truth, floor=1e-300).mean())

    found = minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded")
    return float(np.exp(found.x))


def apply_temperature(probabilities: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Return softmax(log p / T): above 1 softens, below 1 sharpens, the order of classes stays."""
    from scipy.special import softmax

    # The floor keeps a float32 probability of 0 finite; softmax makes logits of log p again up to a constant.
    logs = np.log(np.maximum(np.asarray(probabilities, np.float64), 1e-45))
    return softmax(logs / temperature, axis=1)


def checked(probabilities: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return (N, 7) probabilities and (N,) labels as arrays, or raise ValueError where they are none."""
    values, truth = np.asarray(probabilities, np.float64), np.asarray(labels, np.intp)
    if not len(truth) or values.shape != (len(truth), len(CLASSES)):
        raise ValueError(f"probabilities must be (N, {len(CLASSES)}) for N > 0 labels; got {values.shape}")
    if not np.allclose(values.sum(axis=1), 1.0, atol=1e-3) or values.min() < 0:
        raise ValueError("each row of probabilities must be 0 or more and sum to 1")
    return values, truth
