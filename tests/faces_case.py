"""A small data set of frames with detections written for it: no network is run and no face is in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from fer_core.config.run import FacesConfig, RunConfig
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.open import open_dataset
from fer_core.faces.crops import Faces
from fer_core.faces.extraction import detect_all, read_detections
from fer_core.faces.recut import write_crops
from fer_core.storage.artifacts import Artifacts

WIDTH, HEIGHT = 320, 240

#: (class, movie, gray level, faces that `Levels` finds there); the level's place in the list is its frame's.
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


class Levels:
    """A detector that finds no face below gray level 100, one below 190, else two."""

    def detect(self, images: list[np.ndarray]) -> list[Faces]:
        return [self._one(float(image.mean())) for image in images]

    def _one(self, level: float) -> Faces:
        count = int(level > 100) + int(level > 190)
        points = np.tile(np.linspace(60, 100, 10, dtype=np.float32).reshape(1, 5, 2), (count, 1, 1))
        return Faces(WIDTH, HEIGHT, BOXES[:count], np.array([0.99, 0.95], np.float32)[:count], points)


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
    config = RunConfig(goal="faces", data=data, faces=FacesConfig(no_face="manual"))
    artifacts = Artifacts(home / "artifacts")
    artifacts.ensure(
        "detections",
        config.detections_key(),
        {},
        lambda place: detect_all(dataset.samples, Levels(), place),
    )
    found = read_detections(artifacts.open("detections", config.detections_key()))
    described = {"faces": config.faces.hashed(), "data": data.hashed()}
    artifacts.ensure(
        "crops",
        config.crops_key(),
        described,
        lambda place: write_crops(config, dataset.samples, found, artifacts, place),
    )
    return config


def shown_publicly(config: RunConfig) -> RunConfig:
    """Return the same run, its data marked as drawn: a hosted demo shows no other."""
    return config.model_copy(update={"data": config.data.model_copy(update={"generated": True})})
