"""A recogniser's run: every frame is judged, nothing is trained; cut off, it continues after its last answers."""

import math
import time
from pathlib import Path
from typing import cast

import numpy as np

from fer_core.config.base import CLASSES
from fer_core.config.recognition import RecogniserConfig
from fer_core.config.run import ProtocolConfig, RunConfig
from fer_core.config.settings import Settings
from fer_core.evaluation.metrics.probabilities import log_losses
from fer_core.evaluation.protocols import Fold
from fer_core.learning.networks.recognisers import SQUARE, Recogniser
from fer_core.learning.reporting import EpochRecord, FoldResult, Report
from fer_core.storage.artifacts import Artifacts

from .model_inputs import ModelInputs, Source, cropped

#: Answers so far, rows of seven float32; and how many crops are judged at once.
FILE, BATCH = "answers.f4", 64


def crops_to_recognise(source: Source) -> ModelInputs:
    """Return the crops; a recogniser that is not here is missed before any frame is read.

    Raises:
        WeightsError, NotFoundError, ConfigError: it can't be loaded.
    """
    loaded(source.config.model, source.settings, source.artifacts, "cpu")
    return cropped(source)


def recognise(
    config: RunConfig,
    crops: np.ndarray,
    labels: np.ndarray,
    fold: Fold,
    *,
    network: Recogniser,
    report: Report,
    folder: Path,
) -> FoldResult:
    """Judge every crop; what an interrupted call has left in the folder is kept.

    Args:
        crops: (N, H, W, 3) uint8.
        labels: (N,) indices into `CLASSES`.
        fold: the run's one, which holds out everything.
    """
    started = time.perf_counter()
    path, row = folder / FILE, 4 * len(CLASSES)
    whole = path.stat().st_size // (row * BATCH) if path.exists() else 0
    with path.open("r+b" if whole else "wb") as file:
        file.truncate(whole * BATCH * row)
        file.seek(0, 2)
        for start in range(whole * BATCH, len(crops), BATCH):
            report.check()
            part = np.asarray(crops[start : start + BATCH])
            file.write(network.recognise(part, config.faces).astype("<f4").tobytes())
            file.flush()
            report.step("recognising", start + len(part), len(crops))
    answers = np.fromfile(path, "<f4").reshape(-1, len(CLASSES))[fold.validation]
    path.unlink()
    truth = labels[fold.validation]
    record = EpochRecord(
        seed=fold.seed,
        fold=fold.fold,
        epoch=1,
        train_loss=math.nan,
        train_accuracy=math.nan,
        val_loss=float(log_losses(answers, truth).mean()),
        val_accuracy=float((answers.argmax(1) == truth).mean()),
        lr=math.nan,
        seconds=time.perf_counter() - started,
        images=0,
    )
    return FoldResult(fold.seed, fold.fold, fold.validation, answers, (record,))


def untrained(config: RunConfig) -> RunConfig | None:
    """Return the recogniser's run that a transfer run started from, its faces found alike; None for other weights."""
    if not config.trains_backbone or config.transfer.weights != "fer2013":
        return None
    cut = SQUARE.cut if config.faces.extract else {}
    return RunConfig(
        data=config.data,
        faces=config.faces.model_copy(update=cut),
        model=RecogniserConfig(),
        protocol=ProtocolConfig(name="unseen"),
    )


def loaded(model: object, settings: Settings, artifacts: Artifacts, device: str) -> Recogniser:
    """Return a run's recogniser, ready to answer."""
    return Recogniser.load(cast(RecogniserConfig, model), settings.weights_dir, artifacts, device)
