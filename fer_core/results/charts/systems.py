"""One mark for one system in every figure: a colour, and a shape for readers to whom two colours look alike.

Circles and crosses are transferred networks, squares and diamonds SVMs; the BDNN is vermillion and the MLP grey,
their shape telling what they read. No two systems share colour and shape, and colours that share a shape stay
apart for colour-blind readers too (`tests/charts/test_systems.py`).
"""

import hashlib
import re
from typing import NamedTuple

from fer_core.learning.networks.naming import COLUMNS, INPUTS

from .style import BLUE, GREEN, GREY, ORANGE, PALETTE, PURPLE, SKY, VERMILLION


class Mark(NamedTuple):
    """How a system is drawn: `color` as '#RRGGBB', `symbol` the name of one of Plotly's filled shapes."""

    color: str
    symbol: str


#: Shapes of what a BDNN or MLP reads, in the order of `naming.INPUTS` and `naming.COLUMNS`.
INPUT_SHAPES: tuple[str, ...] = (
    "triangle-up",
    "triangle-down",
    "triangle-left",
    "triangle-right",
    "star",
    "pentagon",
    "hourglass",
)

#: By the beginning of a system's name (`models.naming.family`).
SYSTEM_MARKS: dict[str, Mark] = {
    "ResNet-18": Mark(BLUE, "circle"),
    "ResNet-18 without shortcuts": Mark(BLUE, "cross"),
    "EfficientNet-Lite0": Mark(SKY, "circle"),
    "ResNet-50": Mark(GREEN, "circle"),
    "VGG-16": Mark(ORANGE, "circle"),
    "Inception-v3": Mark(PURPLE, "circle"),
    "Inception-ResNet-v1": Mark(VERMILLION, "circle"),
    "ConvNeXt-Tiny": Mark(ORANGE, "cross"),
    "ViT-B/16": Mark(GREEN, "cross"),
    "mini-Xception": Mark(VERMILLION, "cross"),
    "mini-Xception, as it is": Mark(GREEN, "hexagon"),
    "Vote": Mark(BLUE, "hexagon"),
    "pixels + SVM": Mark(SKY, "square"),
    "PHOG + SVM": Mark(ORANGE, "square"),
    "LPQ + SVM": Mark(PURPLE, "square"),
    "LPQ+PHOG + SVM": Mark(GREEN, "square"),
    "PHOG components + SVM": Mark(ORANGE, "diamond"),
    "LPQ components + SVM": Mark(PURPLE, "diamond"),
    "LPQ+PHOG components + SVM": Mark(GREEN, "diamond"),
    **{
        f"{kind} ({inputs})": Mark(color, shape)
        for kind, color in (("BDNN", VERMILLION), ("MLP", GREY))
        for inputs, shape in zip((*INPUTS.values(), *COLUMNS.values()), INPUT_SHAPES, strict=True)
    },
}


def system_mark(system: str) -> Mark:
    """Return the mark of a system in every figure; a name not in the table gets one that depends on it alone."""
    name = _letters(system)
    fitting = [known for known in SYSTEM_MARKS if name.startswith(_letters(known))]
    if fitting:
        return SYSTEM_MARKS[max(fitting, key=len)]
    return Mark(PALETTE[hashlib.sha256(name.encode()).digest()[0] % len(PALETTE)], "x")


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
