"""What Ray tasks do: fit a group of folds, say where they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fer_core.config.devices import resolve
from fer_core.config.settings import Settings
from fer_core.errors import StoreError
from fer_core.faces.extraction import CROPS
from fer_core.runs.pipeline.environment import describe_environment
from fer_core.runs.pipeline.fitting import FITTERS, Work

from .line import TaskReport


def fit(work: Work, crops: int, folder: str) -> None:
    """Fit a group of folds into the run's folder: the body of a task.

    Args:
        work: its report is a `TaskReport`.
        crops: the inputs are so many of the run's crops, which are opened here; 0 where they came along.

    Raises:
        StoreError: this node doesn't see the folder.
    """
    if not Path(folder).is_dir():
        raise StoreError(
            "Every node of a Ray cluster must see the folder of artifacts at the same path",
            got=f"no {folder}",
            fix="Put FER_HOME on a folder that all nodes share",
        )
    inputs = work.inputs
    if crops:
        found = work.artifacts.open("crops", work.config.crops_key()) / CROPS
        inputs = np.load(found, mmap_mode="r")[:crops]
    here = replace(work, inputs=inputs, device=resolve(work.settings))
    FITTERS[work.config.model.kind].build(here, Path(folder))
    if isinstance(work.report, TaskReport):
        work.report.flush()


def describe(settings: Settings) -> tuple[str, dict[str, object]]:
    """Return the device of a node that computes, and its environment: the body of a task."""
    device = resolve(settings)
    return device, describe_environment(device)
