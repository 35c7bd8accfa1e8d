"""What a fold's training minimises: cross-entropy, smoothed, weighted by class and over mixed pairs if asked."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fer_core.config.run import CLASSES, TrainingConfig


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
