"""The epoch loop: Adam on cross-entropy over the suffix of a network, fold by fold, the same bits every time.

Paper, section 2.4. Each random choice is drawn from a generator of its own, seeded by (seed, fold) for the
head and (seed, fold, epoch) for the order of images, so that a fold resumed at any epoch needs no state of a
generator. With n = 1 only the head trains, on one vector an image: then all folds train side by side, their
products batched into one. Each fold has its own parameters, moments and step count, so the result is that of
training it alone.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import checkpoints
from .config import RunConfig
from .errors import TrainingError
from .features.prefix import take
from .models.transfer import Chain, derived_seed, reset_head
from .reporting import EpochRecord, Report
from .reproducible import deterministic, memory_errors, seeded
from .sampling import cut_batches, draw_order

if TYPE_CHECKING:
    from .protocols import Fold

#: Images a forward pass in evaluation.
EVALUATION_BATCH = 64


@dataclass(frozen=True)
class FoldResult:
    """What a trained fold leaves.

    Attributes:
        indices: (M,) the images held out in the last epoch; probabilities: (M, 7) float32, theirs.
        epochs: a record an epoch, in order.
        weights: safetensors file whose tensors `suffix.<block>...` are the trained blocks.
    """

    seed: int
    fold: int
    indices: np.ndarray
    probabilities: np.ndarray
    epochs: tuple[EpochRecord, ...]
    weights: Path


def train(
    config: RunConfig,
    chain: Chain,
    inputs: Tensor,
    labels: np.ndarray,
    folds: Sequence[Fold],
    *,
    device: torch.device,
    report: Report,
    checkpoints_dir: Path,
    save_every_s: float = 10.0,
) -> list[FoldResult]:
    """Train the suffix of a network on every fold.

    Args:
        chain: from `models.transfer.build`; left as it was.
        inputs: (N, ...) what enters the first unfrozen block (`features.prefix.activations`).
        labels: (N,) int, indices into `CLASSES`.
        folds: of one or several seeds.
        checkpoints_dir: where each fold's file is kept, and, at most every `save_every_s` seconds, the
            state of the fold in training. Called again with what an interrupted call left there, training
            goes on from it, reports the epochs found there again, and ends with the same bits.

    Raises:
        TrainingError: fewer than two training images, a loss that is not finite, or no memory left.
        Cancelled: `report` says so.
    """
    boundary = chain.row.boundary(config.transfer.unfreeze)
    stacked = boundary == "fc"
    groups = [list(folds)] if stacked else [[fold] for fold in folds]
    checkpoints_dir.mkdir(parents=True, exist_ok=True)
    progress = _Progress(report, len(folds) * config.training.epochs)
    values = _on_device(inputs, device)
    results: list[FoldResult] = []
    with deterministic(device, one_thread=stacked), memory_errors(config.training.batch_size):
        for group in groups:
            trainer = _Trainer(config, chain, values, labels, group, device, progress)
            results += trainer.run(checkpoints_dir, save_every_s)
    return results


class _Progress:
    """The report with a count of finished epochs, over all folds."""

    def __init__(self, report: Report, total: int) -> None:
        self.report, self.total, self.done = report, total, 0

    def epochs(self, records: Sequence[EpochRecord]) -> None:
        for record in records:
            self.report.epoch(record)
        self.done += len(records)
        self.report.step("train", self.done, self.total)


class _Trainer:
    """Networks that train side by side, one a fold, under one optimiser."""

    def __init__(
        self,
        config: RunConfig,
        chain: Chain,
        inputs: Tensor,
        labels: np.ndarray,
        folds: Sequence[Fold],
        device: torch.device,
        progress: _Progress,
    ) -> None:
        self.config, self.recipe, self.folds, self.device = config, config.training, folds, device
        self.inputs, self.labels, self.progress = inputs, labels, progress
        self.targets = torch.as_tensor(labels, dtype=torch.long, device=device)
        suffix = chain.suffix(chain.row.boundary(config.transfer.unfreeze))
        self.layout = chain.suffix_layout(device)
        self.networks = [copy.deepcopy(suffix).to(device).requires_grad_(True) for _ in folds]
        for network, fold in zip(self.networks, folds, strict=True):
            reset_head(network.to(memory_format=self.layout), seed=fold.seed, fold=fold.fold)  # type: ignore[call-overload]
        self.parameters = [value for network in self.networks for value in network.parameters()]
        self.optimizer = torch.optim.Adam(self.parameters, lr=self.recipe.lr, fused=True)
        self.records: list[list[EpochRecord]] = [[] for _ in folds]

    def run(self, folder: Path, save_every_s: float) -> list[FoldResult]:
        """Train to the last epoch, from the last checkpoint if there is one."""
        finals = [folder / f"seed{fold.seed}-fold{fold.fold}.safetensors" for fold in self.folds]
        if all(path.exists() for path in finals):
            results = [_read_result(path, self.config) for path in finals]
            self.progress.epochs([record for result in results for record in result.epochs])
            return results
        state = finals[0].with_name("state-" + finals[0].name)
        start = self._restore(state) if state.exists() else 0
        saved = time.monotonic()
        for epoch in range(start + 1, self.recipe.epochs + 1):
            self._epoch(epoch)
            last = epoch == self.recipe.epochs
            if not last and time.monotonic() - saved >= save_every_s:
                self._save(state, epoch)
                saved = time.monotonic()
        for index, path in enumerate(finals):
            self._finish(index, path)
        state.unlink(missing_ok=True)
        return [_read_result(path, self.config) for path in finals]

    def _epoch(self, epoch: int) -> None:
        started = time.perf_counter()
        batches = [
            cut_batches(draw_order(fold, epoch, self.labels, self.recipe.sampler), self.recipe.batch_size)
            for fold in self.folds
        ]
        losses: list[list[Tensor]] = [[] for _ in self.folds]
        correct: list[list[Tensor]] = [[] for _ in self.folds]
        for network in self.networks:
            network.train()
        first = self.folds[0]
        with seeded(derived_seed(first.seed, first.fold, epoch, 1), self.device):
            for step in range(max(len(own) for own in batches)):
                self.progress.report.check()
                active = [index for index, own in enumerate(batches) if step < len(own)]
                self._step(active, [batches[index][step] for index in active], losses, correct)
        trained = [
            (_mean(losses[i], batches[i]), _mean(correct[i], batches[i])) for i in range(len(self.folds))
        ]
        held_out = [self._evaluate(index, epoch) for index in range(len(self.folds))]
        seconds = (time.perf_counter() - started) / len(self.folds)
        found = []
        for index, fold in enumerate(self.folds):
            logits, targets = held_out[index]
            record = EpochRecord(
                seed=fold.seed,
                fold=fold.fold,
                epoch=epoch,
                train_loss=trained[index][0],
                train_accuracy=trained[index][1],
                val_loss=float(F.cross_entropy(logits, targets)),
                val_accuracy=float((logits.argmax(1) == targets).double().mean()),
                lr=self.recipe.lr,
                seconds=seconds,
                images=sum(len(batch) for batch in batches[index]),
            )
            self._require_finite(record)
            self.records[index].append(record)
            found.append(record)
        self.progress.epochs(found)

    def _step(
        self,
        active: list[int],
        rows: list[np.ndarray],
        losses: list[list[Tensor]],
        correct: list[list[Tensor]],
    ) -> None:
        """One batch of every active network; one that has had all its batches keeps weights and moments."""
        indices = [torch.from_numpy(own).to(self.inputs.device) for own in rows]
        targets = [self.targets[own.to(self.device)] for own in indices]
        batches = [self._batch(own) for own in indices]
        with self._precision():
            logits = _forward([self.networks[index] for index in active], batches)
        found = [F.cross_entropy(out.float(), own) for out, own in zip(logits, targets, strict=True)]
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(found).sum().backward()
        self.optimizer.step()
        for index, loss, out, own in zip(active, found, logits, targets, strict=True):
            losses[index].append(loss.detach())
            correct[index].append((out.detach().argmax(1) == own).double().mean())

    def _evaluate(self, index: int, epoch: int) -> tuple[Tensor, Tensor]:
        """Return the logits (M, 7) and targets (M,) of the held-out images, the network in eval mode."""
        rows = torch.from_numpy(np.asarray(self.folds[index].split(epoch)[1])).to(self.inputs.device)
        network = self.networks[index].eval()
        logits = []
        for own in rows.split(EVALUATION_BATCH):
            self.progress.report.check()
            with torch.no_grad(), self._precision():
                logits.append(network(self._batch(own)).float())
        return torch.cat(logits), self.targets[rows.to(self.device)]

    def _batch(self, rows: Tensor) -> Tensor:
        """Return the inputs of some images on the device, maps in the suffix's layout."""
        batch = take(self.inputs, rows).to(self.device, non_blocking=True)
        return batch.contiguous(memory_format=self.layout) if batch.ndim == 4 else batch

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16")

    def _require_finite(self, record: EpochRecord) -> None:
        if not np.isfinite(record.train_loss):
            raise TrainingError(
                "The training loss must stay finite",
                got=f"{record.train_loss} in epoch {record.epoch} of seed {record.seed}, fold {record.fold}",
                fix=f"Lower the learning rate, now {self.recipe.lr:g}",
            )

    def _save(self, path: Path, epoch: int) -> None:
        tensors = {
            f"network.{index}.{name}": value
            for index, network in enumerate(self.networks)
            for name, value in network.state_dict().items()
        }
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
        note = {
            "run": self.config.key(),
            "epoch": epoch,
            "records": [[asdict(record) for record in own] for own in self.records],
        }
        checkpoints.write(path, tensors, note)

    def _restore(self, path: Path) -> int:
        tensors, note = checkpoints.read(path, run=self.config.key())
        for index, network in enumerate(self.networks):
            network.load_state_dict(checkpoints.part(tensors, f"network.{index}."))
        for index, parameter in enumerate(self.parameters):
            for name, value in checkpoints.part(tensors, f"optimizer.{index}.").items():
                # Fused Adam walks memory, not indices: moments must lie as their parameter does.
                like = parameter if value.ndim else value
                own = torch.empty_like(like, device=self.device, requires_grad=False)
                self.optimizer.state[parameter][name] = own.copy_(value)
        self.records = [[EpochRecord(**record) for record in own] for own in note["records"]]
        self.progress.epochs([record for own in self.records for record in own])
        return int(note["epoch"])

    def _finish(self, index: int, path: Path) -> None:
        fold = self.folds[index]
        logits, _ = self._evaluate(index, self.recipe.epochs)
        rows = np.asarray(fold.split(self.recipe.epochs)[1])
        tensors = {f"suffix.{name}": value for name, value in self.networks[index].state_dict().items()}
        tensors["predictions.indices"] = torch.from_numpy(rows.astype(np.int64))
        tensors["predictions.probabilities"] = logits.softmax(1)
        note = {
            "run": self.config.key(),
            "backbone": self.config.transfer.backbone,
            "seed": fold.seed,
            "fold": fold.fold,
            "records": [asdict(record) for record in self.records[index]],
        }
        checkpoints.write(path, tensors, note)


def read_results(folder: Path, folds: Sequence[Fold], config: RunConfig) -> list[FoldResult]:
    """Return what a finished training left in its folder, in the order of the folds.

    Raises:
        StoreError: a file is missing, damaged or another run's.
    """
    return [_read_result(folder / f"seed{one.seed}-fold{one.fold}.safetensors", config) for one in folds]


def _read_result(path: Path, config: RunConfig) -> FoldResult:
    tensors, note = checkpoints.read(path, run=config.key())
    return FoldResult(
        seed=note["seed"],
        fold=note["fold"],
        indices=tensors["predictions.indices"].numpy(),
        probabilities=tensors["predictions.probabilities"].numpy(),
        epochs=tuple(EpochRecord(**record) for record in note["records"]),
        weights=path,
    )


def _forward(networks: list[nn.Sequential], batches: list[Tensor]) -> list[Tensor]:
    """Return each network's logits; heads alone with batches of one size are one batched product."""
    sizes = {len(batch) for batch in batches}
    if len(networks) == 1 or len(networks[0]) > 1 or len(sizes) > 1:
        return [network(batch) for network, batch in zip(networks, batches, strict=True)]
    heads = [network[0] for network in networks]
    weight = torch.stack([head.weight for head in heads])  # type: ignore[misc]  # (k, 7, d)
    bias = torch.stack([head.bias for head in heads])  # type: ignore[misc]  # (k, 7)
    logits = torch.baddbmm(bias[:, None], torch.stack(batches), weight.transpose(1, 2))  # (k, B, 7)
    return list(logits.unbind())


def _mean(values: list[Tensor], batches: list[np.ndarray]) -> float:
    """Average over images of values that are averages over batches."""
    sizes = np.array([len(batch) for batch in batches])
    return float((torch.stack(values).double().cpu().numpy() * sizes).sum() / sizes.sum())


def _on_device(inputs: Tensor, device: torch.device) -> Tensor:
    """Move all activations to a GPU that has twice the room; elsewhere batches travel one by one."""
    if device.type != "cuda":
        return inputs
    free, _ = torch.cuda.mem_get_info(device)
    fits = inputs.numel() * inputs.element_size() < free / 2
    return inputs.to(device) if fits else inputs
