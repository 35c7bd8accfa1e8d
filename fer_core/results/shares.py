"""Shares and their intervals as people read them, on pages, in reports and on the command line."""

from __future__ import annotations

from collections.abc import Sequence


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
