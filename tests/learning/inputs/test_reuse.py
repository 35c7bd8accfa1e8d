"""One crop changes: one row is computed, the others are copied, and the bits are those of computing all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from training_case import CPU, Recorder, crops_and_labels, one_thread, run_config, small_chain

from fer_core.config.comparators import LpqConfig, PhogConfig, PixelsConfig, SvmConfig
from fer_core.config.run import FacesConfig, RunConfig
from fer_core.learning.inputs import prefix, reuse
from fer_core.learning.inputs.prefix import CHUNK, activations
from fer_core.learning.inputs.reuse import MARKS, marks_of, write_rows
from fer_core.learning.inputs.views import Inputs, prepare
from fer_core.runs.pipeline.model_inputs import descriptors
from fer_core.storage.artifacts import Artifacts

CHANGED = 21


@pytest.fixture(autouse=True)
def _one_thread():
    with one_thread():
        yield


@pytest.fixture
def crops() -> np.ndarray:
    return crops_and_labels(40)[0]


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of images of each pass through the prefix."""
    seen: list[int] = []
    plain = prefix.to_input

    def counted(images: np.ndarray, row: object) -> torch.Tensor:
        seen.append(len(images))
        return plain(images, row)

    monkeypatch.setattr(prefix, "to_input", counted)
    return seen


def other_crops(config: RunConfig) -> RunConfig:
    """The same definition over another set of crops: what drawing a box gives."""
    faces = FacesConfig(no_face="manual", manual_boxes="0123456789abcdef")
    return config.model_copy(update={"faces": faces})


def redrawn(crops: np.ndarray) -> np.ndarray:
    after = crops.copy()
    after[CHANGED] = after[CHANGED][::-1]
    return after


def made(config: RunConfig, crops: np.ndarray, folder: Path, report: Recorder | None = None) -> Inputs:
    return prepare(
        small_chain(config),
        crops,
        config=config,
        artifacts=Artifacts(folder),
        report=report or Recorder(),
        device=CPU,
    )


@pytest.mark.parametrize("n", [1, 3])
def test_one_changed_crop_is_one_image_through_the_prefix(
    n: int, crops: np.ndarray, tmp_path: Path, passed: list[int]
) -> None:
    config = run_config("efficientnet_lite0", n, "imagenet")
    made(config, crops, tmp_path / "here")
    passed.clear()
    report = Recorder()
    found = made(other_crops(config), redrawn(crops), tmp_path / "here", report)
    assert passed == [1]
    assert report.steps == [("activations", 1, 1)]

    whole = made(other_crops(config), redrawn(crops), tmp_path / "anew")
    assert sum(passed) == 1 + len(crops)
    assert torch.equal(found.clean, whole.clean)
    key = other_crops(config).activations_key(small_chain(config).row.boundary(n))
    here, anew = (tmp_path / name / "activations" / key for name in ("here", "anew"))
    for file in (prefix.FILE, MARKS, "config.json"):
        assert (here / file).read_bytes() == (anew / file).read_bytes(), file


@pytest.mark.parametrize("damaged", ["config.json", MARKS, prefix.FILE])
def test_damaged_activations_are_passed_over(
    damaged: str, crops: np.ndarray, tmp_path: Path, passed: list[int]
) -> None:
    config = run_config("efficientnet_lite0", 1, "imagenet")
    made(config, crops, tmp_path)
    (file,) = (tmp_path / "activations").glob(f"*/{damaged}")
    file.write_bytes(file.read_bytes()[:20])
    passed.clear()
    made(other_crops(config), redrawn(crops), tmp_path)
    assert sum(passed) == len(crops)


def test_changed_and_mirrored_views_are_reused_alike(
    crops: np.ndarray, tmp_path: Path, passed: list[int]
) -> None:
    recipe = {"views": 2, "flip": True, "crop": 0.2}
    config = run_config("efficientnet_lite0", 1, "imagenet", augmentation=recipe, flip_at_test=True)
    made(config, crops, tmp_path / "here")
    passed.clear()
    found = made(other_crops(config), redrawn(crops), tmp_path / "here")
    assert passed == [1, 1, 1, 1]  # as it is, mirrored, two views
    whole = made(other_crops(config), redrawn(crops), tmp_path / "anew")
    assert found.mirrored is not None
    assert whole.mirrored is not None
    pairs = zip(
        (found.clean, found.mirrored, *found.augmented),
        (whole.clean, whole.mirrored, *whole.augmented),
        strict=True,
    )
    assert all(torch.equal(one, other) for one, other in pairs)


def test_a_view_that_heeds_the_place_serves_only_there(
    crops: np.ndarray, tmp_path: Path, passed: list[int]
) -> None:
    config = run_config("efficientnet_lite0", 1, "imagenet", augmentation={"views": 1, "flip": True})
    made(config, crops, tmp_path / "here")
    passed.clear()
    dropped = np.delete(crops, CHANGED, axis=0)  # every later crop moves up by one
    found = made(other_crops(config), dropped, tmp_path / "here")
    assert sum(passed) == len(dropped) - CHANGED  # the view's; none of the plain ones
    whole = made(other_crops(config), dropped, tmp_path / "anew")
    assert torch.equal(found.clean, whole.clean)
    assert torch.equal(found.augmented[0], whole.augmented[0])


def test_rows_come_from_several_artifacts_in_any_order(
    crops: np.ndarray, tmp_path: Path, passed: list[int]
) -> None:
    config = run_config("efficientnet_lite0", 1, "imagenet")
    made(config, crops[:17], tmp_path)
    made(other_crops(config), crops[10:30], tmp_path)
    passed.clear()
    order = np.random.default_rng(0).permutation(40)
    third = config.model_copy(update={"faces": FacesConfig(margin=8)})
    mixed = made(third, crops[order], tmp_path)
    assert sum(passed) == 10
    passed.clear()
    again = made(config.model_copy(update={"faces": FacesConfig(margin=4)}), crops, tmp_path)
    assert passed == []
    assert torch.equal(mixed.clean, again.clean[order])


@pytest.mark.parametrize(
    "other",
    [run_config("efficientnet_lite0", 2, "imagenet"), run_config("efficientnet_lite0", 1, "none")],
    ids=["another block", "other weights"],
)
def test_what_was_made_otherwise_does_not_serve(
    other: RunConfig, crops: np.ndarray, tmp_path: Path, passed: list[int]
) -> None:
    made(other, crops, tmp_path)
    passed.clear()
    made(other_crops(run_config("efficientnet_lite0", 1, "imagenet")), crops, tmp_path)
    assert sum(passed) == len(crops)


def test_a_new_version_of_the_step_starts_anew(
    crops: np.ndarray, tmp_path: Path, passed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run_config("efficientnet_lite0", 1, "imagenet")
    made(config, crops, tmp_path)
    passed.clear()
    monkeypatch.setitem(prefix.STEP_VERSIONS, "activations", 99)
    made(config, crops, tmp_path)
    assert sum(passed) == len(crops)


def test_an_earlier_boundary_is_reused_before_a_later_one_is_computed(
    crops: np.ndarray, tmp_path: Path, passed: list[int]
) -> None:
    config = run_config("efficientnet_lite0", 3, "imagenet")
    chain, artifacts = small_chain(config), Artifacts(tmp_path)
    for definition, images in ((config, crops), (other_crops(config), redrawn(crops))):
        found = [
            activations(
                chain,
                images,
                chain.row.boundary(n),
                config=definition,
                artifacts=artifacts,
                report=Recorder(),
                device=CPU,
            )
            for n in (3, 1)
        ]
    assert passed == [CHUNK["cpu"]] * 2 + [8] + [1]
    whole = made(
        other_crops(run_config("efficientnet_lite0", 1, "imagenet")), redrawn(crops), tmp_path / "anew"
    )
    assert torch.equal(found[1], whole.clean)


@pytest.mark.parametrize(
    "inputs", [PixelsConfig(side=8), PhogConfig(), LpqConfig()], ids=lambda inputs: inputs.kind
)
def test_descriptors_describe_the_changed_crop_alone(
    inputs: PixelsConfig | PhogConfig | LpqConfig, crops: np.ndarray, tmp_path: Path
) -> None:
    config = run_config().model_copy(update={"model": SvmConfig(inputs=inputs)})
    descriptors(config, crops, Artifacts(tmp_path / "here"), Recorder())
    report = Recorder()
    found = descriptors(other_crops(config), redrawn(crops), Artifacts(tmp_path / "here"), report)
    assert report.steps == [(f"{inputs.kind} descriptors", 1, 1)]
    report = Recorder()
    whole = descriptors(other_crops(config), redrawn(crops), Artifacts(tmp_path / "anew"), report)
    assert report.steps[-1] == (f"{inputs.kind} descriptors", 40, 40)
    assert np.array_equal(found, whole)


def test_marks_tell_pixels_shapes_and_places_apart() -> None:
    crops = np.zeros((3, 4, 4, 3), np.uint8)
    crops[2, 0, 0, 0] = 1
    first, second, third = marks_of(crops)
    assert first == second != third
    assert len(set(marks_of(crops, placed=True))) == 3
    assert marks_of(crops)[0] != marks_of(crops.reshape(3, 2, 8, 3))[0]


def test_an_artifact_deleted_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts, marks = Artifacts(tmp_path), np.array([b"a", b"b"])
    about = {"version": 1}

    def build(compute: Callable) -> Callable[[Path], None]:
        return lambda folder: write_rows(folder / "rows.npy", "things", about, marks, compute, artifacts)

    def two(rows: np.ndarray) -> list[np.ndarray]:
        return [np.array([[row, 7]], np.float32) for row in rows]

    artifacts.ensure("things", "one", about, build(two))
    plain = reuse.Artifacts.open

    def gone(self: Artifacts, kind: str, key: str) -> Path:
        self.delete(kind, key)
        return plain(self, kind, key)

    monkeypatch.setattr(reuse.Artifacts, "open", gone)
    folder = artifacts.ensure("things", "two", about, build(two))
    assert np.load(folder / "rows.npy").tolist() == [[0, 7], [1, 7]]
