"""Shares and their intervals as people read them, on pages, in reports and on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: What an interval is over where a run's figures don't say: those stored before they did.
OLDER = "images, taken as independent (figures of an older version)"


def percent(value: float | None, digits: int = 1) -> str:
    """Return a share in 0..1 as a percentage; a dash for None and NaN."""
    return "–" if value is None or value != value else f"{100 * value:.{digits}f} %"


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
