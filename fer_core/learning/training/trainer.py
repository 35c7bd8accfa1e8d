"""The epoch loop: one or several networks, one a fold, under one optimiser, from checkpoint to checkpoint."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fer_core.config.devices import release, to_device
from fer_core.config.run import RunConfig
from fer_core.errors import TrainingError
from fer_core.evaluation.metrics import fit_temperature
from fer_core.evaluation.protocols.by_group import Part
from fer_core.learning.inputs.prefix import pass_size
from fer_core.learning.inputs.views import Inputs
from fer_core.learning.networks.reproducible import out_of_memory, seeded
from fer_core.learning.networks.transfer import Chain, derived_seed, side_by_side
from fer_core.learning.reporting import EpochRecord

from . import checkpoints
from .evaluation import answers
from .fold import Batch, FoldTraining, Progress
from .precision import Precision
from .recipe import cut_slices, depths, mix, rate

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
        self.chain, self.inputs, self.labels, self.parts = chain, inputs, labels, parts
        self.progress, self.precision, self.micro = progress, precision, micro
        self.targets = torch.as_tensor(labels, dtype=torch.long, device=device)
        self._begin()

    def _begin(self) -> None:
        """Set networks, optimiser and records to where training starts."""
        recipe, n = self.recipe, self.config.transfer.unfreeze
        suffix, far = self.chain.suffix(self.chain.row.start(self.config)), depths(self.chain.row, n)
        self.folds = [
            FoldTraining(part, suffix, far, recipe, self.labels, self.device) for part in self.parts
        ]
        blocks = {
            name: [p for one in self.folds for p in one.network.get_submodule(name).parameters()]
            for name in reversed(far)
        }
        self.parameters = [value for block in blocks.values() for value in block]
        groups = [{"params": block, "depth": far[name]} for name, block in blocks.items()]
        # Without decay AdamW is Adam, to the bit.
        self.optimizer = torch.optim.AdamW(groups, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)

    def run(self, finals: Sequence[Path], save_every_s: float) -> None:
        """Train to the end, from the last checkpoint if there is one, and write a file a fold.

        Where memory runs out training starts again with half the micro-batch, so that its result follows from
        the micro-batch alone and not from when memory ran out.
        """
        state = finals[0].with_name("state-" + finals[0].name)
        while True:
            try:
                self._train(state, save_every_s)
                break
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                if self.micro <= LEAST:
                    raise TrainingError(
                        "A batch must fit into the device's memory",
                        got=f"batch size {self.recipe.batch_size}",
                        fix="Lower the batch size, or unfreeze fewer blocks",
                    ) from error
            # Outside the handler, which would keep the failed pass's tensors alive.
            self.micro = max(LEAST, self.micro // 2)
            state.unlink(missing_ok=True)
            self.progress.count(-sum(len(one.records) for one in self.folds))
            del self.folds, self.parameters, self.optimizer  # before others take their place
            release(self.device)
            self._begin()
            self.progress.report.log(f"Memory ran out: training starts again with {self.micro} images a pass")
        for one, path in zip(self.folds, finals, strict=True):
            self._finish(one, path)
        state.unlink(missing_ok=True)

    def _train(self, state: Path, save_every_s: float) -> None:
        start = self._restore(state) if state.exists() else 0
        saved = time.monotonic()
        for epoch in range(start + 1, self.recipe.epochs + 1):
            active = [one for one in self.folds if not one.done]
            if not active:
                break
            self._epoch(epoch, active)
            last = epoch == self.recipe.epochs
            if not last and time.monotonic() - saved >= save_every_s:
                self._save(state, epoch)
                saved = time.monotonic()
        self.progress.count(sum(self.recipe.epochs - len(one.records) for one in self.folds))

    def _epoch(self, epoch: int, active: list[FoldTraining]) -> None:
        started = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = rate(self.recipe, epoch) * self.recipe.rate_factor ** group["depth"]
        for one in active:
            one.start(epoch)
        first = active[0].fold
        with seeded(derived_seed(first.seed, first.fold, epoch, 1), self.device):
            for step in range(max(len(one.batches) for one in active)):
                self.progress.report.check()
                self._step([(one, one.batches[step]) for one in active if step < len(one.batches)])
        held_out = [self._evaluate(one, one.fold.split(epoch)[1]) for one in active]
        if self.recipe.patience or self.recipe.selection == "inner":
            for one in active:
                one.inner_losses.append(float(F.cross_entropy(*self._evaluate(one, one.inner))))
        seconds = (time.perf_counter() - started) / len(active)
        self.progress.epochs(
            [one.end(epoch, *found, seconds) for one, found in zip(active, held_out, strict=True)]
        )

    def _step(self, batches: list[tuple[FoldTraining, Batch]]) -> None:
        """One batch of every network given; the others, which have had all of theirs, keep weights and moments."""
        self.optimizer.zero_grad(set_to_none=True)
        cut = [(one, batch, cut_slices(len(batch[0]), self.micro)) for one, batch in batches]
        for number in range(max(len(pieces) for *_, pieces in cut)):
            now = [(one, batch, pieces) for one, batch, pieces in cut if number < len(pieces)]
            xs, objectives = [], []
            for one, (rows, draws), pieces in now:
                targets = self._targets(rows[pieces[number]])
                x = self.inputs.training(rows[pieces[number]], draws[pieces[number]], self.device)
                objective = partial(one.objective.loss, targets=targets)
                if self.recipe.mixup:
                    x, other, share = mix(x, one.mixer, self.recipe.mixup)
                    objective = partial(
                        one.objective.mixed, targets=targets, partners=targets[other], share=share
                    )
                xs.append(x)
                objectives.append((objective, targets))
            with self.precision.autocast(self.device):
                logits = side_by_side([one.network for one, *_ in now], xs)
            losses = []
            for (one, (rows, _), pieces), (objective, targets), out in zip(
                now, objectives, logits, strict=True
            ):
                loss = objective(out.float())
                right = (out.detach().argmax(1) == targets).double().mean()
                one.seen.append((loss.detach(), right, len(targets)))
                if len(pieces) > 1:
                    mass = one.objective.mass
                    loss = loss * (mass(targets) / mass(self._targets(rows)))
                losses.append(loss)
            torch.stack(losses).sum().backward()
        self.optimizer.step()

    def _targets(self, rows: np.ndarray) -> Tensor:
        return self.targets[to_device(torch.from_numpy(rows), self.device)]

    def _evaluate(self, one: FoldTraining, positions: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return the logits (M, 7) (`evaluation.answers`) and targets (M,) of some images."""
        rows, size = np.asarray(positions), pass_size(self.device)
        logits = []
        for start in range(0, len(rows), size):
            self.progress.report.check()
            views = self.inputs.evaluation(rows[start : start + size], self.device)
            logits.append(answers(one.network, views, self.precision))
        return torch.cat(logits), self._targets(rows)

    def _save(self, path: Path, epoch: int) -> None:
        tensors = {
            f"{kind}.{index}.{name}": value
            for index, one in enumerate(self.folds)
            for kind, state in (("network", one.network.state_dict()), ("best", one.best))
            for name, value in state.items()
        }
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
        note = {
            "run": self.config.key(),
            "epoch": epoch,
            "micro_batch": self.micro,
            "records": [[asdict(record) for record in one.records] for one in self.folds],
            "inner_losses": [one.inner_losses for one in self.folds],
        }
        checkpoints.write(path, tensors, note)

    def _restore(self, path: Path) -> int:
        tensors, note = checkpoints.read(path, run=self.config.key())
        self.micro = note.get("micro_batch", self.micro)
        for index, one in enumerate(self.folds):
            one.network.load_state_dict(checkpoints.part(tensors, f"network.{index}."))
            best = checkpoints.part(tensors, f"best.{index}.")
            one.best = {name: value.to(self.device) for name, value in best.items()}
            one.records = [EpochRecord(**record) for record in note["records"][index]]
            if "inner_losses" in note:
                one.inner_losses = note["inner_losses"][index]
        for index, parameter in enumerate(self.parameters):
            for name, value in checkpoints.part(tensors, f"optimizer.{index}.").items():
                # Fused Adam walks memory, not indices: moments must lie as their parameter does.
                like = parameter if value.ndim else value
                moment = torch.empty_like(like, device=self.device, requires_grad=False)
                self.optimizer.state[parameter][name] = moment.copy_(value)
        self.progress.epochs([record for one in self.folds for record in one.records])
        return int(note["epoch"])

    def _finish(self, one: FoldTraining, path: Path) -> None:
        """Write a fold's file: the trained blocks, the held-out images' probabilities and what was chosen."""
        if one.best:
            one.network.load_state_dict(one.best)
        rows = np.asarray(one.fold.split(one.chosen)[1])
        logits, _ = self._evaluate(one, rows)
        tensors = {f"suffix.{name}": value for name, value in one.network.state_dict().items()}
        tensors["predictions.indices"] = torch.from_numpy(rows.astype(np.int64))
        tensors["predictions.probabilities"] = logits.softmax(1)
        inside, truth = self._evaluate(one, one.fold.split(one.chosen)[0])
        training = {
            "selected_epoch": one.chosen,
            # Of the reported network on its training images as they are; epochs keep the running mean of the draws.
            "train_accuracy": float((inside.argmax(1) == truth).double().mean()),
            "micro_batch": self.micro,
            "inner_losses": one.inner_losses,
        }
        if self.recipe.calibrate:
            inner = self._evaluate(one, one.inner)[0].softmax(1).double().cpu().numpy()
            training["temperature"] = fit_temperature(inner, self.labels[one.inner])
        note = {
            "run": self.config.key(),
            "backbone": self.config.transfer.backbone,
            "seed": one.fold.seed,
            "fold": one.fold.fold,
            "records": [asdict(record) for record in one.records],
            "training": training
            | {"precision": self.precision.used, "precision_reason": self.precision.reason},
        }
        checkpoints.write(path, tensors, note)
