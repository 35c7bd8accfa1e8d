"""Tables to figures, in Plotly where people point and zoom and in Altair for small multiples.

Each function takes a tidy table and returns a figure without a title (pages give headings); `describe` returns its
content in words. Plotly and Altair are imported where used, as loading them takes long.
"""

from __future__ import annotations

from .accuracy import accuracy_intervals, paper_vs_here
from .comparators import (
    class_differences,
    direction_losses,
    distance_map,
    distance_table,
    faces_svg,
    profile_table,
    profiles,
    protocol_ladder,
    two_directions,
)
from .curves import learning_curves, live_curve
from .data import class_bars, status_bars
from .predictions import confusion, per_class_figures, probabilities, reliability
from .style import CLASS_COLORS, PROTOCOL_COLORS, STATUS_COLORS, describe, on_page
from .systems import system_mark

__all__ = [
    "CLASS_COLORS",
    "PROTOCOL_COLORS",
    "STATUS_COLORS",
    "accuracy_intervals",
    "class_bars",
    "class_differences",
    "confusion",
    "describe",
    "direction_losses",
    "distance_map",
    "distance_table",
    "faces_svg",
    "learning_curves",
    "live_curve",
    "on_page",
    "paper_vs_here",
    "per_class_figures",
    "probabilities",
    "profile_table",
    "profiles",
    "protocol_ladder",
    "reliability",
    "status_bars",
    "system_mark",
    "two_directions",
]
