"""An epoch's rate and the blocks that train in it; when a fold has trained long enough, and which epoch it reports."""

import math
from collections.abc import Sequence

import numpy as np

from fer_core.config.run import TrainingConfig
from fer_core.learning.networks.backbones import Backbone
from fer_core.learning.reporting import EpochRecord


def rate(recipe: TrainingConfig, epoch: int) -> float:
    """Return the head's learning rate in an epoch (from 1).

    Warm-up rises from lr / (w + 1) in steps of that; then half a cosine falls from lr, so that the last epoch still
    learns (Loshchilov and Hutter 2017, without restarts).
    """
    warm = recipe.warmup_epochs
    if epoch <= warm:
        return recipe.lr * epoch / (warm + 1)
    if recipe.schedule == "constant":
        return recipe.lr
    done = (epoch - warm - 1) / (recipe.epochs - warm)
    return recipe.lr * (1 + math.cos(math.pi * done)) / 2


def depths(row: Backbone, unfreeze: int) -> dict[str, int]:
    """Return how far each block that trains is from the head, which is 0."""
    return {name: depth for depth, name in enumerate(reversed(row.unfreeze[unfreeze]))}


def thawed(recipe: TrainingConfig, epoch: int) -> int | None:
    """Return the greatest depth that trains in an epoch (from 1); None where all blocks train from the start."""
    return (epoch - 1) // recipe.thaw_every if recipe.thaw_every else None


def chosen_epoch(recipe: TrainingConfig, records: Sequence[EpochRecord], inner: Sequence[float]) -> int:
    """Return the epoch (from 1) that is reported, of those trained so far.

    Args:
        records: of the epochs trained, in order.
        inner: their losses on the inner split, in nats; empty where none is measured.
    """
    if recipe.selection == "inner":
        return int(np.argmin(inner)) + 1
    if recipe.selection == "best_on_validation":
        return int(np.argmax([record.val_accuracy for record in records])) + 1
    return len(records)


def enough(recipe: TrainingConfig, inner: Sequence[float]) -> bool:
    """Return whether the loss on the inner split has not fallen for `patience` epochs."""
    if not recipe.patience or not inner:
        return False
    return len(inner) - 1 - int(np.argmin(inner)) >= recipe.patience
