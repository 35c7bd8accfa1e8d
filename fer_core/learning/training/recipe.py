"""What a recipe asks of an epoch: its images in order, its loss, its rate; when a fold has trained long enough.

Images, order and batches are decided by (seed, fold, epoch) alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fer_core.config.run import CLASSES, TrainingConfig
from fer_core.errors import TrainingError
from fer_core.learning.networks.backbones import Backbone
from fer_core.learning.networks.transfer import derived_seed
from fer_core.learning.reporting import EpochRecord

if TYPE_CHECKING:
    from fer_core.evaluation.protocols import Fold


def class_weights(labels: np.ndarray) -> np.ndarray:
    """Return images / (classes * images of the class) for each of `CLASSES`, (7,); 0 for a class without images.

    scikit-learn's 'balanced' weights.
    """
    counts = np.bincount(labels, minlength=len(CLASSES))
    present = counts > 0
    return np.where(present, len(labels) / (present.sum() * np.maximum(counts, 1)), 0.0)


class Objective:
    """The loss of one fold.

    Args:
        labels: (n,) of the training part, from which the class weights come.
    """

    def __init__(self, recipe: TrainingConfig, labels: np.ndarray, device: torch.device) -> None:
        self.smoothing = recipe.label_smoothing
        self.weights: Tensor | None = None
        if recipe.class_weights:
            self.weights = torch.tensor(class_weights(labels), dtype=torch.float32, device=device)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of (B, 7) logits, in nats; with class weights the weighted mean, as torch has it."""
        return F.cross_entropy(logits, targets, weight=self.weights, label_smoothing=self.smoothing)

    def mixed(self, logits: Tensor, targets: Tensor, partners: Tensor, share: float) -> Tensor:
        """Return the loss of mixed inputs: `share` of it for the targets, the rest for the partners'."""
        return share * self.loss(logits, targets) + (1 - share) * self.loss(logits, partners)

    def mass(self, targets: Tensor) -> Tensor:
        """Return what a mean over these targets divides by: by it the parts of a batch add up to the batch."""
        if self.weights is None:
            return torch.tensor(float(len(targets)), device=targets.device)
        return self.weights[targets].sum()


def mix(x: Tensor, rng: np.random.Generator, alpha: float) -> tuple[Tensor, Tensor, float]:
    """Mix each input with another of the batch (mixup, Zhang et al. 2018).

    Returns the mixed (B, ...) inputs, the partner of each (B,), and the share of the input itself, 0.5 .. 1.
    """
    drawn = float(rng.beta(alpha, alpha))
    share = max(drawn, 1 - drawn)
    partners = torch.from_numpy(rng.permutation(len(x))).to(x.device)
    return share * x + (1 - share) * x[partners], partners, share


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
