"""What a run says of the faces in an image: one answer a face, as values, as a table and drawn on the image."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image

from fer_core.config.run import CLASSES
from fer_core.faces.drawing import CHOSEN, DRAWN, OTHER, annotate

if TYPE_CHECKING:
    from fer_core.faces.mtcnn.trace import Trace

    from .neighbours import Neighbour

#: What an answer is and where it must not be used.
MEANING = (
    "An answer is a guess about a picture: which of seven expressions a face shows. It says nothing about what the "
    "person feels, and is no ground for a decision about anyone. The EU's AI Act bans inferring people's emotions at "
    "work and in education, but for medical or safety reasons (article 5(1)(f))."
)

#: JPEG quality of annotated images.
QUALITY = 92

#: Below this probability of the first class an answer is called unsure, unless another is asked for.
UNSURE_BELOW = 0.4


@dataclass(frozen=True)
class Prediction:
    """One face of an image, or the whole image where none was found.

    Attributes:
        status: what became of the face or image in detection (`faces.crops.STATUSES`).
        box: (x1, y1, x2, y2) in source pixels; None for the whole image.
        face_probability: MTCNN's; None for the whole image or a drawn box.
        landmarks: (5, 2) source pixels or None.
        crop: (size, size, 3) uint8 RGB, what the network saw.
        probabilities: (7,) float32 in the order of `CLASSES`, the mean over folds and seeds; not calibrated.
        agreement: share of the networks whose first class is that of `probabilities`.
        calibrated: (7,) the mean of the networks' probabilities, each at the temperature fitted on its inner
            split; None for a run that fitted none.
        cam: (h, w) float32 in 0..1, Grad-CAM for `label`; None unless asked for.
        neighbours: nearest training faces, most similar first; None unless asked for.
        trace: what the detector saw where it found no face; None elsewhere.
    """

    status: str
    box: tuple[float, float, float, float] | None
    face_probability: float | None
    landmarks: np.ndarray | None
    crop: np.ndarray
    probabilities: np.ndarray
    agreement: float
    calibrated: np.ndarray | None = None
    cam: np.ndarray | None = None
    neighbours: tuple[Neighbour, ...] | None = None
    trace: Trace | None = None

    @property
    def best(self) -> np.ndarray:
        """The probabilities to go by: calibrated where the run has them."""
        return self.probabilities if self.calibrated is None else self.calibrated

    @property
    def label(self) -> str:
        """The most probable class."""
        return CLASSES[int(self.best.argmax())]

    @property
    def confidence(self) -> float:
        """The probability of `label`."""
        return float(self.best.max())

    def unsure(self, below: float = UNSURE_BELOW) -> bool:
        """Return whether no class reaches a probability."""
        return self.confidence < below

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values, without crop and map."""
        found = {
            "status": self.status,
            "box": None if self.box is None else [round(value, 2) for value in self.box],
            "face_probability": self.face_probability,
            "landmarks": None if self.landmarks is None else self.landmarks.round(2).tolist(),
            "label": self.label,
            "confidence": self.confidence,
            "probabilities": _by_class(self.probabilities),
            "calibrated": None if self.calibrated is None else _by_class(self.calibrated),
            "agreement": self.agreement,
        }
        if self.neighbours is not None:
            found["neighbours"] = [one.to_dict() for one in self.neighbours]
        return found


def _by_class(values: np.ndarray) -> dict[str, float]:
    return {name: float(value) for name, value in zip(CLASSES, values, strict=True)}


def face_table(
    found: Iterable[tuple[str, Sequence[Prediction]]], *, below: float = UNSURE_BELOW, **constant: str
) -> pd.DataFrame:
    """Return a row a face: image, face (its number on the image), status, label, unsure, confidence, agreement,
    a column a class, whether those are calibrated, and the box.

    Args:
        found: (image's name, its faces).
        constant: columns with the same text in every row, put first.
    """
    columns = [*constant, "image", "face", "status", "label", "unsure", "confidence", "agreement", *CLASSES]
    columns += ["calibrated", "x1", "y1", "x2", "y2"]
    rows = []
    for name, faces in found:
        for number, face in enumerate(faces, 1):
            box = face.box or (None,) * 4
            rows.append(
                {
                    **constant,
                    "image": name,
                    "face": number,
                    "status": face.status,
                    "label": face.label,
                    "unsure": face.unsure(below),
                    "confidence": face.confidence,
                    "agreement": face.agreement,
                    **{label: float(value) for label, value in zip(CLASSES, face.best, strict=True)},
                    "calibrated": face.calibrated is not None,
                    **dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)),
                }
            )
    return pd.DataFrame(rows, columns=columns)


def annotated(image: np.ndarray, faces: Sequence[Prediction], *, below: float = UNSURE_BELOW) -> np.ndarray:
    """Return an (H, W, 3) uint8 RGB image with its faces boxed, numbered and named; orange where unsure."""
    boxed = [(number, face) for number, face in enumerate(faces, 1) if face.box is not None]
    return annotate(
        image,
        [face.box for _, face in boxed if face.box is not None],
        labels=[f"{number} {'unsure' if face.unsure(below) else face.label}" for number, face in boxed],
        colours=[
            OTHER if face.unsure(below) else DRAWN if face.status == "manual" else CHOSEN for _, face in boxed
        ],
        landmarks=[face.landmarks for _, face in boxed if face.landmarks is not None],
    )


def file_name(number: int, name: str, ending: str = ".jpg") -> str:
    """Return a plain file name for the image that comes as the `number`th: its stem's letters and digits."""
    stem = PurePosixPath(name).stem
    plain = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in stem)
    return f"{number:03d}-{plain[:60].strip('-') or 'image'}{ending}"


def jpeg(image: np.ndarray) -> bytes:
    """Return an (H, W, 3) uint8 RGB image as JPEG, without metadata."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def annotated_zip(
    images: Iterable[tuple[str, np.ndarray, Sequence[Prediction]]], *, below: float = UNSURE_BELOW
) -> bytes:
    """Return a zip of annotated images; they are taken one at a time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for number, (name, image, faces) in enumerate(images, 1):
            archive.writestr(file_name(number, name), jpeg(annotated(image, faces, below=below)))
    return buffer.getvalue()
