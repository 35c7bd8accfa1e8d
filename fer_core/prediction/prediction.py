"""What a run says about one face, as plain values: for pages, files and programs; torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_core.config.run import CLASSES

if TYPE_CHECKING:
    from .neighbours import Neighbour

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
        calibrated: (7,) the mean of the networks' probabilities, each at the temperature fitted on its own inner
            split; None for a run that fitted none.
        cam: (h, w) float32 in 0..1, Grad-CAM for `label`; None unless asked for.
        neighbours: nearest training faces, most similar first; None unless asked for.
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
