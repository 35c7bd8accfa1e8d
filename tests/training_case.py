"""A small training case: noise images, folds and a report that keeps what it hears."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report_case import Recorder
from safetensors.torch import load_file

from fer_core.config.run import RunConfig, parse
from fer_core.evaluation.protocols import Fold
from fer_core.learning.inputs.views import Inputs, prepare
from fer_core.learning.networks.transfer import Chain, build
from fer_core.learning.reporting import FoldResult
from fer_core.learning.training.loop import train
from fer_core.storage.artifacts import Artifacts

IMAGES, SIDE, CPU = 48, 48, torch.device("cpu")


@dataclass(frozen=True, eq=False)
class PlainFold(Fold):
    """A fold whose split may change with the epoch, as the paper's reshuffle does."""

    reshuffled: Callable[[int], tuple[np.ndarray, np.ndarray]] | None = None

    def split(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        return self.reshuffled(epoch) if self.reshuffled else (self.train, self.validation)


def crops_and_labels(images: int = IMAGES, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Noise whose brightness follows the label, so that a network has something to learn."""
    rng = np.random.default_rng(0)
    labels = np.arange(images) % 7
    noise = rng.integers(0, 128, (images, side, side, 3))
    return (noise + labels[:, None, None, None] * 18).astype(np.uint8), labels


def two_folds(seed: int = 0, sizes: tuple[int, int] = (14, 13)) -> list[PlainFold]:
    """Folds with 34 and 35 training images: neither size is a multiple of the batch, and they differ."""
    order = np.random.default_rng(seed).permutation(IMAGES)
    parts = order[: sizes[0]], order[sizes[0] : sum(sizes)]
    return [PlainFold(seed, i, np.setdiff1d(order, part), part) for i, part in enumerate(parts)]


def run_config(backbone: str = "resnet18", n: int = 1, weights: str = "none", **training: Any) -> RunConfig:
    recipe = {"epochs": 2, "batch_size": 8} | training
    model = {"kind": "transfer", "backbone": backbone, "weights": weights, "unfreeze": n}
    return parse(RunConfig, {"data": {"fingerprint": "0" * 16}, "model": model, "training": recipe})


def small_chain(config: RunConfig, side: int = SIDE) -> Chain:
    chain = build(config.transfer, None)
    chain.row = dataclasses.replace(chain.row, input_size=side)
    return chain


@dataclass(frozen=True, eq=False)
class OnDisk(FoldResult):
    """A fold's result with its file, whose tensors `suffix.<block>...` are the trained blocks."""

    weights: Path = Path()


def fit(
    config: RunConfig,
    folder: Path,
    *,
    report: Recorder | None = None,
    side: int = SIDE,
    live: Callable[[Inputs, np.ndarray], torch.Tensor] | None = None,
    **options: Any,
) -> list[OnDisk]:
    """Cut the activations and train, as the pipeline does; `live` returns what training reads of some rows."""
    crops, labels = crops_and_labels(side=side)
    report, chain = report or Recorder(), small_chain(config, side)
    inputs = prepare(
        chain,
        crops,
        config=config,
        artifacts=Artifacts(folder / "artifacts"),
        report=Recorder(),
        device=CPU,
    )
    if live is not None:
        inputs = dataclasses.replace(inputs, live=lambda rows, _, clean=inputs: live(clean, rows))
    folds, place = options.pop("folds", None) or two_folds(), folder / "fit"
    results = train(
        config,
        chain,
        inputs,
        labels,
        folds,
        device=CPU,
        report=report,
        checkpoints_dir=place,
        **options,
    )
    return [
        OnDisk(**vars(one), weights=place / f"seed{one.seed}-fold{one.fold}.safetensors") for one in results
    ]


def outcome(results: list[OnDisk]) -> list[object]:
    """All that must agree between two trainings, the clock left out."""
    found: list[object] = []
    for result in results:
        weights = load_file(result.weights)
        found.append([dataclasses.replace(epoch, seconds=0.0) for epoch in result.epochs])
        found.append(result.note)
        found.append(result.indices.tobytes() + result.probabilities.tobytes())
        found.append({name: value.numpy().tobytes() for name, value in weights.items()})
    return found
