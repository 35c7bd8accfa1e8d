"""Which runs here stand for what in the paper: one a setting, every system's row beside it, its tables 2 and 3."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from fer_core.config.comparators import DHALL, BdnnConfig, MlpConfig, SvmConfig, TableConfig
from fer_core.config.run import TransferConfig
from fer_core.config.training import described
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.networks.naming import weights_words
from fer_core.results.rows import title
from fer_core.results.shares import over
from fer_core.storage.store import StoredRun

from .reported import REPORTED, TABLE_2, TABLE_3, Measure, Reported, reported

Table = Callable[[StoredRun], pd.DataFrame]


@dataclass(frozen=True)
class Runs:
    """The finished runs of one data set, newest first, among which a figure's counterpart is looked for.

    `backbone` with `weights` stands beside the paper's network; `absent` is why protocols can't be run.
    """

    runs: Sequence[StoredRun]
    backbone: str
    epochs: Table
    predictions: Table
    weights: str = "imagenet"
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def stand_in(self) -> str:
        """What stands beside the paper's pretrained ResNet18 if it is another network, else ''."""
        if (self.backbone, self.weights) in (("resnet18", "imagenet"), ("", "")):
            return ""
        return BACKBONES[self.backbone].title.split(" (")[0] + weights_words(self.weights)

    @cached_property
    def _by_place(self) -> dict[tuple[str, str], list[StoredRun]]:
        """The runs by slot and protocol: a comparison asks for some fifty of them among thousands."""
        found: dict[tuple[str, str], list[StoredRun]] = defaultdict(list)
        for run in self.runs:
            found[_slot(run, self.backbone, self.weights), run.protocol].append(run)
        return found

    def pick(
        self, slot: str, protocol: str, *, faces: bool = True, folds: int | None = None
    ) -> StoredRun | None:
        """Return the newest run of 'n1'..'n3', 'bdnn', 'bdnn raw', 'mlp', 'phog', 'lpq' or 'lpq+phog' under a protocol.

        Without `folds` the BDNN with the most folds is meant: the paper's has ten, everything else five.
        """
        found = [
            run
            for run in self._by_place.get((slot, protocol), ())
            if folds in (None, run.config.protocol.folds)
            and not run.config.data.excluded
            and (faces == run.config.faces.extract or run.config.data.layout == "table")
        ]
        if slot.startswith("bdnn"):
            return max(found, key=lambda run: run.config.protocol.folds, default=None)
        return found[0] if found else None


def _slot(run: StoredRun, backbone: str, weights: str) -> str:
    """Return what a run stands for in the comparison, as `Runs.pick` names it; '' for nothing."""
    model = run.config.model
    if isinstance(model, TransferConfig):
        papers = (model.backbone, model.weights) == (backbone, weights) and not described(run.config.training)
        return f"n{model.unfreeze}" if papers else ""
    if isinstance(model, BdnnConfig) and not model.standardise:
        return "bdnn raw, alternating" if model.alternate else "bdnn raw"
    if isinstance(model, BdnnConfig | MlpConfig):
        return "" if isinstance(model, BdnnConfig) and model.alternate else model.kind
    if not isinstance(model, SvmConfig):
        return model.kind
    if not isinstance(model.inputs, TableConfig):
        return model.inputs.kind if DHALL.get(model.inputs.kind) == model.inputs else ""
    return "lpq+phog" if model.inputs.columns == "both" else model.inputs.columns


def systems_table(runs: Sequence[StoredRun]) -> list[dict[str, Any]]:
    """Return a row a system: accuracy and interval under each protocol it ran, and the published one, if any.

    `paper` is the published accuracy and `paper_protocol` how it was evaluated. Of several runs of a system under
    one protocol the first counts.
    """
    rows: dict[str, dict[str, Any]] = {}
    for run in runs:
        name = title(run)
        if name not in rows:
            known = _published(run)
            value, protocol = (known.value, known.protocol) if known else (None, None)
            rows[name] = {"system": name, "paper": value, "paper_protocol": protocol}
        row = rows[name]
        if run.status == "done" and run.protocol not in row:
            row[run.protocol] = run.summary["val_accuracy"]
            row[f"{run.protocol}_interval"] = run.summary["val_accuracy_interval"]
            row[f"{run.protocol}_interval_over"] = over(run.summary)
    return list(rows.values())


def _published(run: StoredRun) -> Reported | None:
    """Return the published validation accuracy of a system, the BDNN's after 200 iterations."""
    model = run.config.model
    network = ("", "")
    if isinstance(model, TransferConfig):
        if not run.config.faces.extract:
            return None
        network = model.backbone, model.weights
    slot = _slot(run, *network)
    for figure in REPORTED:
        place = f"n{figure.unfreeze}" if figure.model == "resnet18" else figure.model
        if figure.measure == "val_accuracy" and figure.iterations in (None, 200) and place == slot:
            return figure
    return None


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
