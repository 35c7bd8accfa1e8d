"""Images held out one by one at random, or as the data set divides them: SFEW's sets, a fixed split, all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_core.config.run import ProtocolConfig
from fer_core.errors import DataError

from .base import Fold, Images, Indices, check_counts


def stratified(config: ProtocolConfig, images: Images) -> list[Fold]:
    """Draw k folds even in size and classes (scikit-learn's StratifiedKFold, shuffled by the seed)."""
    # Loading it takes a second, which reading PROTOCOLS need not.
    from sklearn.model_selection import StratifiedKFold

    check_counts(images.labels, config.folds)
    folds = []
    for seed in config.seeds:
        splitter = StratifiedKFold(config.folds, shuffle=True, random_state=seed)
        parts = splitter.split(np.zeros(len(images.labels)), images.labels)
        folds += [Fold(seed, index, train, validation) for index, (train, validation) in enumerate(parts)]
    return folds


@dataclass(frozen=True, eq=False)
class ReshuffledFold(Fold):
    """The paper's fold (section 2.4): each epoch holds another random 1/k out; `train` and so on are epoch 1's.

    Epoch e's parts follow from the seed and e alone, so a resumed run meets the same ones. A draw that left
    a class out of training is repeated, which the paper doesn't mention; with SFEW's counts it never happens.
    """

    labels: NDArray[np.integer]
    folds: int

    def split(self, epoch: int) -> tuple[Indices, Indices]:
        """Return the training and validation part of an epoch (counted from 1)."""
        return _reshuffled(self.labels, self.folds, self.seed, epoch)

    def seen(self, epochs: int) -> Indices:
        """Return every position that training sees in so many epochs, sorted."""
        return np.unique(np.concatenate([self.split(epoch)[0] for epoch in range(1, epochs + 1)]))


def reshuffle(config: ProtocolConfig, images: Images) -> list[Fold]:
    """Draw one fold a seed whose parts change with the epoch."""
    check_counts(images.labels, 2)
    labels = np.array(images.labels)
    return [
        ReshuffledFold(seed, 0, *_reshuffled(labels, config.folds, seed, 1), labels, config.folds)
        for seed in config.seeds
    ]


def _reshuffled(labels: NDArray[np.integer], folds: int, seed: int, epoch: int) -> tuple[Indices, Indices]:
    rng = np.random.default_rng([seed, epoch])
    held = max(1, round(len(labels) / folds))
    while True:
        order = rng.permutation(len(labels))
        train, validation = np.sort(order[held:]), np.sort(order[:held])
        if np.isin(labels[validation], labels[train]).all():
            return train, validation


#: The parts that a fixed split may have.
GIVEN = ["train", "validation", "test"]


def spi(config: ProtocolConfig, images: Images) -> list[Fold]:
    """Train on set1 and validate on set2, then the other way round."""
    splits = np.asarray(images.splits, dtype=object)
    sets = [np.flatnonzero(splits == name) for name in ("set1", "set2")]
    if not len(sets[0]) or not len(sets[1]) or len(sets[0]) + len(sets[1]) != len(splits):
        raise DataError(
            "the two-set protocol needs every image in set1 or set2",
            got=_found(images.splits),
            fix="Give the sets in a CSV manifest's split column, or choose the by-group protocol",
        )
    return [Fold(seed, index, sets[index], sets[1 - index]) for seed in config.seeds for index in (0, 1)]


def fixed(config: ProtocolConfig, images: Images) -> list[Fold]:
    """Train on train; validate on validation, or on test where there is no validation."""
    splits = np.asarray(images.splits, dtype=object)
    held = "validation" if "validation" in images.splits else "test"
    train, validation = np.flatnonzero(splits == "train"), np.flatnonzero(splits == held)
    if not len(train) or not len(validation) or not np.isin(splits, GIVEN).all():
        raise DataError(
            "a fixed split needs every image in train, validation or test, and some in train and another",
            got=_found(images.splits),
            fix="Use folders Train and Val (or Test) or a CSV manifest's split column, or choose k-fold",
        )
    return [Fold(seed, 0, train, validation) for seed in config.seeds]


def unseen(config: ProtocolConfig, images: Images) -> list[Fold]:
    """Hold every image out: nothing is trained."""
    everything = np.arange(len(images.labels))
    return [Fold(seed, 0, everything[:0], everything) for seed in config.seeds]


def _found(splits: Sequence[str | None]) -> str:
    names = sorted({name or "no split" for name in splits})
    return ", ".join(f"{sum((split or 'no split') == name for split in splits)} in {name}" for name in names)
