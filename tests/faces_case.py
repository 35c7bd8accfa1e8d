"""A small data set of frames with detections written for it: no network is run and no face is in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.torch import save_file

from fer_core.config.run import FacesConfig, RunConfig
from fer_core.datasets.base import Sample
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.open import open_dataset
from fer_core.faces.crops import Faces
from fer_core.faces.crops_artifact import ensure_crops
from fer_core.faces.extraction import Progress, detected, read_detections, write_detections
from fer_core.faces.finetuning.finetuned import KIND, WEIGHTS
from fer_core.faces.rescue import DetectorOf
from fer_core.runs.jobs.queue import adopt
from fer_core.runs.plans.requests import CHOICE
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store

WIDTH, HEIGHT = 320, 240

#: (class, movie, gray level, faces that `by_level` finds there); the level's place in the list is its frame's.
FRAMES: tuple[tuple[str, str, int, int], ...] = (
    ("angry", "Harbor", 40, 0),
    ("angry", "Harbor", 120, 1),
    ("happy", "Lantern", 60, 0),
    ("happy", "Lantern", 130, 1),
    ("happy", "Harbor", 200, 2),
    ("sad", "Lantern", 140, 1),
    ("surprise", "Orchard", 80, 0),
)

BOXES = np.array([[40.0, 50.0, 120.0, 150.0], [180.0, 40.0, 240.0, 110.0]], np.float32)


class Finder:
    """A detector that finds what a function says, and the same with lowered thresholds.

    Args:
        find: gives an image's faces as (box, probability) pairs.

    Attributes:
        seen: how many images it was given.
    """

    def __init__(self, find: Callable[[np.ndarray], Sequence[tuple[Sequence[float], float]]]) -> None:
        self.find, self.seen = find, 0

    def __call__(self, lowered: float) -> Finder:
        return self

    def detect(self, images: Sequence[np.ndarray]) -> list[Faces]:
        self.seen += len(images)
        return [self._one(image) for image in images]

    def _one(self, image: np.ndarray) -> Faces:
        found = self.find(image)
        boxes = np.array([box for box, _ in found], np.float32).reshape(-1, 4)
        points = np.repeat(boxes[:, None, :2] + 10, 5, axis=1)
        sure = np.array([probability for _, probability in found], np.float32)
        return Faces(image.shape[1], image.shape[0], boxes, sure, points)


def by_level(image: np.ndarray) -> list[tuple[list[float], float]]:
    """Return no face below gray level 100, one below 190, else two."""
    level = float(image.mean())
    return list(zip(BOXES.tolist(), (0.99, 0.95), strict=True))[: int(level > 100) + int(level > 190)]


def write_faces(
    samples: Sequence[Sample],
    folder: Path,
    detector_of: DetectorOf,
    config: FacesConfig | None = None,
    progress: Progress | None = None,
) -> None:
    """Look for faces as a run does, appending to what is in a folder."""
    settings = config or FacesConfig()
    write_detections(samples, folder, lambda todo: detected(todo, settings, detector_of), progress=progress)


def frame_name(index: int) -> str:
    """Return the name of a frame of `FRAMES` in its data set."""
    label, movie, _, _ = FRAMES[index]
    return f"{label}/{movie}_0000{index}0000_0000000{index}.png"


def make_frames(folder: Path) -> Path:
    """Write the frames of `FRAMES` to `folder` as class folders with film names."""
    for index, (_, _, level, _) in enumerate(FRAMES):
        path = folder / frame_name(index)
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
        pixels[60:140, 200:260] = 255 - level  # what a person may draw a box around
        Image.fromarray(pixels).save(path)
    return folder


def detect(folder: Path, home: Path) -> RunConfig:
    """Write detections and crops of a data set of `make_frames` below a state folder; return what they answer."""
    dataset = open_dataset(str(folder))
    data = data_config(dataset, cache=home / "cache")
    config = RunConfig(goal="faces", data=data, faces=FacesConfig(no_face="manual", choice=CHOICE))
    artifacts = Artifacts(home / "artifacts")
    artifacts.ensure(
        "detections",
        config.detections_key(),
        {},
        lambda place: write_faces(dataset.samples, place, Finder(by_level)),
    )
    found = artifacts.open("detections", config.detections_key())
    ensure_crops(config, dataset.samples, artifacts, lambda: read_detections(found))
    keep_run(home, config)
    return config


def keep_run(home: Path, config: RunConfig) -> None:
    """Keep a finished detection in a state folder's database, which would seem another's without one."""
    store = Store(home / "fer.sqlite")
    row = {"created": 1.0, "finished": 2.0, "seconds": 1.0, "extra": {}, "summary": {}, "environment": {}}
    adopt(store, shown_publicly(config), row, {"epochs": [], "predictions": [], "log": []})
    store.close()


def shown_publicly(config: RunConfig) -> RunConfig:
    """Return the same run, its data marked as drawn: a hosted demo shows no other."""
    return config.model_copy(update={"data": config.data.model_copy(update={"generated": True})})


def keep_detector(artifacts: Artifacts, key: str, fingerprint: str = "0" * 16, **about: Any) -> None:
    """Keep the pretrained weights as a detector fine-tuned on "my films"."""
    from facenet_pytorch.models.mtcnn import ONet, RNet
    from torch import nn

    def build(folder: Path) -> None:
        save_file(nn.ModuleDict({"rnet": RNet(), "onet": ONet()}).state_dict(), folder / WEIGHTS)

    data = {"fingerprint": fingerprint, "name": "my films", "generated": about.pop("generated", False)}
    artifacts.ensure(KIND, key, {"data": data, "settings": {"seed": 3, "epochs": 5}, **about}, build)
