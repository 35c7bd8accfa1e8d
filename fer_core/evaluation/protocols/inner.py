"""The inner split: a part of a fold's training images by which training decides, so that the reported part needn't."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fer_core.config.run import CLASSES
from fer_core.errors import DataError

from .base import Fold, Indices
from .by_group import most_even_deal, tally


@dataclass(frozen=True)
class Part:
    """A fold without its inner split, and the (m,) positions of that, sorted; none where it is not needed."""

    fold: Fold
    inner: Indices = field(default_factory=lambda: np.empty(0, np.intp))


def inner_split(fold: Fold, labels: NDArray[np.integer], held: Sequence[str] | None, share: float) -> Part:
    """Hold out about `share` of a fold's training images, by the rule by which the fold was drawn.

    Whole movies, persons or clips where the protocol keeps them together (`held`); else a share of each class. The
    reported part is not looked at, and the draw follows from the fold's seed and number alone.

    Args:
        labels: (N,) indices into `CLASSES`.
        held: (N,) names of what must not straddle; None to draw images one by one.

    Raises:
        DataError: no such split leaves every class in training.
    """
    seed = [fold.seed, fold.fold, 1]
    inside = labels[fold.train]
    if held is None:
        inner = _by_image(inside, share, seed)
    else:
        member, table = tally([held[index] for index in fold.train], inside)
        part = most_even_deal(table, max(2, round(1 / share)), seed)
        inner = np.zeros(len(inside), bool) if part is None else part[member] == 0
    lost = np.setdiff1d(inside, inside[~inner])
    if not inner.any() or len(lost):
        names = ", ".join(CLASSES[index] for index in lost) or "no whole groups to hold out that would"
        raise DataError(
            "an inner split must leave every class in training",
            got=f"{names} in fold {fold.fold + 1}",
            fix="Report the last epoch without early stopping or temperature, or use more images or folds",
        )
    return Part(dataclasses.replace(fold, train=fold.train[~inner]), fold.train[inner])


def _by_image(labels: NDArray[np.integer], share: float, seed: list[int]) -> NDArray[np.bool_]:
    rng = np.random.default_rng(seed)
    inner = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        inner[rows[: round(share * len(rows))]] = True
    return inner
