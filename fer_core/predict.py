"""Load a finished run and classify faces in new images: the folds' networks vote with equal weight."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .config import CLASSES, RunConfig
from .devices import resolve
from .errors import NotFoundError
from .faces.crops import Chosen, Faces, choose, cut
from .faces.finetuned import weights_of
from .faces.rescue import detectors, rescue
from .features.prefix import forward
from .metrics import apply_temperature
from .models.transfer import Chain, build
from .settings import Settings
from .shared_artifacts import artifacts_of
from .training import checkpoints
from .training.evaluation import answers
from .training.precision import Precision, arithmetic
from .transforms import mirrored, to_input


@dataclass(frozen=True)
class Prediction:
    """One face of an image, or the whole image where none was found.

    Attributes:
        status: what became of the image in detection (`faces.crops.STATUSES`).
        box: (x1, y1, x2, y2) in source pixels; None for the whole image.
        face_probability: MTCNN's; None for the whole image.
        landmarks: (5, 2) source pixels or None.
        crop: (size, size, 3) uint8 RGB, what the network saw.
        probabilities: (7,) float32 in the order of `CLASSES`, the mean over folds and seeds; not calibrated.
        agreement: share of the networks whose first class is the prediction's.
        calibrated: (7,) the mean of the networks' probabilities, each at the temperature fitted on its own inner
            split; None for a run that fitted none.
    """

    status: str
    box: tuple[float, float, float, float] | None
    face_probability: float | None
    landmarks: np.ndarray | None
    crop: np.ndarray
    probabilities: np.ndarray
    agreement: float
    calibrated: np.ndarray | None = None

    @property
    def label(self) -> str:
        """The most probable class."""
        return CLASSES[int(self.probabilities.argmax())]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values, without the crop."""
        return {
            "status": self.status,
            "box": None if self.box is None else [round(value, 2) for value in self.box],
            "face_probability": self.face_probability,
            "landmarks": None if self.landmarks is None else self.landmarks.round(2).tolist(),
            "label": self.label,
            "probabilities": _by_class(self.probabilities),
            "calibrated": None if self.calibrated is None else _by_class(self.calibrated),
            "agreement": self.agreement,
        }


@dataclass(frozen=True)
class Network:
    """What one fold trained: its suffix, the arithmetic it ran in, and the temperature if one was fitted."""

    suffix: torch.nn.Sequential
    precision: Precision
    temperature: float | None


def _by_class(values: np.ndarray) -> dict[str, float]:
    return {name: float(value) for name, value in zip(CLASSES, values, strict=True)}


class Predictor:
    """A finished run's networks, ready for images.

    Args:
        config: the run's definition: its crops are cut the same way here.
        folder: the run's artifact: one file of trained blocks a fold and seed.
        settings: where weights lie and which device is used.
    """

    def __init__(self, config: RunConfig, folder: Path, settings: Settings) -> None:
        self.config, faces = config, config.faces
        self.device = torch.device(resolve(settings))
        weights = weights_of(artifacts_of(settings), faces.detector) if faces.extract else None
        self.detector_of = detectors(faces, str(self.device), weights=weights) if faces.extract else None
        chain = build(config.transfer, settings.weights_dir)
        boundary = chain.row.boundary(config.transfer.unfreeze)
        self.row = chain.row
        self.prefix = chain.prefix(boundary).to(self.device)
        files = sorted(folder.glob("seed*.safetensors"))
        self.networks = [self._network(chain, boundary, path) for path in files]

    @classmethod
    def load(cls, run_id: str, config: RunConfig, settings: Settings) -> Predictor:
        """Load a run's networks.

        Raises:
            NotFoundError: the run has left no networks here.
            WeightsError: the backbone's weights are missing.
        """
        artifacts = artifacts_of(settings)
        if not artifacts.has("runs", run_id):
            raise NotFoundError(
                "a run's networks must be on this host to predict with it",
                got=f"none for {run_id}",
                fix="Choose a finished run, or train it here",
            )
        return cls(config, artifacts.open("runs", run_id), settings)

    def _network(self, chain: Chain, boundary: str, path: Path) -> Network:
        suffix = copy.deepcopy(chain.suffix(boundary))
        tensors, note = checkpoints.read(path)
        suffix.load_state_dict(checkpoints.part(tensors, "suffix."))
        told = note.get("training", {})
        used = told.get("precision", self.config.training.precision)
        temperature = told["temperature"] if self.config.training.calibrate else None
        suffix = suffix.to(self.device).eval().requires_grad_(False)
        return Network(suffix, Precision(used, "as trained"), temperature)

    def predict(self, images: Sequence[np.ndarray], *, every_face: bool = True) -> list[list[Prediction]]:
        """Find the faces of images and classify each.

        Args:
            images: (H, W, 3) uint8 RGB arrays of any sizes.
            every_face: classify every face found; else only the one the run's settings choose.

        Returns:
            A list an image, its faces in the detector's order (largest first); one entry for the whole image
            where no face was found or the run was trained on whole frames.
        """
        chosen = [self._choose(image, every_face) for image in images]
        crops = [
            cut(image, one, self.config.faces)
            for image, found in zip(images, chosen, strict=True)
            for one in found
        ]
        scores = iter(self.classify(np.stack(crops))) if crops else iter(())
        cuts = iter(crops)
        return [[self._prediction(one, next(cuts), *next(scores)) for one in found] for found in chosen]

    def classify(self, crops: np.ndarray) -> list[tuple[np.ndarray, float, np.ndarray | None]]:
        """Return (probabilities, agreement, calibrated) for each of (N, size, size, 3) uint8 RGB crops.

        As in `Prediction`; a run with test-time flip averages the image and its mirror image here too.
        """
        with torch.inference_mode():
            votes = self._votes(crops)
            mean = votes.mean(0)
            agreement = (votes.argmax(2) == mean.argmax(1)).float().mean(0)
        own = votes.cpu().numpy()
        scaled: list[np.ndarray | None] = [None] * len(crops)
        parts = [
            apply_temperature(vote, network.temperature)
            for vote, network in zip(own, self.networks, strict=True)
            if network.temperature is not None
        ]
        if parts:
            scaled = list(np.mean(parts, axis=0))
        return [(p.cpu().numpy(), float(a), c) for p, a, c in zip(mean, agreement, scaled, strict=True)]

    def _votes(self, crops: np.ndarray) -> torch.Tensor:
        """Return every network's probabilities, (networks, N, 7): to the bit what it gave these crops in training."""
        sides = [crops, mirrored(crops)] if self.config.training.flip_at_test else [crops]
        views = [forward(self.prefix, to_input(side, self.row).to(self.device)) for side in sides]
        votes = []
        for network in self.networks:
            with arithmetic(network.precision, self.device):
                votes.append(answers(network.suffix, views, network.precision).softmax(1))
        return torch.stack(votes)

    def _choose(self, image: np.ndarray, every_face: bool) -> list[Chosen]:
        if self.detector_of is None:
            return [Chosen("whole frame", None, None, None, 0)]
        height, width = image.shape[:2]
        found = self.detector_of(0.0).detect([image])[0]
        faces = Faces(width, height, found.boxes, found.probabilities, found.landmarks)
        if not len(faces):
            faces = rescue(image, self.detector_of, self.config.faces.rescue) or faces
        one = choose(faces, self.config.faces)
        if not every_face or len(faces) < 2:
            return [one]
        return [
            Chosen(
                one.status,
                (float(b[0]), float(b[1]), float(b[2]), float(b[3])),
                float(p),
                points,
                len(faces),
            )
            for b, p, points in zip(faces.boxes, faces.probabilities, faces.landmarks, strict=True)
        ]

    def _prediction(
        self,
        chosen: Chosen,
        crop: np.ndarray,
        probabilities: np.ndarray,
        agreement: float,
        calibrated: np.ndarray | None,
    ) -> Prediction:
        return Prediction(
            chosen.status,
            chosen.box,
            chosen.probability,
            chosen.landmarks,
            crop,
            probabilities,
            agreement,
            calibrated,
        )
