"""Shares and their intervals as people read them, and what lost faces cost a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from fer_core.faces.crops import RESCUED

#: What an interval is over where a run's figures don't say: those stored before they did.
OLDER = "images, taken as independent (figures of an older version)"


def percent(value: float | None, digits: int = 1) -> str:
    """Return a share in 0..1 as a percentage, a half rounded up as browsers do in tables; a dash for None and NaN."""
    if value is None or value != value:
        return "–"
    return f"{Decimal(float(100 * value)).quantize(Decimal(10) ** -digits, ROUND_HALF_UP)} %"


def p_value(value: float | None) -> str:
    """Return the p-value of a test with three digits; a dash for None."""
    return "–" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def interval(bounds: Sequence[float] | None) -> str:
    """Return an interval of shares as percentages; a dash for None and NaN."""
    if not bounds or any(bound is None or bound != bound for bound in bounds):
        return "–"
    return f"{100 * bounds[0]:.1f} – {100 * bounds[1]:.1f} %"


def over(figures: Mapping[str, Any], name: str = "val_accuracy") -> str:
    """Return what a figure's interval is over, as `metrics.Estimate` names it, or why none is shown."""
    return str(figures.get(f"{name}_interval_over") or OLDER)


def interval_over(bounds: Sequence[float] | None, what: str) -> str:
    """Return an interval with what it is over, or why there is none."""
    shown = interval(bounds)
    return what if shown == "–" else f"{shown}, over {what}"


def accuracy_interval(figures: Mapping[str, Any]) -> str:
    """Return the interval of a run's headline accuracy in words, from its summary."""
    return interval_over(figures["val_accuracy_interval"], over(figures))


def part_interval(part: Mapping[str, Any]) -> str:
    """Return the interval of the accuracy on a part of the images in words, from the part's figures in a summary."""
    return interval_over(part["interval"], str(part.get("interval_over") or OLDER))


def part_words(part: Mapping[str, Any]) -> str:
    """Return the accuracy on a part of the images with its interval."""
    return f"{percent(part['accuracy'])} ({part_interval(part)})"


#: Kinds of frames -> their name among the statuses of a run's summary.
KINDS = {"found": "found", "doubtful": "doubtful", "won back": RESCUED, "drawn": "manual", "lost": "none"}

#: Kinds whose crops may show something else than the face that is meant.
UNSURE = ("doubtful", "lost")


@dataclass(frozen=True)
class FaceShare:
    """Held-out frames of one kind: how many, how many of them right (a mean over seeds), and the interval in words."""

    images: int
    right: float
    interval: str

    def __str__(self) -> str:
        if not self.images:
            return "–"
        return f"{percent(self.right / self.images)} ({self.interval}), {self.images} frame{'s' * (self.images > 1)}"


def face_shares(summary: Mapping[str, Any]) -> dict[str, FaceShare]:
    """Return the kinds of frames that a run's summary names, in the order of `KINDS`; none without extraction."""
    known, found = summary.get("by_status", {}), {}
    for kind, status in KINDS.items():
        part = known.get(status)
        if part and part["images"]:
            found[kind] = FaceShare(part["images"], part["images"] * part["accuracy"], part_interval(part))
    return found


def at_most(summary: Mapping[str, Any]) -> float | None:
    """Return how many points (0..100) of accuracy a perfect detector could add at most; None without extraction.

    That is if every wrong answer on a lost or doubtful frame became right. A face would gain less: frames
    without a face are also the hard ones.
    """
    shares = face_shares(summary)
    total = sum(share.images for share in shares.values())
    wrong = sum(share.images - share.right for kind, share in shares.items() if kind in UNSURE)
    return 100 * wrong / total if total else None
