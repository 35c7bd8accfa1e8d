"""Training the BDNN and its plain control: full batches, all folds side by side under one optimiser.

An epoch is one step on the whole training part: the paper counts 100 and 200 'iterations' in its text and
`Num_Epoch` 200 in table 1, which are the same thing then. Every fold's step sees every image, weighted by 1
in its training part and 0 elsewhere; folds share no parameter, so each trains as it would alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Adam

from fer_core.config.comparators import BdnnConfig, MlpConfig
from fer_core.config.devices import to_device
from fer_core.config.run import CLASSES
from fer_core.errors import TrainingError
from fer_core.learning.networks.reproducible import deterministic
from fer_core.learning.reporting import BdnnEpoch, FoldResult, Report

from .bdnn import Bdnn, distances, prototypes
from .svm import check_features

if TYPE_CHECKING:
    from fer_core.evaluation.protocols import Fold

#: Floats of standardised inputs held at once, 4 bytes each; more folds than fit are trained in turns.
STACK_LIMIT = 64_000_000


def fit_folds(
    config: BdnnConfig | MlpConfig,
    features: np.ndarray,
    labels: np.ndarray,
    folds: Sequence[Fold],
    report: Report,
    device: str = "cpu",
) -> list[FoldResult]:
    """Train and judge every fold.

    Args:
        config: a `BdnnConfig`, or an `MlpConfig` for the control.
        features: (N, D), finite; standardised here by the statistics of each training part, unless raw ones are meant.
        labels: (N,) indices into `CLASSES`.
        folds: what to train on and what to hold out, epoch by epoch.
        report: gets each epoch of each fold; asked before each step whether to stop.
        device: where to train.

    Raises:
        DataError: features are missing, or the same for every image.
        TrainingError: a loss is no longer finite.
    """
    check_features(features)
    together = max(1, STACK_LIMIT // features.size)
    found: list[FoldResult] = []
    with deterministic(torch.device(device), one_thread=True):
        for start in range(0, len(folds), together):
            batch = _Batch(config, features, labels, folds[start : start + together], device)
            found += batch.train(report, start, len(folds))
    return found


class _Batch:
    """Folds that train side by side."""

    def __init__(
        self,
        config: BdnnConfig | MlpConfig,
        features: np.ndarray,
        labels: np.ndarray,
        folds: Sequence[Fold],
        device: str,
    ) -> None:
        self.config, self.features, self.folds = config, features, folds
        self.bidirectional = isinstance(config, BdnnConfig)
        self.alternate = config.alternate if isinstance(config, BdnnConfig) else 0
        self.reverse_weight = config.reverse_weight if isinstance(config, BdnnConfig) else 0.0
        self.labels = torch.as_tensor(labels, dtype=torch.int64, device=device)
        self.model = Bdnn(config, features.shape[1], [(fold.seed, fold.fold) for fold in folds]).to(device)
        values = torch.as_tensor(features, dtype=torch.float32, device=device)
        for index, fold in enumerate(folds if config.standardise else ()):
            inside = values[torch.as_tensor(fold.train, device=device)]
            spread = inside.std(dim=0, correction=0)
            self.model.shift[index, 0] = inside.mean(dim=0)
            self.model.scale[index, 0] = torch.where(spread > 1e-6, spread, 1.0)
        self.x = self.model.standardise(values)
        self.targets = self.model.targets(self.labels, self.x)
        self.square_norms = self.x.square().sum(dim=2, keepdim=True)
        means = self.x.mean(dim=2)
        for index, fold in enumerate(folds):
            for label in np.unique(labels[fold.train]):
                of_class = torch.as_tensor(fold.train[labels[fold.train] == label], device=device)
                self.model.class_means[index, label] = means[index, of_class].mean()

    def train(self, report: Report, first: int, total: int) -> list[FoldResult]:
        """Take every step; an epoch's figures come from the pass that the next step needs anyway."""
        epochs, optimisers = self.config.epochs, self._optimisers()
        records: list[list[BdnnEpoch]] = [[] for _ in self.folds]
        began, parts = time.perf_counter(), self._parts(1)
        for epoch in range(epochs + 1):
            report.check()
            logits = self.model(self.x)
            losses = self._forward_losses(logits)
            reverse = self._reverse_losses() if self.bidirectional else torch.full_like(losses, torch.nan)
            if epoch > 0:
                now = time.perf_counter()
                seconds, began = (now - began) / len(self.folds), now
                for index, record in enumerate(self._records(epoch, parts, logits, losses, reverse, seconds)):
                    records[index].append(record)
                    report.epoch(record)
                report.step("train", first * epochs + epoch * len(self.folds), total * epochs)
            if epoch < epochs:
                train, _ = parts = self._parts(epoch + 1)
                loss = _mean(losses, train).sum()
                turn = epoch // self.alternate % 2 if self.alternate else 0
                if turn or (self.reverse_weight and not self.alternate):
                    back = _mean(reverse, train).sum()
                    loss = back if turn else loss + self.reverse_weight * back
                optimisers[turn].zero_grad()
                loss.backward()
                optimisers[turn].step()
        return self._results(logits, records)

    def _optimisers(self) -> list[Adam]:
        """Return one Adam for what is trained together, or one a direction where they alternate (table 1)."""
        model, lr = self.model, self.config.lr
        forward = [*model.weights, *model.forward_biases]
        if self.alternate:
            return [Adam(forward, lr=lr), Adam([*model.weights, *model.reverse_biases], lr=lr)]
        return [Adam([*forward, *model.reverse_biases] if self.reverse_weight else forward, lr=lr)]

    def _parts(self, epoch: int) -> tuple[Tensor, Tensor]:
        """Return the weight of every image in the training and the validation loss: (F, N) of 0 and 1 each."""
        parts = torch.zeros(2, len(self.folds), len(self.labels))
        for index, fold in enumerate(self.folds):
            for part, images in zip(parts, fold.split(epoch), strict=True):
                part[index, torch.as_tensor(images)] = 1.0
        train, validation = to_device(parts, self.x.device)
        return train, validation

    def _forward_losses(self, logits: Tensor) -> Tensor:
        """Return every image's cross-entropy, plus the squared error of the extra output: (F, N)."""
        classes = logits[:, :, : len(CLASSES)]
        losses = F.cross_entropy(classes.mT, self.labels.expand(len(logits), -1), reduction="none")
        if self.model.mean_node:
            losses = losses + (logits[:, :, -1] - self.targets[:, :, -1]).square()
        return losses

    def _reverse_losses(self) -> Tensor:
        """Return the mean squared error of every image's reconstruction from its label: (F, N)."""
        if self.model.mean_node:
            return (self.model.reverse(self.targets) - self.x).square().mean(dim=2)
        # Images of a class share one reverse output p: |x - p|^2 = |x|^2 - 2 x.p + |p|^2 needs no (F, N, D).
        shared = self.model.standard_prototypes()
        errors = self.square_norms - 2.0 * (self.x @ shared.mT) + shared.square().sum(dim=2)[:, None, :]
        own = self.labels.expand(len(shared), -1)[:, :, None]
        return errors.gather(2, own)[:, :, 0] / self.x.shape[2]

    @torch.no_grad()
    def _records(
        self,
        epoch: int,
        parts: tuple[Tensor, Tensor],
        logits: Tensor,
        losses: Tensor,
        reverse: Tensor,
        seconds: float,
    ) -> list[BdnnEpoch]:
        hits = (logits[:, :, : len(CLASSES)].argmax(dim=2) == self.labels).float()
        figures = [_mean(values, part) for part in parts for values in (losses, hits, reverse)]
        found = []
        for fold, row in zip(self.folds, torch.stack(figures, dim=1).tolist(), strict=True):
            if not np.isfinite(row[0]) or (self.bidirectional and not np.isfinite(row[2])):
                raise TrainingError(
                    "The training loss must stay finite",
                    got=f"{row[0]} (reverse {row[2]}) at seed {fold.seed}, fold {fold.fold}, epoch {epoch}",
                    fix="Lower the learning rate",
                )
            found.append(
                BdnnEpoch(
                    seed=fold.seed,
                    fold=fold.fold,
                    epoch=epoch,
                    train_loss=row[0],
                    train_accuracy=row[1],
                    val_loss=row[3],
                    val_accuracy=row[4],
                    lr=self.config.lr,
                    seconds=seconds,
                    images=len(fold.split(epoch)[0]),
                    train_reverse_loss=row[2],
                    val_reverse_loss=row[5],
                )
            )
        return found

    @torch.no_grad()
    def _results(self, logits: Tensor, records: list[list[BdnnEpoch]]) -> list[FoldResult]:
        probabilities = logits[:, :, : len(CLASSES)].softmax(dim=2).cpu().numpy()
        faces = prototypes(self.model) if self.bidirectional else None
        away = distances(self.model, self.features) if self.bidirectional else None
        found = []
        for index, fold in enumerate(self.folds):
            held_out = fold.split(self.config.epochs)[1]
            found.append(
                FoldResult(
                    seed=fold.seed,
                    fold=fold.fold,
                    indices=np.asarray(held_out),
                    probabilities=probabilities[index, held_out],
                    epochs=tuple(records[index]),
                    prototypes=None if faces is None else faces[index],
                    distances=None if away is None else away[index, held_out],
                )
            )
        return found


def _mean(values: Tensor, part: Tensor) -> Tensor:
    return (values * part).sum(dim=1) / part.sum(dim=1)
