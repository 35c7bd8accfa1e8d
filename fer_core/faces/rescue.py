"""Second looks at a frame in which the detector found no face: policies tried in order until one finds any."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .crops import Faces

if TYPE_CHECKING:
    from .mtcnn.detector import MTCNN

#: How far the policy 'thresholds' lowers each of MTCNN's three, and the least they become.
LOWERED_BY, LEAST_THRESHOLD = 0.2, 0.05

#: What the policy 'stretch' makes black and white of each channel.
PERCENTILES = (2, 98)

#: The policy 'upscale' leaves larger frames alone: their faces are not too small, and memory is bounded.
UPSCALE_PIXELS = 1 << 22

#: Degrees, counter-clockwise, in the order the policy 'rotate' tries them: small turns first.
ANGLES: tuple[tuple[int, int], ...] = ((15, -15), (30, -30))

#: Gives the detector whose thresholds are lowered by so much.
DetectorOf = Callable[[float], "MTCNN"]


@dataclass(frozen=True)
class Attempt:
    """One changed view of a frame.

    Attributes:
        image: (h, w, 3) uint8 RGB.
        to_source: (2, 3) float64 affine matrix from the view's pixels to the frame's.
        lowered: how far the detector's thresholds are lowered for it.
    """

    image: np.ndarray
    to_source: np.ndarray
    lowered: float = 0.0


@dataclass(frozen=True)
class Policy:
    """A way to look again.

    Attributes:
        title, why: for people.
        rounds: gives, for a frame, rounds of attempts; the first round in which a face turns up ends it.
    """

    title: str
    why: str
    rounds: Callable[[np.ndarray], Iterable[list[Attempt]]]


def rescue(image: np.ndarray, detector_of: DetectorOf, policies: Sequence[str]) -> Faces | None:
    """Return the faces that the first successful policy finds, or None.

    Within a round the attempt with the most probable face is taken.

    Args:
        image: (H, W, 3) uint8 RGB.
        policies: names among `POLICIES`, tried in this order.

    Returns:
        Boxes and landmarks in the frame's pixels, with `rescued_by` the policy's name.
    """
    height, width = image.shape[:2]
    for name in policies:
        for attempts in POLICIES[name].rounds(image):
            found = [(one, detector_of(one.lowered).detect([one.image])[0]) for one in attempts]
            if any(len(faces) for _, faces in found):
                attempt, faces = max(found, key=lambda pair: pair[1].probabilities.max(initial=0.0))
                boxes = map_boxes(faces.boxes, attempt.to_source)
                points = map_points(faces.landmarks, attempt.to_source)
                return Faces(width, height, boxes, faces.probabilities, points, rescued_by=name)
    return None


def lower(thresholds: Sequence[float], by: float) -> tuple[float, ...]:
    """Return thresholds lowered by `by`, none below `LEAST_THRESHOLD` unless it was before."""
    return tuple(max(value - by, min(value, LEAST_THRESHOLD)) for value in thresholds)


def map_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return (..., 2) points under a (2, 3) affine matrix, as float32."""
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def map_boxes(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return (n, 4) float32 upright boxes around what (n, 4) boxes hold, under a (2, 3) affine matrix.

    A turned box is no longer upright. The upright box around its corners would grow by up to 37 % at 30
    degrees; a face fills about the ellipse inside its box, so the box around the turned ellipse is taken. It
    is exact for shifts and scales.
    """
    centres = map_points((boxes[:, :2] + boxes[:, 2:]) / 2, matrix)
    radii = (boxes[:, 2:] - boxes[:, :2]) / 2
    extents = np.sqrt(radii**2 @ (matrix[:, :2] ** 2).T)
    return np.concatenate([centres - extents, centres + extents], axis=1).astype(np.float32)


def stretched(image: np.ndarray) -> np.ndarray:
    """Return an image whose channels reach from black to white between their 2nd and 98th percentile, each by itself.

    That takes a tint away as well as darkness.
    """
    low, high = np.percentile(image, PERCENTILES, axis=(0, 1))
    view = (image - low) * (255 / np.maximum(high - low, 1))
    return view.clip(0, 255).round().astype(np.uint8)


def _light(image: np.ndarray) -> Iterator[list[Attempt]]:
    """Contrast-limited adaptive histogram equalisation of the brightness (CLAHE, Zuiderveld 1994)."""
    from skimage.exposure import equalize_adapthist

    yield [Attempt((equalize_adapthist(image) * 255).round().astype(np.uint8), np.eye(2, 3))]


def _upscale(image: np.ndarray) -> Iterator[list[Attempt]]:
    height, width = image.shape[:2]
    if height * width <= UPSCALE_PIXELS:
        larger = Image.fromarray(image).resize((2 * width, 2 * height), Image.Resampling.BICUBIC)
        yield [Attempt(np.asarray(larger), np.eye(2, 3) / 2)]


def _rotate(image: np.ndarray) -> Iterator[list[Attempt]]:
    for angles in ANGLES:
        yield [turned(image, angle) for angle in angles]


def turned(image: np.ndarray, degrees: float) -> Attempt:
    """Return a frame turned counter-clockwise about its centre, whole, on black."""
    height, width = image.shape[:2]
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[cos, -sin], [sin, cos]])  # from the turned view to the frame; y points down
    size = np.ceil(np.abs(turn) @ (width, height) - 1e-6).astype(int)  # cos(90 degrees) is not quite 0
    shift = np.array([width, height]) / 2 - turn @ (size / 2)
    matrix = np.column_stack([turn, shift])
    view = Image.fromarray(image).transform(
        (int(size[0]), int(size[1])),
        Image.Transform.AFFINE,
        tuple(matrix.ravel()),
        resample=Image.Resampling.BILINEAR,
    )
    return Attempt(np.asarray(view), matrix)


#: The policies by name; `config.RESCUES` lists the same names.
POLICIES: dict[str, Policy] = {
    "stretch": Policy(
        "stretch the contrast",
        "brings faces out of the dark and out of coloured light",
        lambda image: [[Attempt(stretched(image), np.eye(2, 3))]],
    ),
    "light": Policy("even out the light", "brings faces out of shadow and glare", _light),
    "upscale": Policy("enlarge 2x", "finds faces smaller than the smallest searched", _upscale),
    "rotate": Policy("turn by 15 and 30°", "finds tilted heads: the nets know upright ones", _rotate),
    "thresholds": Policy(
        f"lower thresholds by {LOWERED_BY}",
        "finds doubtful faces, and things that are none",
        lambda image: [[Attempt(image, np.eye(2, 3), LOWERED_BY)]],
    ),
}
