"""The grid of the paper's tables 2 and 3, and its figures beside those measured here.

n = 1, 2, 3 with and without face extraction, under the paper's per-epoch reshuffle, which leaks, and by whole
movies or persons. The paper prints means over 20 epochs, so the same means stand beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fer_core.results.shares import over
from fer_core.storage.store import StoredRun

from .reported import TABLE_2, TABLE_3, Measure, reported

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
    held-out images after the last epoch, with its interval and what that is over. Shares in 0..1;
    None for a run not done.
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
    means = run.summary["over_epochs"]
    return {
        "run_id": run.id,
        "train_accuracy": means["train_accuracy"],
        "val_accuracy": means["val_accuracy"],
        "last": run.summary["val_accuracy"],
        "interval": run.summary["val_accuracy_interval"],
        "interval_over": over(run.summary),
    }


def _printed(measure: Measure, source: str, **setting: object) -> float | None:
    figures = reported(measure, source=source, **setting)
    return figures[0].value if figures else None
