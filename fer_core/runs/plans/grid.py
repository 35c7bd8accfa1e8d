"""The grid of the paper's tables 2 and 3: n = 1, 2, 3 with and without faces, leaking and by whole groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fer_core.config.run import (
    DataConfig,
    FacesConfig,
    ProtocolConfig,
    RunConfig,
    TrainingConfig,
    TransferConfig,
)
from fer_core.datasets.base import Dataset

from .comparison import fair_protocol
from .requests import settings_of

#: The paper's protocol, what a fair one is, and what stands in for it where no groups are known.
LEAKING, FAIR, RANDOM = "reshuffle", "group", "stratified"


NO_GROUPS = (
    "Too few movies or persons are known by name to hold out whole ones, so random folds stand in for the fair "
    "protocol here; they leak too where frames come from films."
)


@dataclass(frozen=True)
class Grid:
    """The runs of the grid and what a reader must know of them; `fair` is the second protocol's name."""

    configs: tuple[RunConfig, ...]
    fair: str
    notes: tuple[str, ...]


def grid(
    dataset: Dataset,
    data: DataConfig,
    faces: FacesConfig,
    models: Sequence[TransferConfig],
    *,
    epochs: int,
    folds: int,
    seeds: tuple[int, ...],
) -> Grid:
    """Return every model with and without faces under both protocols."""
    grouped = fair_protocol(dataset, folds)
    fair = FAIR if grouped else RANDOM
    training, whole = TrainingConfig(epochs=epochs), FacesConfig(extract=False, size=faces.size)
    configs = [
        config
        for name in (LEAKING, fair)
        for cut in (faces, whole)
        for config in settings_of(
            data,
            [cut],
            models,
            ProtocolConfig(name=name, folds=folds, seeds=seeds),
            training,  # type: ignore[arg-type]
        )
    ]
    return Grid(tuple(configs), fair, () if grouped else (NO_GROUPS,))
