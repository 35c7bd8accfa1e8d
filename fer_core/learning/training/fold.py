"""One fold in training: its network, what it still has to see in an epoch, and what it has found so far."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from fer_core.config.run import TrainingConfig
from fer_core.errors import TrainingError
from fer_core.evaluation.protocols.by_group import Part
from fer_core.learning.networks.transfer import derived_seed, reset_head
from fer_core.learning.reporting import EpochRecord, Report

from .recipe import Objective, chosen_epoch, cut_batches, draw_order, draw_views, enough, rate, thawed

#: Positions of a batch's images, and the view (or seed of the change) of each where there are any: (B,) each.
Batch = tuple[np.ndarray, np.ndarray]


class Progress:
    """The report with a count of finished epochs, over all folds."""

    def __init__(self, report: Report, total: int) -> None:
        self.report, self.total, self.done = report, total, 0

    def epochs(self, records: Sequence[EpochRecord], *, of: int = 0) -> None:
        """Report epochs; those of a fold that ended before epoch `of` count for the ones it left out too."""
        for record in records:
            self.report.epoch(record)
        folds = len({(record.seed, record.fold) for record in records})
        self.count(max(len(records), folds * of))

    def count(self, epochs: int) -> None:
        """Count epochs as done; fewer than 0 to take back."""
        self.done += epochs
        self.report.step("train", self.done, self.total)


class FoldTraining:
    """A fold's network and the figures of its epochs.

    Attributes:
        depths: each trained block's distance from the head.
        batches: what is left of the running epoch; mixer: the generator that its mixup draws from.
        seen: (loss, share of right answers, images) of each pass of the running epoch.
        best: the network's tensors at the epoch that would be reported, where that need not be the last.
    """

    def __init__(
        self,
        part: Part,
        suffix: nn.Sequential,
        depths: dict[str, int],
        recipe: TrainingConfig,
        labels: np.ndarray,
        device: torch.device,
    ) -> None:
        self.fold, self.inner = part.fold, part.inner
        self.depths, self.recipe, self.labels = depths, recipe, labels
        self.network = copy.deepcopy(suffix).to(device).requires_grad_(False)
        for name in depths:
            self.network.get_submodule(name).requires_grad_(True)
        reset_head(self.network, seed=self.fold.seed, fold=self.fold.fold)
        self.objective = Objective(recipe, labels[self.fold.train], device)
        self.batches: list[Batch] = []
        self.seen: list[tuple[Tensor, Tensor, int]] = []
        self.records: list[EpochRecord] = []
        self.inner_losses: list[float] = []
        self.best: dict[str, Tensor] = {}

    @property
    def done(self) -> bool:
        """Whether early stopping ends this fold's training."""
        return enough(self.recipe, self.inner_losses)

    @property
    def chosen(self) -> int:
        """The epoch, from 1, that would be reported if training ended now."""
        return chosen_epoch(self.recipe, self.records, self.inner_losses)

    def start(self, epoch: int) -> None:
        """Draw the epoch's batches; put the network into train mode, blocks that wait into eval mode, frozen."""
        recipe, changes = self.recipe, self.recipe.augmentation
        order = draw_order(self.fold, epoch, self.labels, recipe.sampler)
        draws = draw_views(self.fold, epoch, len(order), changes.views) if changes.active else order
        size = recipe.batch_size
        self.batches = list(zip(cut_batches(order, size), cut_batches(draws, size), strict=True))
        self.mixer = np.random.default_rng(derived_seed(self.fold.seed, self.fold.fold, epoch, 3))
        self.seen = []
        self.network.train()
        for name, block in self.network.named_children():
            if name not in self.depths:  # frozen, here for its BatchNorm alone
                for module in block.modules():
                    module.train(isinstance(module, BatchNorm))
        deepest = thawed(recipe, epoch)
        if deepest is None:
            return
        for name, depth in self.depths.items():
            block = self.network.get_submodule(name).requires_grad_(depth <= deepest)
            if depth > deepest:
                block.eval()

    def end(self, epoch: int, logits: Tensor, targets: Tensor, seconds: float) -> EpochRecord:
        """Return the epoch's record, given its held-out images' logits (M, 7) and targets (M,).

        Raises:
            TrainingError: the training loss is not finite.
        """
        record = EpochRecord(
            seed=self.fold.seed,
            fold=self.fold.fold,
            epoch=epoch,
            train_loss=_mean([(loss, size) for loss, _, size in self.seen]),
            train_accuracy=_mean([(right, size) for _, right, size in self.seen]),
            val_loss=float(F.cross_entropy(logits, targets)),
            val_accuracy=float((logits.argmax(1) == targets).double().mean()),
            lr=rate(self.recipe, epoch),
            seconds=seconds,
            images=sum(size for _, _, size in self.seen),
        )
        if not np.isfinite(record.train_loss):
            raise TrainingError(
                "The training loss must stay finite",
                got=f"{record.train_loss} in epoch {epoch} of seed {record.seed}, fold {record.fold}",
                fix=f"Lower the learning rate, now {record.lr:g}",
            )
        self.records.append(record)
        if self.recipe.selection != "last" and self.chosen == epoch:
            self.best = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        return record


def _mean(values: list[tuple[Tensor, int]]) -> float:
    """Average over images of values that are averages over so many of them."""
    sizes = np.array([size for _, size in values])
    means = torch.stack([value for value, _ in values]).double().cpu().numpy()
    return float((means * sizes).sum() / sizes.sum())
