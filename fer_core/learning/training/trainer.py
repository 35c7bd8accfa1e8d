"""The epoch loop: one or several networks, one a fold, under one optimiser, from checkpoint to checkpoint."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_core.config.run import RunConfig
from fer_core.errors import TrainingError
from fer_core.evaluation.metrics import fit_temperature
from fer_core.evaluation.protocols import Fold
from fer_core.evaluation.protocols.inner import Part
from fer_core.learning.inputs.prefix import pass_size
from fer_core.learning.inputs.views import Inputs
from fer_core.learning.networks.reproducible import out_of_memory, seeded
from fer_core.learning.networks.transfer import Chain, derived_seed, reset_head, side_by_side
from fer_core.learning.reporting import EpochRecord

from . import checkpoints
from .evaluation import answers
from .objective import Objective, mix
from .precision import Precision
from .progress import Progress
from .sampling import cut_batches, cut_slices, draw_order, draw_views, mixing
from .schedules import depths, rate, thawed
from .selection import chosen_epoch, enough

#: The least micro-batch: BatchNorm can't train on one value a channel.
LEAST = 2


class Trainer:
    """Networks that train side by side, one a fold.

    Args:
        micro: images a pass; a batch of more is passed in parts whose gradients add up.
    """

    def __init__(
        self,
        config: RunConfig,
        chain: Chain,
        inputs: Inputs,
        labels: np.ndarray,
        parts: Sequence[Part],
        device: torch.device,
        progress: Progress,
        precision: Precision,
        micro: int,
    ) -> None:
        self.config, self.recipe, self.device = config, config.training, device
        self.folds, self.inner = [part.fold for part in parts], [part.inner for part in parts]
        self.chain, self.inputs, self.labels = chain, inputs, labels
        self.progress, self.precision, self.micro = progress, precision, micro
        self.targets = torch.as_tensor(labels, dtype=torch.long, device=device)
        self.depths = depths(chain.row, config.transfer.unfreeze)
        self.objectives = [Objective(self.recipe, labels[fold.train], device) for fold in self.folds]
        self._begin()

    def _begin(self) -> None:
        """Set networks, optimiser and records to where training starts."""
        suffix = self.chain.suffix(self.chain.row.boundary(self.config.transfer.unfreeze))
        self.networks = [copy.deepcopy(suffix).to(self.device).requires_grad_(True) for _ in self.folds]
        for network, fold in zip(self.networks, self.folds, strict=True):
            reset_head(network, seed=fold.seed, fold=fold.fold)
        blocks = {
            name: [p for network in self.networks for p in network.get_submodule(name).parameters()]
            for name in reversed(self.depths)
        }
        self.parameters = [value for own in blocks.values() for value in own]
        groups = [{"params": own, "depth": self.depths[name]} for name, own in blocks.items()]
        decay = self.recipe.weight_decay
        if decay:
            self.optimizer: torch.optim.Optimizer = torch.optim.AdamW(
                groups, lr=self.recipe.lr, weight_decay=decay, fused=True
            )
        else:
            self.optimizer = torch.optim.Adam(groups, lr=self.recipe.lr, fused=True)
        self.records: list[list[EpochRecord]] = [[] for _ in self.folds]
        self.inner_losses: list[list[float]] = [[] for _ in self.folds]
        self.best: list[dict[str, Tensor]] = [{} for _ in self.folds]

    def run(self, finals: Sequence[Path], save_every_s: float) -> None:
        """Train to the end, from the last checkpoint if there is one, and write a file a fold.

        Where memory runs out training begins anew with half the micro-batch, so that its result follows from
        the micro-batch alone and not from when memory ran out.
        """
        state = finals[0].with_name("state-" + finals[0].name)
        while not self._fits(state, save_every_s):
            self.micro = max(LEAST, self.micro // 2)
            state.unlink(missing_ok=True)
            self.progress.count(-sum(len(own) for own in self.records))
            self._begin()
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            self.progress.report.log(f"Memory ran out: training begins anew with {self.micro} images a pass")
        for index, path in enumerate(finals):
            self._finish(index, path)
        state.unlink(missing_ok=True)

    def _fits(self, state: Path, save_every_s: float) -> bool:
        try:
            self._train(state, save_every_s)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error) or self.micro <= LEAST:
                raise
            return False
        return True

    def _train(self, state: Path, save_every_s: float) -> None:
        start = self._restore(state) if state.exists() else 0
        saved = time.monotonic()
        for epoch in range(start + 1, self.recipe.epochs + 1):
            active = [index for index, own in enumerate(self.inner_losses) if not enough(self.recipe, own)]
            if not active:
                break
            self._epoch(epoch, active)
            last = epoch == self.recipe.epochs
            if not last and time.monotonic() - saved >= save_every_s:
                self._save(state, epoch)
                saved = time.monotonic()
        self.progress.count(sum(self.recipe.epochs - len(own) for own in self.records))

    def _epoch(self, epoch: int, active: list[int]) -> None:
        started = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = rate(self.recipe, epoch) * self.recipe.rate_factor ** group["depth"]
        batches = {index: self._batches(self.folds[index], epoch) for index in active}
        mixers = {index: mixing(self.folds[index], epoch) for index in active}
        seen: dict[int, list[tuple[Tensor, Tensor, int]]] = {index: [] for index in active}
        for index in active:
            self._thaw(self.networks[index], epoch)
        first = self.folds[active[0]]
        with seeded(derived_seed(first.seed, first.fold, epoch, 1), self.device):
            for step in range(max(len(own) for own in batches.values())):
                self.progress.report.check()
                now = {index: own[step] for index, own in batches.items() if step < len(own)}
                self._step(now, mixers, seen)
        held_out = {index: self._evaluate(index, self.folds[index].split(epoch)[1]) for index in active}
        if self.recipe.patience or self.recipe.selection == "inner":
            for index in active:
                logits, targets = self._evaluate(index, self.inner[index])
                self.inner_losses[index].append(float(F.cross_entropy(logits, targets)))
        seconds = (time.perf_counter() - started) / len(active)
        found = []
        for index in active:
            logits, targets = held_out[index]
            record = EpochRecord(
                seed=self.folds[index].seed,
                fold=self.folds[index].fold,
                epoch=epoch,
                train_loss=_mean([(loss, size) for loss, _, size in seen[index]]),
                train_accuracy=_mean([(right, size) for _, right, size in seen[index]]),
                val_loss=float(F.cross_entropy(logits, targets)),
                val_accuracy=float((logits.argmax(1) == targets).double().mean()),
                lr=rate(self.recipe, epoch),
                seconds=seconds,
                images=sum(size for _, _, size in seen[index]),
            )
            self._require_finite(record)
            self.records[index].append(record)
            self._keep_best(index)
            found.append(record)
        self.progress.epochs(found)

    def _batches(self, fold: Fold, epoch: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return an epoch's batches: positions of images, and the view (or seed) of each where there are any."""
        order = draw_order(fold, epoch, self.labels, self.recipe.sampler)
        size, augmentation = self.recipe.batch_size, self.recipe.augmentation
        draws = draw_views(fold, epoch, len(order), augmentation.views) if augmentation.active else order
        return list(zip(cut_batches(order, size), cut_batches(draws, size), strict=True))

    def _thaw(self, network: nn.Sequential, epoch: int) -> None:
        """Put a network into train mode, the blocks that wait into eval mode without gradients."""
        network.train()
        deepest = thawed(self.recipe, epoch)
        if deepest is None:
            return
        for name, depth in self.depths.items():
            block = network.get_submodule(name).requires_grad_(depth <= deepest)
            if depth > deepest:
                block.eval()

    def _step(
        self,
        batches: dict[int, tuple[np.ndarray, np.ndarray]],
        mixers: dict[int, np.random.Generator],
        seen: dict[int, list[tuple[Tensor, Tensor, int]]],
    ) -> None:
        """One batch of every active network; one that has had all its batches keeps weights and moments."""
        self.optimizer.zero_grad(set_to_none=True)
        pieces = {index: cut_slices(len(rows), self.micro) for index, (rows, _) in batches.items()}
        for number in range(max(len(own) for own in pieces.values())):
            now = {index: own[number] for index, own in pieces.items() if number < len(own)}
            targets = {index: self._targets(batches[index][0][piece]) for index, piece in now.items()}
            xs, partners = [], {}
            for index, piece in now.items():
                rows, draws = batches[index]
                x = self.inputs.training(rows[piece], draws[piece], self.device)
                if self.recipe.mixup:
                    x, other, share = mix(x, mixers[index], self.recipe.mixup)
                    partners[index] = (targets[index][other], share)
                xs.append(x)
            with self.precision.autocast(self.device):
                logits = side_by_side([self.networks[index] for index in now], xs)
            losses = []
            for (index, own), out in zip(targets.items(), logits, strict=True):
                objective = self.objectives[index]
                if index in partners:
                    loss = objective.mixed(out.float(), own, *partners[index])
                else:
                    loss = objective.loss(out.float(), own)
                seen[index].append((loss.detach(), (out.detach().argmax(1) == own).double().mean(), len(own)))
                if len(pieces[index]) > 1:
                    loss = loss * (objective.mass(own) / objective.mass(self._targets(batches[index][0])))
                losses.append(loss)
            torch.stack(losses).sum().backward()
        self.optimizer.step()

    def _targets(self, rows: np.ndarray) -> Tensor:
        return self.targets[torch.from_numpy(rows).to(self.device)]

    def _evaluate(self, index: int, positions: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return the logits (M, 7) (`evaluation.answers`) and targets (M,) of some images."""
        rows, size = np.asarray(positions), pass_size(self.device)
        logits = []
        for start in range(0, len(rows), size):
            self.progress.report.check()
            views = self.inputs.evaluation(rows[start : start + size], self.device)
            logits.append(answers(self.networks[index], views, self.precision))
        return torch.cat(logits), self._targets(rows)

    def _keep_best(self, index: int) -> None:
        """Keep the network of the epoch just trained if it is the one that would be reported."""
        if self.recipe.selection == "last":
            return
        if self._chosen(index) == len(self.records[index]):
            self.best[index] = {
                name: value.detach().clone() for name, value in self.networks[index].state_dict().items()
            }

    def _chosen(self, index: int) -> int:
        return chosen_epoch(self.recipe, self.records[index], self.inner_losses[index])

    def _require_finite(self, record: EpochRecord) -> None:
        if not np.isfinite(record.train_loss):
            raise TrainingError(
                "The training loss must stay finite",
                got=f"{record.train_loss} in epoch {record.epoch} of seed {record.seed}, fold {record.fold}",
                fix=f"Lower the learning rate, now {record.lr:g}",
            )

    def _save(self, path: Path, epoch: int) -> None:
        tensors = {
            f"{kind}.{index}.{name}": value
            for kind, states in (("network", [n.state_dict() for n in self.networks]), ("best", self.best))
            for index, values in enumerate(states)
            for name, value in values.items()
        }
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
        note = {
            "run": self.config.key(),
            "epoch": epoch,
            "micro_batch": self.micro,
            "records": [[asdict(record) for record in own] for own in self.records],
            "inner_losses": self.inner_losses,
        }
        checkpoints.write(path, tensors, note)

    def _restore(self, path: Path) -> int:
        tensors, note = checkpoints.read(path, run=self.config.key())
        for index, network in enumerate(self.networks):
            network.load_state_dict(checkpoints.part(tensors, f"network.{index}."))
            best = checkpoints.part(tensors, f"best.{index}.")
            self.best[index] = {name: value.to(self.device) for name, value in best.items()}
        for index, parameter in enumerate(self.parameters):
            for name, value in checkpoints.part(tensors, f"optimizer.{index}.").items():
                # Fused Adam walks memory, not indices: moments must lie as their parameter does.
                like = parameter if value.ndim else value
                own = torch.empty_like(like, device=self.device, requires_grad=False)
                self.optimizer.state[parameter][name] = own.copy_(value)
        self.micro = note.get("micro_batch", self.micro)
        self.inner_losses = note.get("inner_losses", self.inner_losses)
        self.records = [[EpochRecord(**record) for record in own] for own in note["records"]]
        self.progress.epochs([record for own in self.records for record in own])
        return int(note["epoch"])

    def _finish(self, index: int, path: Path) -> None:
        fold, network, chosen = self.folds[index], self.networks[index], self._chosen(index)
        if self.best[index]:
            network.load_state_dict(self.best[index])
        rows = np.asarray(fold.split(chosen)[1])
        logits, _ = self._evaluate(index, rows)
        tensors = {f"suffix.{name}": value for name, value in network.state_dict().items()}
        tensors["predictions.indices"] = torch.from_numpy(rows.astype(np.int64))
        tensors["predictions.probabilities"] = logits.softmax(1)
        training = {
            "selected_epoch": chosen,
            "micro_batch": self.micro,
            "inner_losses": self.inner_losses[index],
        }
        if self.recipe.calibrate:
            inner, _ = self._evaluate(index, self.inner[index])
            own = inner.softmax(1).double().cpu().numpy()
            training["temperature"] = fit_temperature(own, self.labels[self.inner[index]])
        note = {
            "run": self.config.key(),
            "backbone": self.config.transfer.backbone,
            "seed": fold.seed,
            "fold": fold.fold,
            "records": [asdict(record) for record in self.records[index]],
            "training": training
            | {"precision": self.precision.used, "precision_reason": self.precision.reason},
        }
        checkpoints.write(path, tensors, note)


def _mean(values: Sequence[tuple[Tensor, int]]) -> float:
    """Average over images of values that are averages over so many of them."""
    sizes = np.array([size for _, size in values])
    return float(
        (torch.stack([value for value, _ in values]).double().cpu().numpy() * sizes).sum() / sizes.sum()
    )
