"""Crops after a change of drawn boxes: the same bytes as cutting all anew, and only changed frames decoded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_core.config.run import DataConfig, FacesConfig, RunConfig
from fer_core.datasets.base import Sample
from fer_core.errors import StoreError
from fer_core.faces import extraction
from fer_core.faces.crops import Box, Faces
from fer_core.faces.drawn_boxes import freeze_boxes
from fer_core.faces.extraction import CROPS, TABLE, read_crops
from fer_core.faces.recut import ensure_recut, nearest, recut, write_crops
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


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files decoded so far."""
    seen: list[str] = []
    plain = extraction.load_rgb

    def counted(path: Path) -> np.ndarray:
        seen.append(path.name)
        return plain(path)

    monkeypatch.setattr(extraction, "load_rgb", counted)
    return seen


def definition(artifacts: Artifacts, drawn: Mapping[str, Box], **values: object) -> RunConfig:
    faces = FacesConfig(size=48, no_face="manual", manual_boxes=freeze_boxes(artifacts, drawn), **values)
    return RunConfig(goal="faces", data=DATA, faces=faces)


def make(
    config: RunConfig, samples: list[Sample], detections: dict[str, Faces], artifacts: Artifacts
) -> Path:
    described = {"faces": config.faces.hashed(), "data": config.data.hashed()}
    return artifacts.ensure(
        "crops",
        config.crops_key(),
        described,
        lambda folder: write_crops(config, samples, detections, artifacts, folder),
    )


STEPS: list[dict[str, Box]] = [
    {"frame1.png": (2.0, 3.0, 22.5, 30.0)},  # a box where none was
    {"frame1.png": (2.0, 3.0, 22.5, 30.0), "frame2.png": (1.0, 1.0, 9.0, 9.0)},  # one over a found face
    {"frame1.png": (2.5, 3.0, 22.5, 30.0), "frame2.png": (1.0, 1.0, 9.0, 9.0)},  # one moved
    {"frame2.png": (1.0, 1.0, 9.0, 9.0), "frame3.png": (0.0, 0.0, 5.0, 5.0)},  # one gone, one unreadable
    {"elsewhere.png": (0.0, 0.0, 5.0, 5.0)},  # all gone, one of another data set
]


@pytest.mark.parametrize("margin", [0, 12])
def test_a_chain_of_changes_gives_the_bytes_of_cutting_all_anew(
    samples: list[Sample],
    detections: dict[str, Faces],
    tmp_path: Path,
    decoded: list[str],
    margin: int,
) -> None:
    artifacts = Artifacts(tmp_path / "artifacts")
    make(definition(artifacts, {}, margin=margin), samples, detections, artifacts)
    before: dict[str, Box] = {}
    for drawn in STEPS:
        config = definition(artifacts, drawn, margin=margin)
        decoded.clear()
        assert ensure_recut(config, samples, artifacts, lambda: detections)
        changed = {name for name in {*before, *drawn} if before.get(name) != drawn.get(name)}
        assert len(decoded) <= len(changed - {"elsewhere.png"})  # fewer where older crops lie nearer

        alone = Artifacts(tmp_path / f"alone-{margin}")  # the same, with nothing to copy from
        definition(alone, drawn, margin=margin)
        fresh = make(config, samples, detections, alone)
        made = artifacts.open("crops", config.crops_key())
        for name in (CROPS, TABLE, "config.json"):
            assert (made / name).read_bytes() == (fresh / name).read_bytes(), name
        alone.delete("crops", config.crops_key())
        before = drawn


def test_a_drawn_box_changes_its_frame_alone(
    samples: list[Sample], detections: dict[str, Faces], tmp_path: Path
) -> None:
    artifacts = Artifacts(tmp_path / "artifacts")
    first = read_crops(make(definition(artifacts, {}), samples, detections, artifacts))
    config = definition(artifacts, STEPS[0])
    told: list[tuple[int, int]] = []
    assert ensure_recut(
        config, samples, artifacts, lambda: detections, progress=lambda *done: told.append(done)
    )
    second = read_crops(artifacts.open("crops", config.crops_key()))
    assert list(first.table["status"]) == ["found", "none", "found", "unreadable", "found", "none"]
    assert list(second.table["status"]) == ["found", "manual", "found", "unreadable", "found", "none"]
    differs = [index for index in range(5) if not np.array_equal(first.images[index], second.images[index])]
    assert differs == [1]
    assert told == [(1, 1)]


def test_only_crops_of_the_same_settings_and_data_serve(
    samples: list[Sample], detections: dict[str, Faces], tmp_path: Path
) -> None:
    artifacts = Artifacts(tmp_path / "artifacts")
    make(definition(artifacts, {}, margin=4), samples, detections, artifacts)
    config = definition(artifacts, STEPS[0])
    assert nearest(artifacts, config) is None
    assert not ensure_recut(config, samples, artifacts, lambda: detections)
    other = config.model_copy(update={"data": DataConfig(fingerprint="f" * 16)})
    make(definition(artifacts, {}), samples, detections, artifacts)
    assert nearest(artifacts, other) is None
    assert nearest(artifacts, config) is not None
    resized = RunConfig(goal="faces", data=DATA, faces=FacesConfig(size=48, margin=9))
    assert nearest(artifacts, resized) is None


def test_damaged_crops_are_passed_over(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "artifacts")
    config = definition(artifacts, {})
    described = {"faces": config.faces.hashed(), "data": config.data.hashed()}
    for key in ("a" * 16, "b" * 16):
        artifacts.ensure("crops", key, described, lambda folder: None)
    (artifacts.path("crops", "a" * 16) / "config.json").write_text("{")
    found = nearest(artifacts, config)
    assert found is not None
    assert found[0].name == "b" * 16


def test_the_nearest_crops_are_taken_and_a_bound_is_kept(
    samples: list[Sample], detections: dict[str, Faces], tmp_path: Path
) -> None:
    artifacts = Artifacts(tmp_path / "artifacts")
    make(definition(artifacts, {}), samples, detections, artifacts)
    make(definition(artifacts, STEPS[1]), samples, detections, artifacts)
    config = definition(artifacts, STEPS[2])
    found = nearest(artifacts, config)
    assert found is not None
    assert found[1] == {"frame1.png"}
    assert not ensure_recut(config, samples, artifacts, lambda: detections, most=0)
    assert ensure_recut(config, samples, artifacts, lambda: detections, most=1)


def test_crops_of_other_frames_are_refused(
    samples: list[Sample], detections: dict[str, Faces], tmp_path: Path
) -> None:
    artifacts = Artifacts(tmp_path / "artifacts")
    source = make(definition(artifacts, {}), samples, detections, artifacts)
    folder = tmp_path / "new"
    folder.mkdir()
    with pytest.raises(StoreError, match="list the frames"):
        recut(
            [samples[1], samples[0], *samples[2:]],
            detections,
            FacesConfig(size=48, no_face="manual"),
            source,
            folder,
            changed={"frame0.png"},
            drawn={},
        )
