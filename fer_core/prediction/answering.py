"""From images to answers, whoever gives them: faces are found, cut as the answerer wants them, and judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import numpy as np

from fer_core.config.run import FacesConfig
from fer_core.config.settings import Settings
from fer_core.errors import NotFoundError
from fer_core.faces.crops import Box, Chosen, choose_each, cut
from fer_core.faces.extraction import NOT_DETECTED
from fer_core.faces.finding import detectors, find_faces
from fer_core.storage.shared_artifacts import artifacts_of

from .answers import Prediction

if TYPE_CHECKING:
    from .neighbours import Neighbour

#: (7,) probabilities, share of voters that agree on the first class, (7,) calibrated ones where there are any.
Score = tuple[np.ndarray, float, np.ndarray | None]


def in_few_lengths(count: int, device: object) -> np.ndarray:
    """Return the places (M,) of `count` things, on a GPU with the last one again up to a power of two or of 32.

    It plans anew for each number of faces that a network meets, and one more in a pass costs next to nothing.
    """
    full = count if str(device) == "cpu" else min(1 << max(count - 1, 0).bit_length(), -(-count // 32) * 32)
    return np.arange(full).clip(max=count - 1)


class Answerer(ABC):
    """What finds the faces of images and classifies each.

    Attributes:
        faces: how they are found and cut.
        title: what people call the network.
        most_faces: that are answered of an image, the largest; 0 for all.
    """

    def __init__(self, faces: FacesConfig, title: str, settings: Settings) -> None:
        self.faces, self.title, self.settings = faces, title, settings
        self.bounded(0)

    def bounded(self, most_faces: int) -> Self:
        """Return this, which answers so many faces of an image at most, and looks no longer than they need."""
        artifacts, self.most_faces = artifacts_of(self.settings), most_faces
        self.detector_of = (
            detectors(self.faces, artifacts, self.settings, most_faces=most_faces)
            if self.faces.extract
            else None
        )
        return self

    @property
    def voters(self) -> tuple[int, str]:
        """How many agree or differ on a face, and what they are."""
        return 1, "networks"

    @abstractmethod
    def classify(self, crops: np.ndarray) -> list[Score]:
        """Return what is said of each of (N, size, size, 3) uint8 RGB crops, cut as `faces` says."""

    def explain(self, crops: np.ndarray, labels: Sequence[str]) -> np.ndarray | None:
        """Return maps (N, h, w) in 0..1 of where the network looks for a class each; None where it has none."""
        return None

    def nearest(
        self, crops: np.ndarray, count: int, *, exclude: Sequence[Collection[str]] | None = None
    ) -> list[list[Neighbour]]:
        """Return the training faces most like each crop. Raises NotFoundError: there are none."""
        raise NotFoundError(
            "nearest faces are those of a run that was trained here",
            got=self.title,
            fix="Choose a trained run, or leave nearest faces out",
        )

    def only(self, seed: int, fold: int) -> Answerer:
        """Return the answerer of one network. Raises NotFoundError: there are no folds, or not this one."""
        raise NotFoundError("folds are those of a run that was trained here", got=self.title)

    def predict(
        self,
        images: Sequence[np.ndarray],
        *,
        boxes: Sequence[Box | None] | None = None,
        explain: bool = False,
        nearest: int = 0,
    ) -> list[list[Prediction]]:
        """Find the faces of images and classify each.

        Args:
            images: (H, W, 3) uint8 RGB arrays of any sizes.
            boxes: a hand-drawn box an image, (x1, y1, x2, y2) in its pixels; it replaces detection. None looks
                for faces.
            explain: add Grad-CAM maps (`Prediction.cam`); left None where the backbone has no spatial map.
            nearest: add so many nearest training faces (`Prediction.neighbours`).

        Returns:
            A list an image, its faces in the detector's order (largest first); one entry for the whole image
            where no face was found or the run was trained on whole frames.

        Raises:
            NotFoundError: `nearest` is asked for and there are no training faces on this host.
        """
        return self.judge(images, self.look(images, boxes), explain=explain, nearest=nearest)

    def look(
        self, images: Sequence[np.ndarray], boxes: Sequence[Box | None] | None = None
    ) -> list[list[Chosen]]:
        """Find the faces of images, see `predict`; where there are none in one, its whole is chosen."""
        drawn = boxes or [None] * len(images)
        todo = [image for image, box in zip(images, drawn, strict=True) if box is None]
        looked = iter([[Chosen(NOT_DETECTED)] for _ in todo])
        if self.detector_of:
            found, most = find_faces(todo, self.faces, self.detector_of), self.most_faces or None
            looked = iter([choose_each(faces, self.faces)[:most] for faces in found])
        return [next(looked) if box is None else [Chosen("manual", box, faces=1)] for box in drawn]

    def judge(
        self,
        images: Sequence[np.ndarray],
        chosen: Sequence[Sequence[Chosen]],
        *,
        explain: bool = False,
        nearest: int = 0,
    ) -> list[list[Prediction]]:
        """Classify the faces that were `chosen` in each image: see `predict`."""
        crops = [
            cut(image, one, self.faces) for image, found in zip(images, chosen, strict=True) for one in found
        ]
        if not crops:
            return []
        stacked = np.stack(crops)
        faces = [
            Prediction(one.status, one.box, one.probability, one.landmarks, crop, *score, trace=one.trace)
            for one, crop, score in zip(
                (one for found in chosen for one in found),
                crops,
                self.classify(stacked),
                strict=True,
            )
        ]
        rest = iter(faces)
        return self.reasoned(
            [[next(rest) for _ in found] for found in chosen], explain=explain, nearest=nearest
        )

    def reasoned(
        self, found: Sequence[Sequence[Prediction]], *, explain: bool, nearest: int
    ) -> list[list[Prediction]]:
        """Return answers with maps and nearest training faces, where they are asked for: see `predict`."""
        faces = [face for of_image in found for face in of_image]
        if faces and (explain or nearest):
            crops = np.stack([face.crop for face in faces])
            maps = self.explain(crops, [face.label for face in faces]) if explain else None
            if maps is not None:
                faces = [replace(face, cam=cam) for face, cam in zip(faces, maps, strict=True)]
            near = self.nearest(crops, nearest) if nearest else [None] * len(faces)
            faces = [
                face if one is None else replace(face, neighbours=tuple(one))
                for face, one in zip(faces, near, strict=True)
            ]
        rest = iter(faces)
        return [[next(rest) for _ in of_image] for of_image in found]

    def warm(self) -> None:
        """Make a prediction, so that no visitor waits for what only the first one costs."""
        size = self.faces.size
        self.predict([np.full((2 * size, 2 * size, 3), 128, np.uint8)], explain=True)
