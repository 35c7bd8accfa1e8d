"""The grid of the paper's tables 2 and 3, and its figures beside those measured here.

n = 1, 2, 3 with and without face extraction, under the paper's per-epoch reshuffle, which leaks, and by whole
movies or persons. The paper prints means over 20 epochs, so the same means stand beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .comparison import fair_protocol
from .config import DataConfig, FacesConfig, ProtocolConfig, RunConfig, TrainingConfig, TransferConfig
from .datasets.base import Dataset
from .paper import TABLE_2, TABLE_3, Measure, reported
from .store import StoredRun

#: The paper's own protocol, what a fair one is, and what stands in for it where no groups are known.
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
    configs = [
        RunConfig(
            data=data,
            faces=cut,
            model=model,
            protocol=ProtocolConfig(name=name, folds=folds, seeds=seeds),  # type: ignore[arg-type]
            training=TrainingConfig(epochs=epochs),
        )
        for name in (LEAKING, fair)
        for cut in (faces, FacesConfig(extract=False, size=faces.size))
        for model in models
    ]
    return Grid(tuple(configs), fair, () if grouped else (NO_GROUPS,))


Found = Mapping[tuple[str, int, bool], StoredRun]


def by_setting(runs: Sequence[StoredRun]) -> Found:
    """Return finished runs by (protocol, n, faces)."""
    return {
        (run.protocol, run.config.transfer.unfreeze, run.config.faces.extract): run
        for run in runs
        if run.status == "done"
    }


def table_2(found: Found, protocols: Sequence[str]) -> list[dict[str, Any]]:
    """Return accuracy per n and kind of input: the paper's (faces only) and here per protocol.

    `train_accuracy` and `val_accuracy` are means over epochs, as the paper's; `last` is the accuracy on all
    held-out images after the last epoch, with its Wilson interval. Shares in 0..1; None for a run not done.
    """
    rows = []
    for faces in (True, False):
        for n in (1, 2, 3):
            row: dict[str, Any] = {"unfreeze": n, "faces": faces}
            for measure in ("train_accuracy", "val_accuracy"):
                row[f"paper_{measure}"] = _printed(measure, TABLE_2, unfreeze=n, faces=faces)
            for name in protocols:
                run = found.get((name, n, faces))
                row[name] = None if run is None else _accuracies(run)
            rows.append(row)
    return rows


def table_3(found: Found, protocols: Sequence[str]) -> list[dict[str, Any]]:
    """Return mean losses over epochs, in nats, with and without face extraction: the paper's and here, per n.

    The paper doesn't say which n its table 3 is of, so all three are given.
    """
    measures: tuple[Measure, ...] = ("train_loss", "val_loss")
    return [
        {
            "measure": measure,
            "faces": faces,
            "paper": _printed(measure, TABLE_3, faces=faces),
            **{
                name: {
                    n: found[name, n, faces].summary["over_epochs"][measure]
                    if (name, n, faces) in found
                    else None
                    for n in (1, 2, 3)
                }
                for name in protocols
            },
        }
        for measure in measures
        for faces in (True, False)
    ]


def _accuracies(run: StoredRun) -> dict[str, Any]:
    over = run.summary["over_epochs"]
    return {
        "run_id": run.id,
        "train_accuracy": over["train_accuracy"],
        "val_accuracy": over["val_accuracy"],
        "last": run.summary["val_accuracy"],
        "interval": run.summary["val_accuracy_interval"],
    }


def _printed(measure: Measure, source: str, **setting: object) -> float | None:
    figures = reported(measure, source=source, **setting)
    return figures[0].value if figures else None
