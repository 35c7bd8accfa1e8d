"""The one road from an image to its faces: MTCNN with a definition's settings, then the second looks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from fer_core.config.devices import resolve
from fer_core.config.run import FacesConfig
from fer_core.config.settings import Settings
from fer_core.storage.artifacts import Artifacts

from .crops import Faces
from .finetuning.finetuned import weights_of
from .rescue import DetectorOf, lower, rescue

if TYPE_CHECKING:
    from .mtcnn.detector import MTCNN


def find_faces(images: Sequence[np.ndarray], config: FacesConfig, detector_of: DetectorOf) -> list[Faces]:
    """Return the faces of each (H, W, 3) uint8 RGB image; `crops.choose` says which one counts.

    Args:
        detector_of: made with the same settings (`detectors`).
    """
    found = detector_of(0.0).detect(images) if images else ()
    return [
        faces if len(faces) else rescue(image, detector_of, config.rescue) or faces
        for image, faces in zip(images, found, strict=True)
    ]


def detectors(
    config: FacesConfig, artifacts: Artifacts, settings: Settings, *, most_faces: int = 0
) -> DetectorOf:
    """Return MTCNN with a definition's settings as a function of how far thresholds are lowered.

    Each is made at its first use and kept.

    Args:
        artifacts: hold the fine-tuned weights that the definition may name.
        settings: say which device computes.
        most_faces: of an image, see `MTCNN`; 0 for no bound.

    Raises:
        NotFoundError: the fine-tuned detector is not here.
        ConfigError: a GPU is asked for that is not there.
    """
    weights, device = weights_of(artifacts, config.detector), resolve(settings)

    @cache
    def detector_of(lowered: float) -> MTCNN:
        from .mtcnn.detector import MTCNN  # loads torch

        thresholds = lower(config.thresholds, lowered)
        return MTCNN(
            device, thresholds, config.min_face_size, config.factor, weights=weights, most_faces=most_faces
        )

    return detector_of
