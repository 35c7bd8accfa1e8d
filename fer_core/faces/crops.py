"""From detected faces to the network's input: which face, what became of the frame, and the crop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from fer_core.config.run import FacesConfig

from .mtcnn.trace import Trace

if TYPE_CHECKING:
    import pandas as pd

#: What becomes of a frame in detection, in the order pages list it.
STATUSES: tuple[str, ...] = ("found", "several", "low-confidence", "none", "manual", "unreadable")

#: Frames whose crop rests on no trustworthy face, unless a second look won it back (`failed`).
FAILED: tuple[str, ...] = ("none", "low-confidence", "several", "unreadable")

#: What a run's predictions call the status of a frame whose face a second look found, whatever its probability.
RESCUED = "rescued"

#: Where a face is at least so probable, the choice 'best' looks at no less probable one.
SURE = 0.9

Box = tuple[float, float, float, float]

#: Eyes, nose and mouth corners of an upright face in a 112 x 112 crop: the five-point template that the
#: face-recognition field aligns to (ArcFace, Deng et al. 2019), in MTCNN's order of landmarks.
TEMPLATE = np.array([[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]]) / 112.0


@dataclass(frozen=True)
class Faces:
    """What detection said about one frame: its faces, from MTCNN the largest box first.

    Attributes:
        width, height: the frame's size in pixels; 0 when it could not be read.
        boxes: (n, 4) float32 x1, y1, x2, y2, source pixels; may reach past the frame's border.
        probabilities: (n,) float32 in 0..1, O-Net's.
        landmarks: (n, 5, 2) float32 x, y of left eye, right eye, nose, left and right mouth corner (left as
            seen in the image), source pixels.
        reason: why the frame could not be read, or None.
        rescued_by: the policy of `rescue` that found the faces, or None where the first look did.
        trace: what each stage of the detector saw and removed; None once stored.
    """

    width: int
    height: int
    boxes: np.ndarray
    probabilities: np.ndarray
    landmarks: np.ndarray
    reason: str | None = None
    rescued_by: str | None = None
    trace: Trace | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def unreadable(cls, reason: str) -> Faces:
        """Return the entry of a frame that could not be decoded."""
        return cls(0, 0, np.zeros((0, 4), "f4"), np.zeros(0, "f4"), np.zeros((0, 5, 2), "f4"), reason)

    def none(self) -> Faces:
        """Return a frame of the same size in which no face was found."""
        return replace(self.unreadable(""), width=self.width, height=self.height, reason=None)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values from which `from_dict` gives the same faces back, without their trace."""
        return {
            "width": self.width,
            "height": self.height,
            "boxes": self.boxes.tolist(),
            "probabilities": self.probabilities.tolist(),
            "landmarks": self.landmarks.tolist(),
            "reason": self.reason,
            "rescued_by": self.rescued_by,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Faces:
        """Build from what `to_dict` returned."""
        return cls(
            values["width"],
            values["height"],
            np.array(values["boxes"], dtype=np.float32).reshape(-1, 4),
            np.array(values["probabilities"], dtype=np.float32),
            np.array(values["landmarks"], dtype=np.float32).reshape(-1, 5, 2),
            values["reason"],
            values.get("rescued_by"),
        )


@dataclass(frozen=True)
class Chosen:
    """The face a frame is cut at.

    Attributes:
        status: one of `STATUSES`.
        box: the chosen or drawn box in source pixels; None when the whole frame is used.
        probability: MTCNN's for that box; None for a drawn box or none.
        landmarks: (5, 2) float32 or None.
        faces: how many faces were found.
        rescued_by: the policy that found the box on a second look, or None.
        trace: where no face was found, what the detector saw; None once stored.
    """

    status: str
    box: Box | None = None
    probability: float | None = None
    landmarks: np.ndarray | None = None
    faces: int = 0
    rescued_by: str | None = None
    trace: Trace | None = None


def choose(faces: Faces, config: FacesConfig, drawn: Box | None = None) -> Chosen:
    """Choose the face of a frame and say what became of it.

    A drawn box is used only under the policy 'manual', where it wins over any detection.
    """
    if faces.reason is not None:
        return Chosen("unreadable")
    if drawn is not None and config.no_face == "manual":
        return Chosen("manual", drawn, faces=len(faces))
    if not len(faces):
        return Chosen("none")
    return _chosen(faces, _RANKS[config.choice](faces), config)


def choose_each(faces: Faces, config: FacesConfig) -> list[Chosen]:
    """Return every face of a frame as if it were the chosen one, in the detector's order; 'none' if there is none."""
    found = [_chosen(faces, index, config) for index in range(len(faces))]
    return found or [replace(choose(faces, config), trace=faces.trace)]


def _chosen(faces: Faces, index: int, config: FacesConfig) -> Chosen:
    """'several': two or more faces at or above `doubtful_below`; 'low-confidence': this one lies below it."""
    probability = float(faces.probabilities[index])
    sure = int((faces.probabilities >= config.doubtful_below).sum())
    if probability < config.doubtful_below:
        status = "low-confidence"
    else:
        status = "several" if sure > 1 else "found"
    x1, y1, x2, y2 = (float(v) for v in faces.boxes[index])
    return Chosen(status, (x1, y1, x2, y2), probability, faces.landmarks[index], len(faces), faces.rescued_by)


def failed(table: pd.DataFrame) -> pd.Series:
    """Return which rows of `Crops.table` rest on no trustworthy face; one that a second look won back does."""
    return table["status"].isin(FAILED) & table["rescued_by"].isna()


def _area(faces: Faces) -> np.ndarray:
    sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
    return sides[:, 0] * sides[:, 1]


def _off_centre(faces: Faces) -> np.ndarray:
    centres = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2 - np.array([faces.width, faces.height]) / 2
    return (centres**2).sum(axis=1)


def _best(faces: Faces) -> int:
    """Of the sure faces, or of all where none is: the largest within the frame, one cut by the border set back."""
    corners = faces.boxes.reshape(-1, 2, 2)
    sides = np.diff(corners.clip(0, (faces.width, faces.height)), axis=1)[:, 0]
    visible = sides[:, 0] * sides[:, 1]
    sure = faces.probabilities >= SURE
    return int(np.where(sure | ~sure.any(), visible * (visible / _area(faces)) ** 2, -1.0).argmax())


_RANKS: dict[str, Callable[[Faces], int]] = {
    "largest": lambda faces: int(_area(faces).argmax()),
    "best": _best,
    "most_probable": lambda faces: int(faces.probabilities.argmax()),
    "central": lambda faces: int(_off_centre(faces).argmin()),
}


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the IoU, 0 to 1, of (n, 4) with (m, 4) boxes: (n, m)."""
    near, far = np.maximum(boxes[:, None, :2], others[:, :2]), np.minimum(boxes[:, None, 2:], others[:, 2:])
    both = (far - near).clip(0).prod(2)
    areas, other_areas = ((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (boxes, others))
    return both / (areas[:, None] + other_areas - both)


def cut(image: np.ndarray, chosen: Chosen, config: FacesConfig) -> np.ndarray:
    """Cut the chosen face, or resize the whole frame where there is none (paper, section 2.3).

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        (size, size, 3) uint8 RGB. A box with margin is clipped to the frame and resized without keeping its
        aspect, as `facenet_pytorch.extract_face` does; with `config.align` and landmarks at hand, the face
        is turned and scaled to the five-point template instead. With `config.square` the box becomes a square around
        its middle, as large as its longer side, and pixels outside the frame are those of its edge.
    """
    size = (config.size, config.size)
    if config.extract and chosen.box is not None:
        if config.align and chosen.landmarks is not None:
            matrix = _from_template(chosen.landmarks, config)
            turned = Image.fromarray(image).transform(
                size, Image.Transform.AFFINE, matrix, resample=Image.Resampling.BICUBIC
            )
            return np.asarray(turned)
        if config.square:
            return _square(image, chosen.box, config)
        left, top, right, bottom = clipped(chosen.box, (image.shape[1], image.shape[0]), config)
        image = image[top:bottom, left:right]
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def clipped(box: Box, frame: tuple[int, int], config: FacesConfig) -> tuple[int, int, int, int]:
    """Return the whole pixels that a box with its margin covers inside a frame of (width, height)."""
    x1, y1, x2, y2 = box
    share = config.margin / (config.size - config.margin) / 2
    dx, dy = (x2 - x1) * share, (y2 - y1) * share
    left, top = int(max(x1 - dx, 0)), int(max(y1 - dy, 0))
    right, bottom = int(min(x2 + dx, frame[0])), int(min(y2 + dy, frame[1]))
    left, top = min(left, frame[0] - 1), min(top, frame[1] - 1)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _square(image: np.ndarray, box: Box, config: FacesConfig) -> np.ndarray:
    x1, y1, x2, y2 = box
    half = max(x2 - x1, y2 - y1) * config.size / (config.size - config.margin) / 2
    middles, ends = ((y1 + y2) / 2, (x1 + x2) / 2), image.shape[:2]
    corners = [(at - half, max(at + half, at - half + 1)) for at in middles]  # a pixel at least
    around = [np.arange(math.floor(low), math.ceil(high)) for low, high in corners]
    rows, columns = (one.clip(0, end - 1) for one, end in zip(around, ends, strict=True))
    (top, bottom), (left, right) = (
        (low - one[0], high - one[0]) for one, (low, high) in zip(around, corners, strict=True)
    )
    part = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if part.shape[:2] != (len(rows), len(columns)):  # something lies outside: ten times as slow
        part = image[rows[:, None], columns]
    size = (config.size, config.size)
    return np.asarray(
        Image.fromarray(part).resize(size, Image.Resampling.BILINEAR, box=(left, top, right, bottom))
    )


def _from_template(landmarks: np.ndarray, config: FacesConfig) -> tuple[float, ...]:
    """Return PIL's six affine numbers: crop pixel -> source pixel, a similarity fitted by least squares."""
    inner = config.size - config.margin
    target = TEMPLATE * inner + config.margin / 2
    x, y = target[:, 0], target[:, 1]
    zeros, ones = np.zeros(5), np.ones(5)
    rows = np.concatenate([np.stack([x, -y, ones, zeros], 1), np.stack([y, x, zeros, ones], 1)])
    values = np.concatenate([landmarks[:, 0], landmarks[:, 1]]).astype(np.float64)
    a, b, dx, dy = np.linalg.lstsq(rows, values, rcond=None)[0]
    return (a, -b, dx, b, a, dy)
