"""What other settings would change is counted frame by frame, from real files and a stand-in detector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_core.config.run import FacesConfig
from fer_core.datasets.base import Sample
from fer_core.faces.crops import Faces
from fer_core.faces.trial import attempt, overlap, pick


class ByLevel:
    """Gives the faces that are listed for a frame's gray level: (x of the box, probability) each."""

    def __init__(self, faces: dict[int, list[tuple[float, float]]]) -> None:
        self.faces = faces

    def detect(self, images: list[np.ndarray]) -> list[Faces]:
        return [self._one(self.faces.get(int(image.mean()), [])) for image in images]

    def _one(self, faces: list[tuple[float, float]]) -> Faces:
        boxes = np.array([[x, 10, x + 20, 30] for x, _ in faces], np.float32).reshape(-1, 4)
        points = np.zeros((len(faces), 5, 2), np.float32)
        return Faces(0, 0, boxes, np.array([p for _, p in faces], np.float32), points)


def always(detector: ByLevel) -> Callable[[float], ByLevel]:
    return lambda lowered: detector


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    found = []
    for index in range(6):
        path = tmp_path / f"frame{index}.png"
        Image.new("RGB", (90, 60), (20 * index + 20,) * 3).save(path)
        found.append(Sample(path.name, path, index, None, "", ""))
    return found


def before(statuses: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": [f"frame{index}.png" for index in range(len(statuses))],
            "status": statuses,
            "box": [None if status == "none" else [5.0, 10.0, 25.0, 30.0] for status in statuses],
        }
    )


def test_wins_losses_and_other_faces_are_told_apart(samples: list[Sample]) -> None:
    table = before(["none", "found", "found", "low-confidence", "found", "none"])
    detector = ByLevel({20: [(5, 0.99)], 60: [(60, 0.99)], 80: [(5, 0.8)], 100: [(5, 0.99), (60, 0.98)]})
    told: list[tuple[int, int]] = []
    config = FacesConfig(size=32)
    result, crops = attempt(
        samples, table, config, always(detector), progress=lambda *done: told.append(done)
    )
    assert list(result["outcome"]) == ["won", "lost", "another face", "as before", "lost", "as before"]
    assert list(result["after"]) == ["found", "none", "found", "low-confidence", "several", "none"]
    assert crops.shape == (6, 32, 32, 3)
    assert [int(crop.mean()) for crop in crops] == [20, 40, 60, 80, 100, 120]
    assert told == [(done, 6) for done in range(1, 7)]


def test_only_the_picked_frames_are_tried(samples: list[Sample]) -> None:
    result, crops = attempt(samples, before(["none", "found"]), FacesConfig(size=32), always(ByLevel({})))
    assert list(result["name"]) == ["frame0.png", "frame1.png"]
    assert len(crops) == 2


def test_second_looks_count_in_a_trial(samples: list[Sample]) -> None:
    class Wide(ByLevel):
        def detect(self, images: list[np.ndarray]) -> list[Faces]:
            return [self._one([(10.0, 0.95)] if image.shape[1] > 100 else []) for image in images]

    config = FacesConfig(size=32, rescue=("upscale",))
    result, _ = attempt(samples, before(["none"]), config, always(Wide({})))
    assert result.iloc[0][["after", "outcome", "rescued_by"]].tolist() == ["found", "won", "upscale"]


def test_a_sample_is_bounded_spread_and_leaves_out_what_cannot_be_read() -> None:
    statuses = ["none"] * 5 + ["unreadable"] * 3 + ["found"] * 40 + ["manual"] * 2
    table = pd.DataFrame({"name": [f"{i:03}" for i in range(50)], "status": statuses})
    chosen = pick(table, 3, 10)
    assert chosen["status"].value_counts().to_dict() == {"found": 10, "none": 3}
    assert list(chosen[chosen["status"] == "none"]["name"]) == ["000", "002", "004"]
    assert {"008", "047"} <= set(chosen["name"])
    assert len(pick(table, 100, 100)) == 45


def test_overlap_is_that_of_a_pixel_count() -> None:
    pixels = np.zeros((2, 40, 40), bool)
    a, b = (5, 5, 25, 30), (15, 10, 35, 40)
    for layer, (x1, y1, x2, y2) in zip(pixels, (a, b), strict=True):
        layer[y1:y2, x1:x2] = True
    assert overlap(a, b) == pytest.approx(pixels.all(0).sum() / pixels.any(0).sum())
    assert overlap((0, 0, 5, 5), (5, 0, 9, 5)) == 0.0
