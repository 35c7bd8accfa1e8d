"""How each kind of model is fed and fitted: a table by `kind`, so that the pipeline branches nowhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from fer_core.config.comparators import BdnnConfig, MlpConfig, SvmConfig
from fer_core.config.run import RunConfig
from fer_core.config.settings import Settings
from fer_core.evaluation.protocols import Fold
from fer_core.learning.comparators.fitted import read_folds, write_folds
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.reporting import FoldResult, Report
from fer_core.storage.artifacts import Artifacts

from .model_inputs import ModelInputs, Source, crops_of, features_of
from .recognition import crops_to_recognise, loaded, recognise


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
    """How one kind of model is fed and fitted.

    Attributes:
        prepare: returns what the model reads.
        build: fits all folds and writes them into a folder; called again after an interruption.
        read: returns the folds from a finished folder.
        trained: number of trained figures of one fold's model; None where there is no such number.
        apart: the folds in groups, each of which `build` can fit alone into the same folder, with the same bits.
    """

    prepare: Callable[[Source], ModelInputs]
    build: Callable[[Work, Path], None]
    read: Callable[[Work, Path], list[FoldResult]]
    trained: Callable[[Work], int | None]
    apart: Callable[[Work], list[list[Fold]]] = lambda work: [list(work.folds)]


def fit(work: Work, build: Callable[[Work, Path], None]) -> list[FoldResult]:
    """Fit every fold, or read what has been fitted, as the run's artifact; returns a result a fold.

    What an interrupted attempt has finished is read, not trained again. `build` says where the fitter's `build` is
    carried out (`engine`).
    """
    config = work.config
    folder = work.artifacts.ensure(
        "runs",
        config.key(),
        config.model_dump(mode="json"),
        lambda place: build(work, place),
        resume=True,
        waiting=work.report.check,
    )
    return FITTERS[config.model.kind].read(work, folder)


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


def _read_transfer(work: Work, folder: Path) -> list[FoldResult]:
    from fer_core.learning.training.loop import read_results

    return read_results(folder, work.folds, work.config)


def _transfer_trained(work: Work) -> int | None:
    model = work.config.transfer
    return BACKBONES[model.backbone].trainable.get(model.unfreeze)


def _transfer_apart(work: Work) -> list[list[Fold]]:
    """Heads alone train side by side, as one group; whole blocks a fold at a time."""
    row, recipe = BACKBONES[work.config.transfer.backbone], work.config.training.augmentation
    live = recipe.active and not recipe.views
    if row.start(work.config) == "fc" and not live:
        return [list(work.folds)]
    return [[fold] for fold in work.folds]


def _build_svm(work: Work, folder: Path) -> None:
    from fer_core.learning.comparators.svm import fit_folds

    model = cast(SvmConfig, work.config.model)
    found = fit_folds(model, work.inputs, work.labels, work.folds, work.report, work.held)
    write_folds(folder, found, work.names)


def _build_dense(work: Work, folder: Path) -> None:
    from fer_core.learning.comparators.bdnn_training import fit_folds

    model = cast(BdnnConfig | MlpConfig, work.config.model)
    found = fit_folds(model, work.inputs, work.labels, work.folds, work.report, work.device)
    write_folds(folder, found, work.names)


def _dense_trained(work: Work) -> int | None:
    from fer_core.learning.comparators.bdnn import parameter_count

    return parameter_count(cast(BdnnConfig | MlpConfig, work.config.model), work.inputs.shape[1])


def _build_recogniser(work: Work, folder: Path) -> None:
    config, (fold,) = work.config, work.folds
    network = loaded(config.model, work.settings, work.artifacts, work.device)
    found = recognise(
        config, work.inputs, work.labels, fold, network=network, report=work.report, folder=folder
    )
    write_folds(folder, [found], work.names)


def _read_fitted(_: Work, folder: Path) -> list[FoldResult]:
    return read_folds(folder)[0]


DENSE = Fitter(features_of, _build_dense, _read_fitted, _dense_trained)

#: Every kind of model. A new one is a config in the union, and a row here.
FITTERS: dict[str, Fitter] = {
    "transfer": Fitter(crops_of, _build_transfer, _read_transfer, _transfer_trained, _transfer_apart),
    "svm": Fitter(features_of, _build_svm, _read_fitted, lambda _: None),
    "bdnn": DENSE,
    "mlp": DENSE,
    "recogniser": Fitter(crops_to_recognise, _build_recogniser, _read_fitted, lambda _: 0),
}
