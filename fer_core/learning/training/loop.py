"""The training of a run: the suffix of a network, fold by fold, the same bits every time.

Paper, section 2.4. Each random choice is drawn from a separate generator, seeded by (seed, fold) for the
head and (seed, fold, epoch) for the order of images, so that a fold resumed at any epoch needs no state of a
generator. With n = 1 only the head trains, on one vector an image: then all folds train side by side, their
products batched into one: alone they cost a run of ten folds on 300 images 15 % more CPU time from stored
activations, 10 % from none. Each fold has its parameters, moments and step count, so the result is that of
training it alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from fer_core.config.run import RunConfig
from fer_core.evaluation.protocols.by_group import Part, inner_split
from fer_core.learning.inputs.views import Inputs
from fer_core.learning.networks.reproducible import deterministic, unrepeatable
from fer_core.learning.networks.transfer import Chain
from fer_core.learning.reporting import EpochRecord, FoldResult, Report

from . import checkpoints
from .fold import Progress
from .precision import Precision, arithmetic, resolve
from .trainer import Trainer

if TYPE_CHECKING:
    from fer_core.evaluation.protocols import Fold

#: Where the answer of precision 'auto' is kept, next to the folds.
PRECISION = "precision.json"


def train(
    config: RunConfig,
    chain: Chain,
    inputs: Inputs,
    labels: np.ndarray,
    folds: Sequence[Fold],
    *,
    device: torch.device,
    report: Report,
    checkpoints_dir: Path,
    held: Sequence[str] | None = None,
    save_every_s: float = 10.0,
) -> list[FoldResult]:
    """Train the suffix of a network on every fold.

    Args:
        chain: from `networks.transfer.build`; left as it was.
        inputs: what enters the first block that is a fold's own (`inputs.views.prepare`).
        labels: (N,) int, indices into `CLASSES`.
        folds: of one or several seeds.
        checkpoints_dir: where each fold's file is kept, and, at most every `save_every_s` seconds, the
            state of the fold in training. Called again with what an interrupted call left there, training
            continues from it, reports the epochs found there again, and ends with the same bits.
        held: (N,) names that an inner split keeps together; None to draw it image by image.

    Raises:
        DataError: the recipe needs an inner split and none keeps every class in training.
        TrainingError: fewer than two training images, a loss that is not finite, or no memory left even for
            two images at a time.
        Cancelled: `report` says so.
    """
    recipe = config.training
    parts = [
        inner_split(fold, labels, held, recipe.inner_share) if recipe.inner else Part(fold) for fold in folds
    ]
    stacked = chain.row.start(config) == "fc" and inputs.live is None
    groups = [parts] if stacked else [[part] for part in parts]
    checkpoints_dir.mkdir(parents=True, exist_ok=True)
    progress = Progress(report, len(folds) * recipe.epochs)
    precision = _precision(config, chain, inputs, len(labels), device, checkpoints_dir, report)
    values, micro = inputs.to(device), recipe.batch_size
    results: list[FoldResult] = []
    with deterministic(device, one_thread=stacked), arithmetic(precision, device):
        for group in groups:
            finals = [_file(checkpoints_dir, part.fold) for part in group]
            there = all(path.exists() for path in finals)
            if not there:
                trainer = Trainer(config, chain, values, labels, group, device, progress, precision, micro)
                trainer.run(finals, save_every_s)
            found = [_read_result(path, config) for path in finals]
            if there:
                progress.epochs([record for one in found for record in one.epochs], of=recipe.epochs)
            results += found
            # A fold starts with what fitted the one before it, whether that was trained now or read.
            micro = min(one.note["micro_batch"] for one in found)
    return results


def read_results(folder: Path, folds: Sequence[Fold], config: RunConfig) -> list[FoldResult]:
    """Return what a finished training left in its folder, in the order of the folds.

    Raises:
        StoreError: a file is missing, damaged or another run's.
    """
    return [_read_result(_file(folder, one), config) for one in folds]


def _file(folder: Path, fold: Fold) -> Path:
    return folder / f"seed{fold.seed}-fold{fold.fold}.safetensors"


def _read_result(path: Path, config: RunConfig) -> FoldResult:
    tensors, note = checkpoints.read(path, run=config.key())
    records = tuple(EpochRecord(**record) for record in note["records"])
    # Folds trained before recipes had choices carry no note of them: the last epoch, whole batches, as asked.
    plain = {
        "selected_epoch": len(records),
        "micro_batch": config.training.batch_size,
        "precision": config.training.precision,
    }
    return FoldResult(
        seed=note["seed"],
        fold=note["fold"],
        indices=tensors["predictions.indices"].numpy(),
        probabilities=tensors["predictions.probabilities"].numpy(),
        epochs=records,
        note=plain | note.get("training", {}),
    )


def _precision(
    config: RunConfig,
    chain: Chain,
    inputs: Inputs,
    images: int,
    device: torch.device,
    folder: Path,
    report: Report,
) -> Precision:
    """Return the arithmetic of a run; a measured choice is kept, so that a resumed run makes no other."""
    recipe, path = config.training, folder / PRECISION
    if path.exists():
        return Precision(**json.loads(path.read_text(encoding="utf-8")))
    suffix = chain.suffix(chain.row.start(config))
    rows = np.arange(min(recipe.batch_size, images))
    (batch, *_) = inputs.evaluation(rows, device)
    found = resolve(recipe.precision, suffix, batch, device)
    if device.type == "cuda" and (operation := unrepeatable(suffix, batch)):
        report.log(f"{operation} has no deterministic kernel on this GPU: trained again, bits may differ")
    if recipe.precision == "auto":
        path.write_text(json.dumps(asdict(found)), encoding="utf-8")
    return found
