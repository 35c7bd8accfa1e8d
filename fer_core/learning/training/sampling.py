"""Which images an epoch sees, in which order and in which batches; decided by (seed, fold, epoch) alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from fer_core.errors import TrainingError
from fer_core.learning.networks.transfer import derived_seed

if TYPE_CHECKING:
    from fer_core.evaluation.protocols import Fold


def draw_order(fold: Fold, epoch: int, labels: np.ndarray, sampler: str) -> np.ndarray:
    """Return the images of an epoch in order, as many as the fold has training images.

    'balanced' draws each class of the training part with equal probability and with replacement; 'shuffled'
    is a permutation. Decided by (seed, fold, epoch) alone.
    """
    indices = np.asarray(fold.split(epoch)[0])
    generator = torch.Generator().manual_seed(derived_seed(fold.seed, fold.fold, epoch))
    if sampler == "shuffled":
        return indices[torch.randperm(len(indices), generator=generator).numpy()]
    own = labels[indices]
    weights = torch.from_numpy(1.0 / np.bincount(own)[own])
    drawn = torch.multinomial(weights, len(indices), replacement=True, generator=generator)
    return indices[drawn.numpy()]


def draw_views(fold: Fold, epoch: int, count: int, views: int) -> np.ndarray:
    """Return which of K views each image of an epoch's order is seen in, (count,); with K = 0 a seed for each."""
    rng = np.random.default_rng(derived_seed(fold.seed, fold.fold, epoch, 2))
    return rng.integers(0, views or 2**62, count)


def cut_batches(order: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Cut an epoch's order into batches; a last batch of one joins the one before it.

    BatchNorm can't train on one value a channel. Raises TrainingError for fewer than two images.
    """
    if len(order) < 2:
        raise TrainingError(
            "A fold must have at least two training images",
            got=len(order),
            fix="Use fewer folds or more images",
        )
    return [order[piece] for piece in cut_slices(len(order), batch_size)]


def cut_slices(count: int, size: int) -> list[slice]:
    """Return the slices that cut `count` in pieces of `size`; a last piece of one joins the one before it."""
    starts = list(range(0, count, size))
    if count - starts[-1] == 1 and len(starts) > 1:
        starts.pop()
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], count], strict=True)]
