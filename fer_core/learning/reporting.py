"""What a run reports: progress, epochs, log lines, folds and figures; and what may stop it from outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch of one fold.

    Attributes:
        seed: seed of the protocol that drew the fold.
        fold: index of the fold under that seed.
        epoch: counts from 1.
        train_loss: mean of what training minimises, in nats: cross-entropy, with the recipe's smoothing, class
            weights and mixing; NaN where it isn't measured, as in the three below.
        train_accuracy: in 0..1; a network's is the running mean over the epoch's draws, in train mode.
        val_loss: mean cross-entropy, in nats.
        val_accuracy: in 0..1.
        lr: learning rate of the epoch; the head's where blocks have rates of their own.
        seconds: wall time of the epoch.
        images: training images seen in the epoch.
    """

    seed: int
    fold: int
    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    lr: float
    seconds: float
    images: int


@dataclass(frozen=True, slots=True)
class BdnnEpoch(EpochRecord):
    """An epoch with the reverse direction's losses: mean squared error in standard units; NaN for the control.

    All figures are measured after the epoch's step.
    """

    train_reverse_loss: float
    val_reverse_loss: float


@dataclass(frozen=True, eq=False)
class FoldResult:
    """One fitted fold, whatever the model.

    Attributes:
        seed: seed of the protocol that drew the fold.
        fold: index of the fold under that seed.
        indices: (M,) positions, among the run's images, of those held out in the reported epoch.
        probabilities: (M, 7) float32 in the order of `CLASSES`.
        epochs: a record an epoch, in order; a single one for a model that is fitted at once.
        note: what was chosen on the way, JSON-able: C and gamma, say, or the reported epoch.
        prototypes: (7, D) in the units of the inputs; None where the model has no reverse direction.
        distances: (M, 7) of the held-out images to the prototypes, in standard deviations; None likewise.
    """

    seed: int
    fold: int
    indices: np.ndarray
    probabilities: np.ndarray
    epochs: tuple[EpochRecord, ...]
    note: dict[str, Any] = field(default_factory=dict)
    prototypes: np.ndarray | None = None
    distances: np.ndarray | None = None


@dataclass(frozen=True)
class RunResult:
    """What a finished run leaves in the database.

    Attributes:
        summary: headline figures, JSON-able (numpy scalars are fine; NaN is stored as null).
        predictions: a row per held-out image, fold and seed: seed, fold, name, label, group, face_status and
            p0..p6, the probabilities in the order of `CLASSES`.
        environment: versions, git commit and device, JSON-able.
    """

    summary: dict[str, Any]
    predictions: pd.DataFrame
    environment: dict[str, Any]


class Report(Protocol):
    """What a run reports to; it may stop the run.

    `step`, `epoch` and `check` raise `Cancelled` (or its children `LeaseLost` and `WorkerStopped`) when the
    run must stop; a run lets that error through and leaves its checkpoints where they are.
    """

    @property
    def run_id(self) -> str:
        """The run's key."""

    @property
    def attempt(self) -> int:
        """Counts from 1; above 1 an earlier attempt was cut off and may have left checkpoints."""

    def step(self, name: str, done: int, total: int) -> None:
        """Say that `done` of `total` pieces of the named step are ready; cheap enough for every batch."""

    def epoch(self, record: EpochRecord) -> None:
        """Keep an epoch; the same seed, fold and epoch again replaces it."""

    def log(self, text: str) -> None:
        """Keep a line of the run's log."""

    def check(self) -> None:
        """Raise when the run must stop; cheap enough for every batch."""
