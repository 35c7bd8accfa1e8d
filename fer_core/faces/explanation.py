"""Why a frame has the faces it has, or none: what a detection's trace says, and the cause in words anyone understands.

The bounds of causes are read off generated frames whose cause is known; `benchmarks/faces.py` prints how often each
sentence is right there. What those measures don't tell apart is not claimed: a face turned away, covered or cut by the
border, and none at all, are one answer.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from fer_core.faces.crops import overlaps
from fer_core.faces.mtcnn.trace import Failure, Fate, Stage, StageTrace, Trace

STAGE_NAMES: dict[Stage, str] = {"pnet": "P-Net", "rnet": "R-Net", "onet": "O-Net"}

#: From this IoU on a candidate lies on a known face.
NEAR = 0.3

#: Side of P-Net's receptive field, px: a level at scale s searches faces of 12 / s px.
_CELL = 12


class Counts(NamedTuple):
    """Candidates of one stage: `seen` is the sum of the others."""

    seen: int
    below: int
    outside: int
    suppressed: int
    kept: int


def levels(trace: Trace, width: int, height: int) -> pd.DataFrame:
    """Return the pyramid of a frame of this size in px, a row a level, the largest scale first.

    Columns: scale (the level's size over the frame's), width and height (px of the level), face (px of the faces it
    searches, in the frame), cells (places P-Net looked at), best (its highest probability there, passed or not),
    passed and kept (how many reached its threshold, and were left after NMS).
    """
    wide, high = (np.floor(side * trace.scales + 1).astype(int) for side in (width, height))
    kept, index = trace.pnet.fates == Fate.KEPT, trace.pnet.scale
    return pd.DataFrame(
        {
            "scale": trace.scales,
            "width": wide,
            "height": high,
            "face": _CELL / trace.scales,
            "cells": _cells(wide) * _cells(high),
            "best": trace.best,
            "passed": np.bincount(index, minlength=len(trace.scales)),
            "kept": np.bincount(index[kept], minlength=len(trace.scales)),
        }
    )


def _cells(side: np.ndarray) -> np.ndarray:
    """Return how many of P-Net's outputs fit a side: its one pooling rounds up, its stride is 2."""
    return (side - 9) // 2


def counts(trace: Trace, stage: Stage, width: int, height: int) -> Counts:
    """Return what became of a stage's candidates; P-Net's are all its cells, on every level."""
    part: StageTrace = getattr(trace, stage)
    below = part.count(Fate.BELOW)
    if stage == "pnet":
        below = int(levels(trace, width, height)["cells"].sum()) - len(part.boxes)
    suppressed = part.count(Fate.SCALE_NMS) + part.count(Fate.NMS)
    outside, kept = part.count(Fate.OUTSIDE), part.count(Fate.KEPT)
    return Counts(below + outside + suppressed + kept, below, outside, suppressed, kept)


def lineage(trace: Trace) -> dict[Stage, int]:
    """Return, per stage, the index of the candidate that became the first face, or else that died last.

    Empty where no candidate passed P-Net; its best cell is then `Failure.box`.
    """
    failure, found = trace.failure(), dict[Stage, int]()
    if len(trace.onet.kept):
        found["onet"] = int(trace.onet.kept[0])
    elif failure is None or failure.stage == "pnet":
        return {}
    else:
        found[failure.stage] = int(np.nanargmax(getattr(trace, failure.stage).scores))
    if "onet" in found:
        found["rnet"] = int(trace.rnet.kept[found["onet"]])
    found["pnet"] = int(trace.pnet.kept[found["rnet"]])
    return found


def nearest(part: StageTrace, box: Sequence[float]) -> int | None:
    """Return the index of the candidate that lies best on a known face, or None where none overlaps it enough.

    Args:
        box: x1, y1, x2, y2 of a face that was won back or drawn, source px.
    """
    if not len(part.boxes):
        return None
    shares = overlaps(part.boxes, np.array([box], np.float32))[:, 0]
    best = int(shares.argmax())
    return best if shares[best] >= NEAR else None


def why(trace: Trace, least_face: float, short_side: int) -> str:
    """Return in one sentence or two where the last candidate died and by which threshold, or how it passed.

    Args:
        least_face: px of the smallest face searched.
        short_side: px of the frame.
    """
    if len(trace.onet.kept):
        best = float(trace.onet.scores[trace.onet.kept].max())
        faces = len(trace.onet.kept)
        what = "the one face" if faces == 1 else f"the best of {faces} faces"
        return f"O-Net gave {what} {shown(best)}; it asks for more than {trace.onet.threshold:.2f}."
    failure = trace.failure()
    if failure is None:
        return (
            f"The frame's short side of {short_side} px is below the smallest face searched, "
            f"{least_face:.0f} px: no pyramid level fits it, so nothing was looked at."
        )
    return _death(trace, failure)


def _death(trace: Trace, failure: Failure) -> str:
    name, score, threshold = STAGE_NAMES[failure.stage], shown(failure.score), failure.threshold
    side = f"{failure.box[2] - failure.box[0]:.0f} px wide"
    if failure.stage == "pnet":
        if failure.score >= threshold:
            return f"P-Net's best candidate has {score}, but the box made of it lies outside the frame."
        return (
            f"P-Net gave the best place on any of the {len(trace.scales)} scales {score} ({side}); it needs "
            f"{threshold:.2f}, so R-Net was given nothing."
        )
    looked = len(getattr(trace, failure.stage).boxes)
    if failure.score > threshold:
        return f"{name} gave its best candidate {score}, but the box made of it lies outside the frame."
    best = "its only candidate" if looked == 1 else f"the best of {looked} candidates"
    end = "so O-Net was given nothing" if failure.stage == "rnet" else "so no face was left"
    return f"{name} gave {best} {score} ({side}); it needs {threshold:.2f}, {end}."


def shown(probability: float) -> str:
    """Return a probability with as many digits as tell it from 1."""
    return f"{probability:.2f}" if probability < 0.995 else f"{probability:.4f}"


#: Below this middle brightness (0..255) a frame is dark.
DARK = 27.0

#: The second brightest channel over the brightest, at their 98th percentiles: less is coloured light.
TINTED, DEEPLY_TINTED = 0.6, 0.4

#: The steepest edges, as a share of the frame's contrast a step of 4 px: softer ones are blurred.
SOFT = 0.12


class Cause(NamedTuple):
    """Why a face was probably lost, as a sentence, and what helps, as another."""

    name: str
    why: str
    helps: str


_STRETCH = "Stretch its contrast (Win back lost faces), or draw the face."
_HIDDEN = "No face can be made out: it is turned away, covered or cut by the border, or there is none."
_TURN = "Turn the frame (Win back lost faces), draw the face, or leave the frame out."
_LOWER = "Lower a threshold, draw the face, or leave the frame out."
_SMALL = "The face is smaller than any that is searched."

CAUSES: dict[str, Cause] = {
    "dark": Cause("dark", "The frame is dark.", _STRETCH),
    "tinted": Cause("tinted", "The light has one colour.", _STRETCH),
    "blurred": Cause("blurred", "The frame is out of focus.", _LOWER),
    "small": Cause("small", _SMALL, "Search smaller faces, or enlarge the frame."),
    "hidden": Cause("hidden", _HIDDEN, _TURN),
}


def cause(image: np.ndarray, proposals: int, enlarged: float | None, least_face: float) -> Cause:
    """Return the likeliest cause for which no face was found.

    Args:
        image: (H, W, 3) uint8 RGB.
        proposals: places that passed P-Net's threshold; without any, soft edges are those of an empty wall.
        enlarged: side in px of the frame of the most probable face that the second look 'upscale' finds; None for none.
        least_face: px of the smallest face searched.
    """
    values = image.astype(np.float32)
    grey = values.mean(axis=2)
    _, second, brightest = np.sort(np.percentile(values, 98, axis=(0, 1)))
    colour = second / max(brightest, 1.0)
    dark = np.median(grey) < DARK
    if colour < (TINTED if dark else DEEPLY_TINTED):
        return CAUSES["tinted"]
    if dark:
        return CAUSES["dark"]
    if min(image.shape[:2]) < least_face or (enlarged is not None and enlarged < least_face):
        return CAUSES["small"]
    return CAUSES["blurred" if proposals and _edges(grey) < SOFT else "hidden"]


def _edges(grey: np.ndarray) -> float:
    """Return the 99.5th percentile of the slope of an image shrunk 4 times, over its contrast."""
    low, high = np.percentile(grey, (2, 98))
    size = (max(2, grey.shape[1] // 4), max(2, grey.shape[0] // 4))
    small = Image.fromarray(grey).resize(size, Image.Resampling.BOX)
    slopes = np.hypot(*np.gradient(np.asarray(small)))
    return float(np.percentile(slopes, 99.5) / max(high - low, 1.0))
