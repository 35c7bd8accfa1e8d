"""Images dealt one by one: stratified k-fold and the paper's reshuffle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_core.config.run import ProtocolConfig

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
