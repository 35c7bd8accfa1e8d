"""Predictions as files: a table of faces, images with their faces boxed, a zip of those."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from PIL import Image

from fer_core.config.run import CLASSES
from fer_core.faces.drawing import CHOSEN, DRAWN, OTHER, annotate

from .prediction import UNSURE_BELOW, Prediction

#: JPEG quality of annotated images.
QUALITY = 92


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
