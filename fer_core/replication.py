"""The paper's figures and statements beside this machine's runs: what holds, what does not, what is noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd

from .config import CLASSES, TransferConfig
from .config_comparators import BdnnConfig, MlpConfig, SvmConfig, TableConfig
from .metrics import wilson
from .metrics.intervals import RESAMPLES, bootstrap, members_of
from .paper import REPORTED, Reported
from .recipes import described
from .results import title
from .store import StoredRun

HOLDS, FAILS, NOISE, MISSING = "holds", "does not hold", "within noise", "not run"
#: Of a single figure: beyond noise, or nothing to tell noise by.
DIFFERS, UNJUDGED = "differs", "no interval"
CHANCE = 1 / len(CLASSES)
#: Frames of SFEW: how many images the paper's accuracies rest on.
PAPER_IMAGES = 675
LEVEL, Z = 0.95, 1.96
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
class Judged:
    """A statement of the paper under one protocol here: the verdict, and the figures behind it in words."""

    statement: str
    source: str
    protocol: str
    verdict: str
    words: str


@dataclass(frozen=True)
class Runs:
    """The finished runs of one data set, newest first, among which a figure's counterpart is looked for."""

    runs: Sequence[StoredRun]
    backbone: str
    epochs: Table
    predictions: Table

    def pick(
        self, slot: str, protocol: str, *, faces: bool = True, folds: int | None = None
    ) -> StoredRun | None:
        """Return the newest run of 'n1'..'n3', 'bdnn', 'mlp', 'phog' or 'lpq' under a protocol.

        Without `folds` the BDNN with the most folds is meant: the paper's has ten, everything else five.
        """
        found = [
            run
            for run in self.runs
            if run.protocol == protocol
            and folds in (None, run.config.protocol.folds)
            and _is(run, slot, self.backbone)
            and (faces == run.config.faces.extract or run.config.data.layout == "table")
        ]
        found.sort(key=lambda run: -run.config.protocol.folds if slot == "bdnn" else 0)
        return found[0] if found else None


def _is(run: StoredRun, slot: str, backbone: str) -> bool:
    model = run.config.model
    if isinstance(model, TransferConfig):
        papers = model.weights == "imagenet" and not described(run.config.training)
        return slot == f"n{model.unfreeze}" and model.backbone == backbone and papers
    if isinstance(model, SvmConfig):
        return slot == (model.inputs.columns if isinstance(model.inputs, TableConfig) else model.inputs.kind)
    kinds = {"bdnn": BdnnConfig, "mlp": MlpConfig}
    return slot in kinds and isinstance(model, kinds[slot])


def noise(share: float, images: int = PAPER_IMAGES) -> float:
    """Return half the 95 % interval of an accuracy over so many independent images: 3.7 points for 43 % of 675."""
    return Z * sqrt(share * (1 - share) / images)


def check_figures(runs: Runs) -> list[Checked]:
    """Set every reported figure beside its counterparts here, in the paper's order."""
    return [_check(figure, runs) for figure in REPORTED]


def _check(figure: Reported, runs: Runs) -> Checked:
    like, by_group = (_measure(figure, runs, name) for name in (figure.protocol, "group"))
    verdict, words = _compare(figure, like)
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


def _compare(figure: Reported, here: Measured | None) -> tuple[str, str]:
    if here is None:
        return MISSING, f"No run here under the paper's protocol ({figure.protocol})."
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


def check_statements(runs: Runs) -> list[Judged]:
    """Judge what the paper says of its figures, under its own kind of protocol and by whole groups."""
    return [
        Judged(statement, source, protocol, *judge(runs, protocol))
        for statement, source, own, judge in STATEMENTS
        for protocol in (own, "group")
    ]


def systems_table(runs: Sequence[StoredRun]) -> list[dict[str, Any]]:
    """Return a row a system: accuracy and interval under each protocol it ran, and the published one, if any.

    Of several runs of a system under one protocol the first counts.
    """
    rows: dict[str, dict[str, Any]] = {}
    for run in runs:
        row = rows.setdefault(title(run), {"system": title(run), "paper": _published(run)})
        if run.status == "done" and run.protocol not in row:
            row[run.protocol] = run.summary["val_accuracy"]
            row[f"{run.protocol}_interval"] = run.summary["val_accuracy_interval"]
    return list(rows.values())


def _published(run: StoredRun) -> float | None:
    """Return the paper's validation accuracy of a system, the BDNN's after 200 iterations."""
    model = run.config.model
    for figure in REPORTED:
        slot = f"n{figure.unfreeze}" if figure.model == "resnet18" else figure.model
        backbone = model.backbone if isinstance(model, TransferConfig) else ""
        faces = run.config.faces.extract or not isinstance(model, TransferConfig)
        if (
            figure.measure == "val_accuracy"
            and faces
            and figure.iterations in (None, 200)
            and _is(run, slot, backbone)
        ):
            return figure.value
    return None


Judge = Callable[[Runs, str], tuple[str, str]]


def _accuracies(predictions: pd.DataFrame) -> pd.Series:
    return (_probabilities(predictions).argmax(axis=1) == predictions["label"]).astype(float)


def _log_losses(predictions: pd.DataFrame) -> pd.Series:
    rows = np.arange(len(predictions))
    right = _probabilities(predictions)[rows, predictions["label"].to_numpy()]
    return pd.Series(-np.log(np.maximum(right, 1e-12)), index=predictions.index)


def _probabilities(predictions: pd.DataFrame) -> np.ndarray:
    return predictions[[f"p{index}" for index in range(len(CLASSES))]].to_numpy()


def paired(
    a: pd.DataFrame, b: pd.DataFrame, figure: Callable[[pd.DataFrame], pd.Series] = _accuracies
) -> tuple[float, tuple[float, float], int]:
    """Return the mean of b minus a over the images both were judged on, its 95 % interval, and their number.

    The bootstrap draws whole groups where they are known; several seeds of an image count as one.

    Args:
        a, b: predictions as the store keeps them.
        figure: what is compared, one value a row: right or wrong, or the log loss.
    """
    sides = [side.assign(figure=figure(side)).groupby(["name", "group"])["figure"].mean() for side in (a, b)]
    both = pd.concat(sides, axis=1, keys=["a", "b"]).dropna().reset_index()
    gains = (both["b"] - both["a"]).to_numpy()
    if not len(gains):
        return float("nan"), (float("nan"), float("nan")), 0
    members = members_of(list(both["group"]), list(both["name"]))
    return float(gains.mean()), bootstrap(gains, members, 0, LEVEL, RESAMPLES), len(gains)


def _gain(
    runs: Runs, protocol: str, first: str, second: str
) -> tuple[float, tuple[float, float], int] | None:
    """Return how much more accurate the first is than the second, in the same folds; None unless both were run."""
    b = runs.pick(first, protocol)
    a = runs.pick(second, protocol, folds=b.config.protocol.folds) if b else None
    return None if a is None or b is None else paired(runs.predictions(a), runs.predictions(b))


def _better(first: str, second: str) -> Judge:
    def judge(runs: Runs, protocol: str) -> tuple[str, str]:
        found = _gain(runs, protocol, first, second)
        if found is None:
            return MISSING, "One of the two has not been run."
        return _sign(*found[:2]), _points(*found)

    return judge


def _lower_loss(first: tuple[str, bool], second: tuple[str, bool]) -> Judge:
    def judge(runs: Runs, protocol: str) -> tuple[str, str]:
        a, b = (runs.pick(slot, protocol, faces=faces) for slot, faces in (second, first))
        if a is None or b is None:
            return MISSING, "One of the two has not been run."
        gain, bounds, images = paired(runs.predictions(a), runs.predictions(b), _log_losses)
        verdict = _sign(-gain, (-bounds[1], -bounds[0]))
        return verdict, f"{gain:+.2f} nats ({bounds[0]:+.2f} to {bounds[1]:+.2f}) on {images} images."

    return judge


def _similar(first: str, second: str) -> Judge:
    def judge(runs: Runs, protocol: str) -> tuple[str, str]:
        found = _gain(runs, protocol, first, second)
        if found is None:
            return MISSING, "One of the two has not been run."
        _, (low, high), _ = found
        if low > 0 or high < 0:
            return FAILS, _points(*found)
        return (HOLDS if max(-low, high) <= CLOSE else NOISE), _points(*found)

    return judge


def _at_chance(slot: str) -> Judge:
    def judge(runs: Runs, protocol: str) -> tuple[str, str]:
        run = runs.pick(slot, protocol)
        if run is None:
            return MISSING, "It has not been run."
        low, high = run.summary["val_accuracy_interval"]
        words = f"{100 * run.summary['val_accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f} %)."
        if not low <= CHANCE <= high:
            return FAILS, words
        return (HOLDS if (high - low) / 2 <= CLOSE else NOISE), words

    return judge


def _overfits(slot: str) -> Judge:
    def judge(runs: Runs, protocol: str) -> tuple[str, str]:
        run = runs.pick(slot, protocol)
        if run is None:
            return MISSING, "It has not been run."
        train, (_, high) = run.summary["train_accuracy"], run.summary["val_accuracy_interval"]
        words = f"Training {100 * train:.1f} %, validation {100 * run.summary['val_accuracy']:.1f} %."
        return (HOLDS if train > high else FAILS), words

    return judge


def _worse_later(runs: Runs, protocol: str) -> tuple[str, str]:
    run = runs.pick("bdnn", protocol)
    if run is None:
        return MISSING, "It has not been run."
    epochs = runs.epochs(run)
    shares = [epochs.loc[epochs["epoch"] == at, "val_accuracy"].mean() for at in (100, 200)]
    if np.isnan(shares).any():
        return MISSING, "It was trained for fewer than 200 iterations."
    half = sqrt(sum(noise(share, run.summary["images"]) ** 2 for share in shares))
    fall = shares[0] - shares[1]
    words = f"{100 * shares[0]:.1f} % at 100, {100 * shares[1]:.1f} % at 200; noise ±{100 * half:.1f} points."
    return _sign(fall, (fall - half, fall + half)), words


def _sign(gain: float, bounds: tuple[float, float]) -> str:
    if bounds[0] > 0:
        return HOLDS
    return FAILS if bounds[1] < 0 else NOISE


def _points(gain: float, bounds: tuple[float, float], images: int) -> str:
    low, high = bounds
    return f"{100 * gain:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f}) on {images} images."


#: (statement, where, the paper's kind of protocol, how it is judged)
STATEMENTS: tuple[tuple[str, str, str, Judge], ...] = (
    ("n = 2 validates better than n = 1", "table 2", "reshuffle", _better("n2", "n1")),
    ("n = 2 validates better than n = 3", "table 2", "reshuffle", _better("n2", "n3")),
    ("n = 3 overfits: training far above validation", "section 3", "reshuffle", _overfits("n3")),
    ("n = 3 validates at chance", "table 2: 14.42 %", "reshuffle", _at_chance("n3")),
    (
        "n = 2 has a lower validation loss than n = 1",
        "figure 4",
        "reshuffle",
        _lower_loss(("n2", True), ("n1", True)),
    ),
    (
        "face extraction lowers the validation loss",
        "table 3",
        "reshuffle",
        _lower_loss(("n2", True), ("n2", False)),
    ),
    ("the BDNN validates at chance", "section 3.1: 15.92 and 13.78 %", "stratified", _at_chance("bdnn")),
    ("the BDNN is worse after 200 iterations than after 100", "section 3.1", "stratified", _worse_later),
    ("the transferred network (n = 2) beats the BDNN", "section 3.1", "stratified", _better("n2", "bdnn")),
    (
        "the transferred network (n = 2) is similar to PHOG",
        "section 3.1",
        "stratified",
        _similar("n2", "phog"),
    ),
)
