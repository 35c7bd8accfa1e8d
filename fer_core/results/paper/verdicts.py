"""What holds of the paper here: each of its figures and statements judged by this machine's runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.config.run import CLASSES
from fer_core.evaluation.metrics import Estimate, Interval, difference, paired
from fer_core.evaluation.metrics.intervals import Z
from fer_core.evaluation.metrics.probabilities import log_losses, probabilities_of
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.learning.networks.naming import system
from fer_core.results.shares import accuracy_interval, over, percent
from fer_core.storage.store import StoredRun

from .counterparts import Runs
from .reported import REPORTED, Reported

HOLDS, FAILS, NOISE, MISSING = "holds", "does not hold", "within noise", "not run"
#: Of a statement that a leaking protocol can't judge.
LEAKS = "can't show: leaks"
#: Of a single figure: beyond noise, or nothing to tell noise by.
DIFFERS, UNJUDGED = "differs", "no interval"
CHANCE = 1 / len(CLASSES)
#: Frames of SFEW: how many images the paper's accuracies rest on.
PAPER_IMAGES = 675
#: Epochs that its accuracies of the transferred network are means over.
PAPER_EPOCHS = 20
#: Points (as a share) within which accuracies count as similar: the whole interval must lie within, or beyond.
CLOSE = 0.05


@dataclass(frozen=True)
class Measured:
    """A figure of this machine: value, 95 % interval (None: none) and what that is over, the run it comes from."""

    run: StoredRun
    value: float
    interval: tuple[float, float] | None
    over: str = ""

    def row(self) -> dict[str, Any]:
        """Return it as one row, with its run's id."""
        return {
            "value": self.value,
            "interval": self.interval,
            "interval_over": self.over,
            "run_id": self.run.id,
        }

    @property
    def of_the_run(self) -> tuple[float, Interval | None]:
        """The run's own accuracy and interval, as everywhere else; of the two sets of SPI their mean, as published."""
        if "two_sets" in self.run.summary:
            return self.value, self.interval
        low, high = _known(self.run.summary["val_accuracy_interval"])
        return self.run.summary["val_accuracy"], None if low != low else (low, high)


@dataclass(frozen=True)
class Checked:
    """A reported figure, the same under its protocol here (`like`) and by whole groups, and what follows."""

    reported: Reported
    like: Measured | None
    by_group: Measured | None
    verdict: str
    words: str

    def row(self) -> dict[str, Any]:
        """Return it as one row: accuracies as shares, losses in nats; None where nothing was measured."""
        return {
            **{name: getattr(self.reported, name) for name in ("system", "measure", "source", "protocol")},
            "paper": self.reported.value,
            "here": self.like and self.like.row(),
            "by_group": self.by_group and self.by_group.row(),
            "verdict": self.verdict,
            "words": self.words,
        }


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
    if figure.model == "bdnn" and like:
        words += f" Here: {system(like.run.config.model)}."
    odd = sorted({found.run.config.epochs for found in (like, by_group) if found} - {PAPER_EPOCHS})
    if odd and figure.over == f"{PAPER_EPOCHS} epochs":
        words += f" Here over {' and '.join(map(str, odd))} epochs, not {PAPER_EPOCHS}."
    if figure.measure == "val_accuracy" and abs(figure.value - CHANCE) <= noise(figure.value):
        words += f" The paper's {figure.printed} % is itself within noise of chance (1/7 = 14.29 %)."
    return Checked(figure, like, by_group, verdict, words)


def _measure(figure: Reported, runs: Runs, protocol: str) -> Measured | None:
    slot = f"n{figure.unfreeze or 2}" if figure.model == "resnet18" else figure.model
    # A sheet of features may have gone in raw, which its 15.92 % is nearest to; pixels in standard units.
    slots = ("bdnn raw", slot) if slot == "bdnn" else (slot,)
    found = (runs.pick(one, protocol, faces=figure.faces is not False) for one in slots)
    run = next((one for one in found if one), None)
    if run is None:
        return None
    if figure.iterations is not None:
        epochs = runs.epochs(run)
        value = epochs.loc[epochs["epoch"] == figure.iterations, figure.measure].mean()
    else:
        summary = run.summary["over_epochs"] if figure.over == "20 epochs" else run.summary
        value = summary[figure.measure]
    if figure.measure == "val_accuracy" and "two_sets" in run.summary:
        value = run.summary["two_sets"]["accuracy"]  # as SFEW's authors: each set counts half
    if value is None or np.isnan(value):
        return None
    if not figure.measure.endswith("accuracy"):
        return Measured(run, float(value), None)
    return Measured(run, float(value), _as_wide(float(value), run), over(run.summary))


def _as_wide(value: float, run: StoredRun) -> Interval | None:
    """Return an interval around a mean of epochs, as wide on the log odds as that of the reported epoch; None: none.

    The predictions of single epochs are not kept, and the movies that make the noise are the same. Where the reported
    epoch has all or none right, odds say nothing, and it is as wide in points.
    """
    from scipy.special import expit, logit

    low, high = run.summary["val_accuracy_interval"]
    if low is None or low != low:
        return None
    if value == run.summary["val_accuracy"]:
        return low, high
    if not 0 < run.summary["val_accuracy"] < 1:
        half = (high - low) / 2
        return max(0.0, value - half), min(1.0, value + half)
    ends = logit(np.clip([low, high, run.summary["val_accuracy"], value], 1e-6, 1 - 1e-6))
    return float(expit(ends[3] + ends[0] - ends[2])), float(expit(ends[3] + ends[1] - ends[2]))


def _compare(figure: Reported, here: Measured | None, runs: Runs) -> tuple[str, str]:
    if here is None:
        known = runs.absent.get(figure.protocol)
        return MISSING, known or f"No run here under the paper's protocol ({figure.protocol})."
    gap = here.value - figure.value
    more = "higher" if gap > 0 else "lower"
    if here.interval is None and here.over:
        return UNJUDGED, f"{100 * gap:+.1f} points here; {here.over}."
    if here.interval is None:
        return UNJUDGED, f"{abs(gap):.2f} nats {more} here; the paper gives no spread to judge that by."
    half = (here.interval[1] - here.interval[0]) / 2
    together = 100 * sqrt(half**2 + noise(figure.value) ** 2)
    if 100 * abs(gap) <= together:
        return NOISE, f"{100 * gap:+.1f} points here, within the noise of ±{together:.1f} points."
    return DIFFERS, f"{100 * abs(gap):.1f} points {more} here, beyond the noise of ±{together:.1f} points."


@dataclass(frozen=True)
class JudgedStatement:
    """A statement of the paper under one protocol here: by which figures it is judged (`rule`), and what follows."""

    statement: str
    source: str
    protocol: str
    rule: str
    verdict: str
    words: str


Judge = Callable[[Runs, str], tuple[str, str]]


class _NotRun(LookupError):
    """What a statement is judged by has not been run."""


def _the_run(runs: Runs, slot: str, protocol: str) -> StoredRun:
    if (run := runs.pick(slot, protocol)) is None:
        raise _NotRun("It has not been run.")
    return run


def _log_losses(predictions: pd.DataFrame) -> NDArray[np.float64]:
    return log_losses(probabilities_of(predictions), predictions["label"], floor=1e-12)


def _gain(runs: Runs, protocol: str, first: str, second: str) -> tuple[Estimate, int]:
    """Return how much more accurate the first is than the second, in the same folds: `paired`."""
    b = runs.pick(first, protocol)
    a = runs.pick(second, protocol, folds=b.config.protocol.folds) if b else None
    if a is None or b is None:
        raise _NotRun("One of the two has not been run.")
    return paired(runs.predictions(a), runs.predictions(b))


def _better(first: str, second: str, *, similar: bool = False) -> Judge:
    def judge(runs: Runs, protocol: str) -> tuple[str, str]:
        gain, images = _gain(runs, protocol, first, second)
        return _within(gain.interval, 0.0) if similar else _sign(gain.interval), _points(gain, images)

    return judge


def _lower_loss(first: tuple[str, bool], second: tuple[str, bool]) -> Judge:
    def judge(runs: Runs, protocol: str) -> tuple[str, str]:
        a, b = (runs.pick(slot, protocol, faces=faces) for slot, faces in (second, first))
        if a is None or b is None:
            raise _NotRun("One of the two has not been run.")
        gain, images = paired(runs.predictions(a), runs.predictions(b), _log_losses)
        low, high = gain.interval
        shown = gain.over if low != low else f"{low:+.2f} to {high:+.2f}, over {gain.over}"
        words = f"{gain.value:+.2f} nats ({shown}) on {images} images."
        return _sign((-high, -low)), words

    return judge


def _at_chance(slot: str) -> Judge:
    def judge(runs: Runs, protocol: str) -> tuple[str, str]:
        summary = _the_run(runs, slot, protocol).summary
        words = f"{percent(summary['val_accuracy'])} ({accuracy_interval(summary)})."
        return _within(_known(summary["val_accuracy_interval"]), CHANCE), words

    return judge


def _overfits(slot: str) -> Judge:
    def judge(runs: Runs, protocol: str) -> tuple[str, str]:
        summary = _the_run(runs, slot, protocol).summary
        train, (_, high) = summary["train_accuracy"], _known(summary["val_accuracy_interval"])
        words = f"Training {percent(train)}, validation {percent(summary['val_accuracy'])}."
        if train > high + 1e-9:
            return HOLDS, words
        if PROTOCOLS[protocol].leaks:
            return LEAKS, f"{words} Held-out images are like those trained on, so overfitting would not show."
        return (NOISE if high != high else FAILS), words

    return judge


def _worse_later(runs: Runs, protocol: str) -> tuple[str, str]:
    run = _the_run(runs, "bdnn", protocol)
    epochs = runs.epochs(run)
    early, late = (epochs.loc[epochs["epoch"] == at, "val_accuracy"].mean() for at in (100, 200))
    if np.isnan(early) or np.isnan(late):
        raise _NotRun("It was trained for fewer than 200 iterations.")
    # Iterations keep no predictions: the gap is judged over folds, whose images are the same at both.
    at = epochs[epochs["epoch"].isin((100, 200))].pivot(
        index=["seed", "fold"], columns="epoch", values="val_accuracy"
    )
    fall = difference(at[100] - at[200], [""] * len(at))
    low, high = fall.interval
    words = f"{percent(early)} at 100, {percent(late)} at 200; {100 * fall.value:+.1f} points lost "
    words += (
        f"({100 * low:+.1f} to {100 * high:+.1f}, over {len(at)} folds)."
        if low == low
        else "(too few folds)."
    )
    return _sign(fall.interval), words


def _sign(bounds: Interval) -> str:
    if bounds[0] > 0:
        return HOLDS
    return FAILS if bounds[1] < 0 else NOISE


def _within(bounds: Interval, value: float) -> str:
    """Judge whether a figure is `value`, give or take `CLOSE`: the interval lies within that, beyond it, or neither."""
    low, high = bounds
    if value - CLOSE <= low and high <= value + CLOSE:
        return HOLDS
    return FAILS if low > value + CLOSE or high < value - CLOSE else NOISE


def _known(bounds: Sequence[float | None]) -> Interval:
    low, high = (float("nan") if bound is None else bound for bound in bounds)
    return low, high


def _points(gain: Estimate, images: int) -> str:
    low, high = gain.interval
    shown = gain.over if low != low else f"{100 * low:+.1f} to {100 * high:+.1f}, over {gain.over}"
    return f"{100 * gain.value:+.1f} points ({shown}) on {images} images."


#: By which figures statements are judged: the paper's tables print means over epochs, of which no predictions are kept.
LAST, PAIRED, AT = "last epoch", "last epoch, same images", "means of the folds at both iterations"
ABOUT = f"last epoch, to {100 * CLOSE:.0f} points"

#: Statement -> where it stands, the paper's kind of protocol, by which figures it is judged, and how.
STATEMENTS: dict[str, tuple[str, str, str, Judge]] = {
    "n = 2 validates better than n = 1": ("table 2", "reshuffle", PAIRED, _better("n2", "n1")),
    "n = 2 validates better than n = 3": ("table 2", "reshuffle", PAIRED, _better("n2", "n3")),
    "n = 3 overfits: training far above validation": ("section 3", "reshuffle", LAST, _overfits("n3")),
    "n = 3 validates at chance": ("table 2: 14.42 %", "reshuffle", ABOUT, _at_chance("n3")),
    "n = 2 has a lower validation loss than n = 1": (
        *("figure 4", "reshuffle", PAIRED),
        _lower_loss(("n2", True), ("n1", True)),
    ),
    "face extraction lowers the validation loss": (
        *("table 3", "reshuffle", PAIRED),
        _lower_loss(("n2", True), ("n2", False)),
    ),
    "the BDNN validates at chance": (
        *("section 3.1: 15.92 and 13.78 %", "stratified", ABOUT),
        _at_chance("bdnn"),
    ),
    "the BDNN is worse after 200 iterations than after 100": ("section 3.1", "stratified", AT, _worse_later),
    **{
        f"the transferred network (n = {n}) beats the BDNN": (
            *("section 3.1: under all circumstances", "stratified", PAIRED),
            _better(f"n{n}", "bdnn"),
        )
        for n in (1, 2, 3)
    },
    "the transferred network (n = 2) is similar to PHOG": (
        *("section 3.1", "stratified", f"{PAIRED}, to {100 * CLOSE:.0f} points"),
        _better("n2", "phog", similar=True),
    ),
}


def check_statements(runs: Runs) -> list[JudgedStatement]:
    """Judge what the paper says of its figures, under its kind of protocol and by whole groups."""
    found = []
    for statement, (source, papers, rule, judge) in STATEMENTS.items():
        for protocol in (papers, "group"):
            try:
                verdict, words = judge(runs, protocol)
            except _NotRun as reason:
                verdict, words = MISSING, str(reason)
            found.append(JudgedStatement(statement, source, protocol, rule, verdict, words))
    return found
