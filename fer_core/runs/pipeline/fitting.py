"""How each kind of model is fitted to all folds: a table by `kind`, so that the pipeline branches nowhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fer_core.config.comparators import BdnnConfig, MlpConfig, SvmConfig
from fer_core.config.run import RunConfig
from fer_core.config.settings import Settings
from fer_core.errors import ConfigError
from fer_core.evaluation.protocols import Fold
from fer_core.learning.comparators.fitted import FittedFold, read_folds, write_folds
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.reporting import EpochRecord, Report
from fer_core.storage.artifacts import Artifacts


class FoldFigures(Protocol):
    """What every fitted fold tells, whatever the model."""

    @property
    def seed(self) -> int:
        """Seed of the protocol that drew the fold."""

    @property
    def fold(self) -> int:
        """Its index under that seed."""

    @property
    def indices(self) -> np.ndarray:
        """(M,) positions of the held-out images."""

    @property
    def probabilities(self) -> np.ndarray:
        """(M, 7) in the order of `CLASSES`."""

    @property
    def epochs(self) -> tuple[EpochRecord, ...]:
        """A record an epoch, in order."""

    @property
    def note(self) -> dict[str, Any]:
        """What was chosen on the way, JSON-able."""


@dataclass(frozen=True)
class Work:
    """What there is to fit.

    Attributes:
        inputs: (N, H, W, 3) uint8 crops for a backbone, (N, D) features for the other models.
        labels: (N,) indices into `CLASSES`.
        held: (N,) names that folds, and inner splits of them, keep together (movie, person, clip); None where
            they don't.
        names: of the N images.
    """

    config: RunConfig
    inputs: np.ndarray
    labels: np.ndarray
    held: Sequence[str] | None
    names: Sequence[str]
    folds: Sequence[Fold]
    artifacts: Artifacts
    report: Report
    settings: Settings
    device: str


@dataclass(frozen=True)
class Fitter:
    """How one kind of model is fitted.

    Attributes:
        build: fits all folds and writes them into a folder; called again after an interruption.
        read: returns the folds from a finished folder.
        trained: number of trained figures of one fold's model; None where there is no such number.
        apart: the folds in groups, each of which `build` can fit alone into the same folder, with the same bits.
    """

    build: Callable[[Work, Path], None]
    read: Callable[[Work, Path], list[FoldFigures]]
    trained: Callable[[Work], int | None]
    apart: Callable[[Work], list[list[Fold]]] = lambda work: [list(work.folds)]


def fit(work: Work, build: Callable[[Work, Path], None] | None = None) -> list[FoldFigures]:
    """Fit every fold, or read what has been fitted, as the run's artifact; returns a result a fold.

    What an interrupted attempt has finished is read, not trained again. `build` does what the model's own does,
    elsewhere.
    """
    config, fitter = work.config, FITTERS[work.config.model.kind]
    build = build or fitter.build
    described = config.model_dump(mode="json")
    folder = work.artifacts.ensure(
        "runs",
        config.key(),
        described,
        lambda place: build(work, place),
        resume=True,
        waiting=work.report.check,
    )
    return fitter.read(work, folder)


def _build_transfer(work: Work, folder: Path) -> None:
    import torch

    from fer_core.learning.inputs.views import prepare
    from fer_core.learning.networks.transfer import build
    from fer_core.learning.training.loop import train

    config, target = work.config, torch.device(work.device)
    work.report.step("loading the network", 0, 1)
    chain = build(config.transfer, work.settings.weights_dir)
    inputs = prepare(
        chain, work.inputs, config=config, artifacts=work.artifacts, report=work.report, device=target
    )
    train(
        config,
        chain,
        inputs,
        work.labels,
        work.folds,
        device=target,
        report=work.report,
        checkpoints_dir=folder,
        held=work.held,
    )


def _read_transfer(work: Work, folder: Path) -> list[FoldFigures]:
    from fer_core.learning.training.loop import read_results

    return list(read_results(folder, work.folds, work.config))


def _transfer_trained(work: Work) -> int | None:
    model = work.config.transfer
    return BACKBONES[model.backbone].trainable.get(model.unfreeze)


def _transfer_apart(work: Work) -> list[list[Fold]]:
    """Heads alone train side by side, as one group; whole blocks a fold at a time."""
    row, recipe = BACKBONES[work.config.transfer.backbone], work.config.training.augmentation
    live = recipe.active and not recipe.views
    if row.boundary(work.config.transfer.unfreeze) == "fc" and not live:
        return [list(work.folds)]
    return [[fold] for fold in work.folds]


def _build_svm(work: Work, folder: Path) -> None:
    from fer_core.learning.comparators.svm import fit_folds

    model = work.config.model
    if not isinstance(model, SvmConfig):
        raise ConfigError("an SVM must be asked for", got=model.kind)
    started = time.perf_counter()
    fitted = fit_folds(model, work.inputs, work.labels, work.folds, work.report, work.held)
    seconds = (time.perf_counter() - started) / len(fitted)
    found = []
    for one, fold in zip(fitted, work.folds, strict=True):
        right = one.probabilities.argmax(axis=1) == work.labels[one.indices]
        nan = float("nan")
        record = EpochRecord(
            seed=one.seed,
            fold=one.fold,
            epoch=1,
            train_loss=nan,
            train_accuracy=one.train_accuracy,
            val_loss=nan,
            val_accuracy=float(right.mean()),
            lr=nan,
            seconds=seconds,
            images=len(fold.train),
        )
        note = {
            "C": one.cost,
            "gamma": one.gamma,
            "components": one.components,
            "temperature": one.temperature,
        }
        work.report.log(
            f"seed {one.seed}, fold {one.fold}: " + ", ".join(f"{k} {v:g}" for k, v in note.items())
        )
        found.append(FittedFold(one.seed, one.fold, one.indices, one.probabilities, (record,), note=note))
    write_folds(folder, found, work.names)


def _build_dense(work: Work, folder: Path) -> None:
    from fer_core.learning.comparators.bdnn_training import fit_folds

    model = work.config.model
    if not isinstance(model, BdnnConfig | MlpConfig):
        raise ConfigError("a BDNN or its control must be asked for", got=model.kind)
    fitted = fit_folds(model, work.inputs, work.labels, work.folds, work.report, work.device)
    found = [
        FittedFold(
            one.seed,
            one.fold,
            one.indices,
            one.probabilities,
            one.epochs,
            one.prototypes,
            one.distances,
        )
        for one in fitted
    ]
    write_folds(folder, found, work.names)


def _dense_trained(work: Work) -> int | None:
    from fer_core.learning.comparators.bdnn import parameter_count

    model = work.config.model
    return parameter_count(model, work.inputs.shape[1]) if isinstance(model, BdnnConfig | MlpConfig) else None


def _read_fitted(_: Work, folder: Path) -> list[FoldFigures]:
    return list(read_folds(folder)[0])


DENSE = Fitter(_build_dense, _read_fitted, _dense_trained)

#: Every kind of model. A new one is a config in the union, and a row here.
FITTERS: dict[str, Fitter] = {
    "transfer": Fitter(_build_transfer, _read_transfer, _transfer_trained, _transfer_apart),
    "svm": Fitter(_build_svm, _read_fitted, lambda _: None),
    "bdnn": DENSE,
    "mlp": DENSE,
}
