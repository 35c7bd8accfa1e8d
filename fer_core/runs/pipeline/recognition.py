"""A recogniser's run: every frame is judged, nothing is trained; cut off, it continues after its last answers."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from fer_core.config.base import CLASSES
from fer_core.config.recognition import RecogniserConfig
from fer_core.config.settings import Settings
from fer_core.evaluation.metrics.probabilities import log_losses
from fer_core.learning.comparators.fitted import write_folds
from fer_core.learning.networks.recognisers import Recogniser
from fer_core.learning.reporting import EpochRecord, FoldResult
from fer_core.storage.artifacts import Artifacts

from .model_inputs import ModelInputs, Source

if TYPE_CHECKING:
    from .fitting import Work

#: Answers so far, rows of seven float32; and how many crops are judged at once.
FILE, BATCH = "answers.f4", 64


def crops_to_recognise(source: Source) -> ModelInputs:
    """Return the crops; a recogniser that is not here is missed before any frame is read.

    Raises:
        WeightsError, NotFoundError, ConfigError: it can't be loaded.
    """
    _loaded(source.config.model, source.settings, source.artifacts, "cpu")
    crops = source.crops()
    used = crops.used()
    return ModelInputs(crops.table, used, crops.images[: len(used)])


def recognise(work: Work, folder: Path) -> None:
    """Judge every crop and write the answers as the run's one fold."""
    started = time.perf_counter()
    network = _loaded(work.config.model, work.settings, work.artifacts, work.device)
    path, row, total = folder / FILE, 4 * len(CLASSES), len(work.inputs)
    whole = path.stat().st_size // (row * BATCH) if path.exists() else 0
    with path.open("r+b" if whole else "wb") as file:
        file.truncate(whole * BATCH * row)
        file.seek(0, 2)
        for start in range(whole * BATCH, total, BATCH):
            work.report.check()
            crops = np.asarray(work.inputs[start : start + BATCH])
            file.write(network.recognise(crops, work.config.faces).astype("<f4").tobytes())
            file.flush()
            work.report.step("recognising", min(start + BATCH, total), total)
    answers = np.fromfile(path, "<f4").reshape(-1, len(CLASSES))
    (fold,) = work.folds
    answers, labels = answers[fold.validation], work.labels[fold.validation]
    record = EpochRecord(
        seed=fold.seed,
        fold=fold.fold,
        epoch=1,
        train_loss=math.nan,
        train_accuracy=math.nan,
        val_loss=float(log_losses(answers, labels).mean()),
        val_accuracy=float((answers.argmax(1) == labels).mean()),
        lr=math.nan,
        seconds=time.perf_counter() - started,
        images=0,
    )
    write_folds(folder, [FoldResult(fold.seed, fold.fold, fold.validation, answers, (record,))], work.names)
    path.unlink()


def _loaded(model: object, settings: Settings, artifacts: Artifacts, device: str) -> Recogniser:
    return Recogniser.load(cast(RecogniserConfig, model), settings.weights_dir, artifacts, device)
