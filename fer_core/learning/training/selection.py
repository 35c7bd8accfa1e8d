"""Which epoch's network a fold reports, and when it has trained long enough."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fer_core.config.run import TrainingConfig
from fer_core.learning.reporting import EpochRecord


def chosen_epoch(recipe: TrainingConfig, records: Sequence[EpochRecord], inner: Sequence[float]) -> int:
    """Return the epoch (from 1) that is reported, of those trained so far.

    Args:
        records: of the epochs trained, in order.
        inner: their losses on the inner split, in nats; empty where none is measured.
    """
    if recipe.selection == "inner":
        return int(np.argmin(inner)) + 1
    if recipe.selection == "best_on_validation":
        return int(np.argmax([record.val_accuracy for record in records])) + 1
    return len(records)


def enough(recipe: TrainingConfig, inner: Sequence[float]) -> bool:
    """Return whether the loss on the inner split has not fallen for `patience` epochs."""
    if not recipe.patience or not inner:
        return False
    return len(inner) - 1 - int(np.argmin(inner)) >= recipe.patience
