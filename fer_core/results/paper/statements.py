"""What the paper says of its figures, judged by this machine's runs: each statement under each protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.evaluation.metrics import paired
from fer_core.evaluation.metrics.probabilities import log_losses, probabilities_of

from .figures import CHANCE, CLOSE, FAILS, HOLDS, MISSING, NOISE, Runs, noise


@dataclass(frozen=True)
class Judged:
    """A statement of the paper under one protocol here: the verdict, and the figures behind it in words."""

    statement: str
    source: str
    protocol: str
    verdict: str
    words: str


Judge = Callable[[Runs, str], tuple[str, str]]


def _log_losses(predictions: pd.DataFrame) -> NDArray[np.float64]:
    return log_losses(probabilities_of(predictions), predictions["label"], floor=1e-12)


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


def check_statements(runs: Runs) -> list[Judged]:
    """Judge what the paper says of its figures, under its own kind of protocol and by whole groups."""
    return [
        Judged(statement, source, protocol, *judge(runs, protocol))
        for statement, source, own, judge in STATEMENTS
        for protocol in (own, "group")
    ]
