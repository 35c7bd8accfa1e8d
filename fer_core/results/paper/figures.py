"""The paper's figures and statements beside this machine's runs: what holds, what does not, what is noise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd

from fer_core.config.comparators import SvmConfig, TableConfig
from fer_core.config.recipes import described
from fer_core.config.run import CLASSES, TransferConfig
from fer_core.evaluation.metrics import wilson
from fer_core.evaluation.metrics.intervals import Z
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.networks.naming import weights_words
from fer_core.results.rows import title
from fer_core.storage.store import StoredRun

from .reported import REPORTED, Reported

HOLDS, FAILS, NOISE, MISSING = "holds", "does not hold", "within noise", "not run"
#: Of a single figure: beyond noise, or nothing to tell noise by.
DIFFERS, UNJUDGED = "differs", "no interval"
CHANCE = 1 / len(CLASSES)
#: Frames of SFEW: how many images the paper's accuracies rest on.
PAPER_IMAGES = 675
#: Epochs that its accuracies of the transferred network are means over.
PAPER_EPOCHS = 20
#: Points (as a share) within which two accuracies count as similar; a wider interval tells nothing of the kind.
CLOSE = 0.05

Table = Callable[[StoredRun], pd.DataFrame]


@dataclass(frozen=True)
class Measured:
    """A figure of this machine: value and 95 % interval (None for a loss), and the run it comes from."""

    run: StoredRun
    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Checked:
    """A reported figure, the same under its protocol here (`like`) and by whole groups, and what follows."""

    reported: Reported
    like: Measured | None
    by_group: Measured | None
    verdict: str
    words: str


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
        """Return the newest run of 'n1'..'n3', 'bdnn', 'mlp', 'phog', 'lpq' or 'lpq+phog' under a protocol.

        Without `folds` the BDNN with the most folds is meant: the paper's has ten, everything else five.
        """
        found = [
            run
            for run in self._by_place.get((slot, protocol), ())
            if folds in (None, run.config.protocol.folds)
            and (faces == run.config.faces.extract or run.config.data.layout == "table")
        ]
        found.sort(key=lambda run: -run.config.protocol.folds if slot == "bdnn" else 0)
        return found[0] if found else None


def _slot(run: StoredRun, backbone: str, weights: str) -> str:
    """Return what a run stands for in the comparison, as `Runs.pick` names it; '' for nothing."""
    model = run.config.model
    if isinstance(model, TransferConfig):
        papers = (model.backbone, model.weights) == (backbone, weights) and not described(run.config.training)
        return f"n{model.unfreeze}" if papers else ""
    if isinstance(model, SvmConfig):
        table = {"both": "lpq+phog"}
        inputs = model.inputs
        return table.get(inputs.columns, inputs.columns) if isinstance(inputs, TableConfig) else inputs.kind
    return model.kind


def noise(share: float, images: int = PAPER_IMAGES) -> float:
    """Return half the 95 % interval of an accuracy over so many independent images: 3.7 points for 43 % of 675."""
    return Z * sqrt(share * (1 - share) / images)


def check_figures(runs: Runs) -> list[Checked]:
    """Set every reported figure beside its counterparts here, in the paper's order."""
    return [_check(figure, runs) for figure in REPORTED]


def _check(figure: Reported, runs: Runs) -> Checked:
    like, by_group = (_measure(figure, runs, name) for name in (figure.protocol, "group"))
    verdict, words = _compare(figure, like, runs)
    if runs.stand_in and figure.model == "resnet18" and (like or by_group):
        words += f" Here: {runs.stand_in}."
    odd = sorted({found.run.config.epochs for found in (like, by_group) if found} - {PAPER_EPOCHS})
    if odd and figure.over == f"{PAPER_EPOCHS} epochs":
        words += f" Here over {' and '.join(map(str, odd))} epochs, not {PAPER_EPOCHS}."
    if figure.measure == "val_accuracy" and abs(figure.value - CHANCE) <= noise(figure.value):
        words += f" The paper's {figure.printed} % is itself within noise of chance (1/7 = 14.29 %)."
    return Checked(figure, like, by_group, verdict, words)


def _measure(figure: Reported, runs: Runs, protocol: str) -> Measured | None:
    slot = f"n{figure.unfreeze or 2}" if figure.model == "resnet18" else figure.model
    run = runs.pick(slot, protocol, faces=figure.faces is not False)
    if run is None:
        return None
    if figure.iterations is not None:
        epochs = runs.epochs(run)
        at = epochs[epochs["epoch"] == figure.iterations]
        value = float(at[figure.measure].mean()) if len(at) else float("nan")
    elif figure.over == "20 epochs":
        value = _number(run.summary["over_epochs"][figure.measure])
    else:
        value = _number(run.summary[figure.measure])
    if np.isnan(value):
        return None
    if not figure.measure.endswith("accuracy"):
        return Measured(run, value, None)
    images = run.summary["images"]
    return Measured(run, value, wilson(min(1.0, value) * images, images))


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _compare(figure: Reported, here: Measured | None, runs: Runs) -> tuple[str, str]:
    if here is None:
        known = runs.absent.get(figure.protocol)
        return MISSING, known or f"No run here under the paper's protocol ({figure.protocol})."
    gap = here.value - figure.value
    more = "higher" if gap > 0 else "lower"
    if here.interval is None:
        return UNJUDGED, f"{abs(gap):.2f} nats {more} here; the paper gives no spread to judge that by."
    half = (here.interval[1] - here.interval[0]) / 2
    together = sqrt(half**2 + noise(figure.value) ** 2)
    if abs(gap) <= together:
        return NOISE, f"{100 * gap:+.1f} points here, within the noise of ±{100 * together:.1f} points."
    return (
        DIFFERS,
        f"{100 * abs(gap):.1f} points {more} here, beyond the noise of ±{100 * together:.1f} points.",
    )


def systems_table(runs: Sequence[StoredRun]) -> list[dict[str, Any]]:
    """Return a row a system: accuracy and interval under each protocol it ran, and the published one, if any.

    `paper` is the published accuracy and `paper_protocol` how it was evaluated. Of several runs of a system under
    one protocol the first counts.
    """
    rows: dict[str, dict[str, Any]] = {}
    for run in runs:
        known = _published(run)
        row = rows.setdefault(
            title(run),
            {
                "system": title(run),
                "paper": known.value if known else None,
                "paper_protocol": known.protocol if known else None,
            },
        )
        if run.status == "done" and run.protocol not in row:
            row[run.protocol] = run.summary["val_accuracy"]
            row[f"{run.protocol}_interval"] = run.summary["val_accuracy_interval"]
    return list(rows.values())


def _published(run: StoredRun) -> Reported | None:
    """Return the published validation accuracy of a system, the BDNN's after 200 iterations."""
    model = run.config.model
    for figure in REPORTED:
        slot = f"n{figure.unfreeze}" if figure.model == "resnet18" else figure.model
        network = (model.backbone, model.weights) if isinstance(model, TransferConfig) else ("", "")
        faces = run.config.faces.extract or not isinstance(model, TransferConfig)
        if (
            figure.measure == "val_accuracy"
            and faces
            and figure.iterations in (None, 200)
            and slot == _slot(run, *network)
        ):
            return figure
    return None
