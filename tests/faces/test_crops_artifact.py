"""Crops after a change of drawn boxes: the same bytes as cutting all, and only changed frames decoded."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_core.config.run import DataConfig, FacesConfig, RunConfig
from fer_core.datasets.base import Sample
from fer_core.errors import NotFoundError
from fer_core.faces.crops import Box, Faces
from fer_core.faces.crops_artifact import ensure_crops, freeze_boxes, nearest, read_boxes
from fer_core.faces.extraction import CROPS, TABLE
from fer_core.storage.artifacts import Artifacts

DATA = DataConfig(fingerprint="0123456789abcdef")


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Six noisy frames of several sizes; the fourth can't be read."""
    rng = np.random.default_rng(3)
    found = []
    for index in range(6):
        path = tmp_path / f"frame{index}.png"
        if index == 3:
            path.write_bytes(b"not an image")
        else:
            pixels = rng.integers(0, 256, (40 + index, 60 - index, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
        found.append(Sample(path.name, path, index % 7, None, "Movie", path.name))
    return found


@pytest.fixture
def detections(samples: list[Sample]) -> dict[str, Faces]:
    """A face in the even frames, none in the odd ones."""
    found = {}
    for index, sample in enumerate(samples):
        n = 1 - index % 2
        boxes = np.tile(np.array([[5.5, 4.25, 30.0, 33.0]], np.float32), (n, 1))
        found[sample.name] = Faces(
            60 - index, 40 + index, boxes, np.full(n, 0.97, np.float32), np.zeros((n, 5, 2), np.float32)
        )
    found[samples[3].name] = Faces.unreadable("not an image")
    return found


def definition(artifacts: Artifacts, drawn: Mapping[str, Box], **values: object) -> RunConfig:
    faces = FacesConfig(size=48, no_face="manual", manual_boxes=freeze_boxes(artifacts, drawn), **values)
    return RunConfig(goal="faces", data=DATA, faces=faces)


STEPS: list[dict[str, Box]] = [
    {"frame1.png": (2.0, 3.0, 22.5, 30.0)},  # a box where none was
    {"frame1.png": (2.0, 3.0, 22.5, 30.0), "frame2.png": (1.0, 1.0, 9.0, 9.0)},  # one over a found face
    {"frame1.png": (2.5, 3.0, 22.5, 30.0), "frame2.png": (1.0, 1.0, 9.0, 9.0)},  # one moved
    {"frame2.png": (1.0, 1.0, 9.0, 9.0), "frame3.png": (0.0, 0.0, 5.0, 5.0)},  # one gone, one unreadable
    {"elsewhere.png": (0.0, 0.0, 5.0, 5.0)},  # all gone, one of another data set
]


@pytest.mark.parametrize("margin", [0, 12])
def test_a_chain_of_changes_gives_the_bytes_of_cutting_all_anew(
    samples: list[Sample], detections: dict[str, Faces], tmp_path: Path, margin: int, artifacts: Artifacts
) -> None:
    ensure_crops(definition(artifacts, {}, margin=margin), samples, artifacts, lambda: detections)
    before: dict[str, Box] = {}
    for drawn in STEPS:
        config = definition(artifacts, drawn, margin=margin)
        cut: list[tuple[int, int]] = []
        note = cut.append
        made = ensure_crops(
            config, samples, artifacts, lambda: detections, progress=lambda *done, note=note: note(done)
        )
        changed = {name for name in {*before, *drawn} if before.get(name) != drawn.get(name)}
        assert max(cut, default=(0, 0))[0] <= len(changed)  # fewer where older crops lie nearer

        alone = Artifacts(tmp_path / f"alone-{margin}")  # the same, with nothing to copy from
        definition(alone, drawn, margin=margin)
        fresh = ensure_crops(config, samples, alone, lambda: detections)
        for name in (CROPS, TABLE, "config.json"):
            assert (made / name).read_bytes() == (fresh / name).read_bytes(), name
        alone.delete("crops", config.crops_key())
        before = drawn


def test_only_crops_of_the_same_settings_and_data_serve(
    samples: list[Sample], detections: dict[str, Faces], artifacts: Artifacts
) -> None:
    ensure_crops(definition(artifacts, {}, margin=4), samples, artifacts, lambda: detections)
    config = definition(artifacts, STEPS[0])
    assert nearest(artifacts, config) is None
    other = config.model_copy(update={"data": DataConfig(fingerprint="f" * 16)})
    ensure_crops(definition(artifacts, {}), samples, artifacts, lambda: detections)
    assert nearest(artifacts, other) is None
    assert nearest(artifacts, config) is not None
    resized = RunConfig(goal="faces", data=DATA, faces=FacesConfig(size=48, margin=9))
    assert nearest(artifacts, resized) is None


def test_damaged_crops_are_passed_over(artifacts: Artifacts) -> None:
    config = definition(artifacts, {})
    described = {"faces": config.faces.hashed(), "data": config.data.hashed()}
    for key in ("a" * 16, "b" * 16):
        artifacts.ensure("crops", key, described, lambda folder: None)
    (artifacts.path("crops", "a" * 16) / "config.json").write_text("{")
    found = nearest(artifacts, config)
    assert found is not None
    assert found[0].name == "b" * 16


def test_the_nearest_crops_are_taken(
    samples: list[Sample], detections: dict[str, Faces], artifacts: Artifacts
) -> None:
    ensure_crops(definition(artifacts, {}), samples, artifacts, lambda: detections)
    ensure_crops(definition(artifacts, STEPS[1]), samples, artifacts, lambda: detections)
    config = definition(artifacts, STEPS[2])
    found = nearest(artifacts, config)
    assert found is not None
    assert found[1] == {"frame1.png"}


def test_an_interrupted_recut_ends_with_the_same_bytes(
    samples: list[Sample], detections: dict[str, Faces], tmp_path: Path, artifacts: Artifacts
) -> None:
    alone = Artifacts(tmp_path / "alone")
    ensure_crops(definition(artifacts, {}), samples, artifacts, lambda: detections)
    config = definition(artifacts, STEPS[3])
    definition(alone, STEPS[3])

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_crops(config, samples, artifacts, lambda: detections, progress=stop)
    made = ensure_crops(config, samples, artifacts, lambda: detections)
    fresh = ensure_crops(config, samples, alone, lambda: detections)
    for name in (CROPS, TABLE):
        assert (made / name).read_bytes() == (fresh / name).read_bytes(), name


BOXES = {"a.png": (1.0, 2.0, 30.5, 40.25), "b.png": (5.0, 5.0, 9.0, 9.0)}


def test_boxes_come_back_by_a_key_that_follows_them_and_not_their_order(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    key = freeze_boxes(artifacts, BOXES)
    assert read_boxes(artifacts, key) == BOXES
    assert freeze_boxes(artifacts, dict(reversed(BOXES.items()))) == key
    assert freeze_boxes(artifacts, BOXES | {"b.png": (5.0, 5.0, 9.0, 9.5)}) != key


def test_no_boxes_need_no_artifact(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    assert freeze_boxes(artifacts, {}) == ""
    assert read_boxes(artifacts, "") == {}
    with pytest.raises(NotFoundError):
        read_boxes(artifacts, "0" * 16)
