"""Why no face was found, in words anyone understands, from measures of the frame; and what helps.

The bounds are read off generated frames whose cause is known; `benchmarks/faces.py` prints how often each sentence is
right there. What those measures don't tell apart is not claimed: a face turned away, covered or cut by the border, and
none at all, are one answer.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

#: Below this middle brightness (0..255) a frame is dark.
DARK = 27.0

#: The second brightest channel over the brightest, at their 98th percentiles: less is coloured light.
TINTED, DEEPLY_TINTED = 0.6, 0.4

#: The steepest edges, as a share of the frame's contrast a step of 4 px: softer ones are blurred.
SOFT = 0.12


@dataclass(frozen=True)
class Cause:
    """Why a face was probably lost, as a sentence, and what helps, as another."""

    name: str
    why: str
    helps: str


CAUSES: dict[str, Cause] = {
    cause.name: cause
    for cause in (
        Cause("dark", "The frame is dark.", "Stretch its contrast (Win back lost faces), or draw the face."),
        Cause(
            "tinted",
            "The light has one colour.",
            "Stretch its contrast (Win back lost faces), or draw the face.",
        ),
        Cause(
            "blurred",
            "The frame is out of focus.",
            "Lower a threshold, draw the face, or leave the frame out.",
        ),
        Cause(
            "small",
            "The face is smaller than any that is searched.",
            "Search smaller faces, or enlarge the frame.",
        ),
        Cause(
            "hidden",
            "No face can be made out: it is turned away, covered or cut by the border, or there is none.",
            "Turn the frame (Win back lost faces), draw the face, or leave the frame out.",
        ),
    )
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
