"""One crop changes: one row is computed, the others are copied, and the bits are those of computing all."""

from pathlib import Path

import numpy as np
import pytest
import torch
from report_case import Recorder
from training_case import CPU, crops_and_labels, run_config, small_chain

from fer_core.config.comparators import LpqConfig, PhogConfig, PixelsConfig, SvmConfig
from fer_core.config.run import STEP_VERSIONS, FacesConfig, RunConfig
from fer_core.learning.inputs import prefix
from fer_core.learning.inputs.reuse import MARKS, marks_of, write_rows
from fer_core.learning.inputs.views import Inputs, prepare
from fer_core.runs.pipeline.model_inputs import descriptors
from fer_core.storage.artifacts import Artifacts

CHANGED = 21


@pytest.fixture
def crops() -> np.ndarray:
    return crops_and_labels(40)[0]


def other_crops(config: RunConfig) -> RunConfig:
    """The same definition over another set of crops: what drawing a box gives."""
    faces = FacesConfig(no_face="manual", manual_boxes="0123456789abcdef")
    return config.model_copy(update={"faces": faces})


def redrawn(crops: np.ndarray) -> np.ndarray:
    after = crops.copy()
    after[CHANGED] = after[CHANGED][::-1]
    return after


def made(config: RunConfig, crops: np.ndarray, folder: Path) -> tuple[Inputs, dict[str, int]]:
    """What the suffix reads, and how many images each pass through the prefix computed."""
    report = Recorder()
    found = prepare(
        small_chain(config),
        crops,
        config=config,
        artifacts=Artifacts(folder),
        report=report,
        device=CPU,
    )
    return found, {name: total for name, _, total in report.steps}


def after(
    config: RunConfig, before: np.ndarray, crops: np.ndarray, folder: Path, computed: dict[str, int]
) -> RunConfig:
    """Hold what is computed of crops that come after others, and that the bits are those of computing all."""
    made(config, before, folder / "here")
    later = other_crops(config)
    found, passes = made(later, crops, folder / "here")
    assert passes == computed
    whole, passes = made(later, crops, folder / "again")
    assert set(passes.values()) == {len(crops)}
    views = [(one.clean, one.mirrored, *one.augmented) for one in (found, whole)]
    for one, other in zip(*views, strict=True):
        assert (one is other is None) or torch.equal(one, other)
    return later


@pytest.mark.parametrize("n", [1, 3])
def test_one_changed_crop_is_one_image_through_the_prefix(n: int, crops: np.ndarray, tmp_path: Path) -> None:
    config = run_config("efficientnet_lite0", n, "imagenet")
    later = after(config, crops, redrawn(crops), tmp_path, {"activations": 1})
    key = later.activations_key(small_chain(config).row.boundary(n))
    here, again = (tmp_path / name / "activations" / key for name in ("here", "again"))
    for file in (prefix.FILE, MARKS, "config.json"):
        assert (here / file).read_bytes() == (again / file).read_bytes(), file


@pytest.mark.parametrize("damaged", ["config.json", MARKS, prefix.FILE])
def test_damaged_activations_are_passed_over(damaged: str, crops: np.ndarray, tmp_path: Path) -> None:
    config = run_config("efficientnet_lite0", 1, "imagenet")
    made(config, crops, tmp_path)
    (file,) = (tmp_path / "activations").glob(f"*/{damaged}")
    file.write_bytes(file.read_bytes()[:20])
    assert made(other_crops(config), redrawn(crops), tmp_path)[1] == {"activations": len(crops)}


def test_changed_and_mirrored_views_are_reused_alike(crops: np.ndarray, tmp_path: Path) -> None:
    recipe = {"views": 2, "flip": True, "crop": 0.2}
    config = run_config("efficientnet_lite0", 1, "imagenet", augmentation=recipe, flip_at_test=True)
    views = ("", ", mirrored", ", view 1 of 2", ", view 2 of 2")
    after(config, crops, redrawn(crops), tmp_path, {f"activations{view}": 1 for view in views})


def test_a_view_that_heeds_the_place_serves_only_there(crops: np.ndarray, tmp_path: Path) -> None:
    config = run_config("efficientnet_lite0", 1, "imagenet", augmentation={"views": 1, "flip": True})
    dropped = np.delete(crops, CHANGED, axis=0)  # every later crop moves up by one
    after(config, crops, dropped, tmp_path, {"activations, view 1 of 1": len(dropped) - CHANGED})


def test_rows_come_from_several_artifacts_in_any_order(crops: np.ndarray, tmp_path: Path) -> None:
    config = run_config("efficientnet_lite0", 1, "imagenet")
    made(config, crops[:17], tmp_path)
    made(other_crops(config), crops[10:30], tmp_path)
    order = np.random.default_rng(0).permutation(40)
    third = config.model_copy(update={"faces": FacesConfig(margin=8)})
    mixed, computed = made(third, crops[order], tmp_path)
    assert computed == {"activations": 10}
    again, computed = made(config.model_copy(update={"faces": FacesConfig(margin=4)}), crops, tmp_path)
    assert computed == {}
    assert torch.equal(mixed.clean, again.clean[order])


@pytest.mark.parametrize(
    "other",
    [run_config("efficientnet_lite0", 2, "imagenet"), run_config("efficientnet_lite0", 1, "none")],
    ids=["another block", "other weights"],
)
def test_what_was_made_otherwise_does_not_serve(other: RunConfig, crops: np.ndarray, tmp_path: Path) -> None:
    made(other, crops, tmp_path)
    config = other_crops(run_config("efficientnet_lite0", 1, "imagenet"))
    assert made(config, crops, tmp_path)[1] == {"activations": len(crops)}


def test_a_new_version_of_the_step_computes_all_again(
    crops: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run_config("efficientnet_lite0", 1, "imagenet")
    made(config, crops, tmp_path)
    monkeypatch.setitem(STEP_VERSIONS, "activations", 99)
    assert made(config, crops, tmp_path)[1] == {"activations": len(crops)}


def test_an_earlier_boundary_is_reused_before_a_later_one_is_computed(
    crops: np.ndarray, tmp_path: Path
) -> None:
    config, deep = (run_config("efficientnet_lite0", n, "imagenet") for n in (1, 3))
    for n, definition in ((3, deep), (1, config)):
        assert made(definition, crops, tmp_path)[1] == {"activations": 40}, n
        found, computed = made(other_crops(definition), redrawn(crops), tmp_path)
        assert computed == {"activations": 1}, n
    whole, _ = made(other_crops(config), redrawn(crops), tmp_path / "again")
    assert torch.equal(found.clean, whole.clean)


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
    whole = descriptors(other_crops(config), redrawn(crops), Artifacts(tmp_path / "again"), report)
    assert report.steps[-1] == (f"{inputs.kind} descriptors", 40, 40)
    assert np.array_equal(found, whole)


def test_marks_tell_pixels_shapes_and_places_apart() -> None:
    crops = np.zeros((3, 4, 4, 3), np.uint8)
    crops[2, 0, 0, 0] = 1
    first, second, third = marks_of(crops)
    assert first == second != third
    assert len(set(marks_of(crops, placed=True))) == 3
    assert marks_of(crops)[0] != marks_of(crops.reshape(3, 2, 8, 3))[0]


class Fading(Artifacts):
    """Artifacts of which each is deleted at the moment it is opened."""

    def open(self, kind: str, key: str) -> Path:
        self.delete(kind, key)
        return super().open(kind, key)


def test_an_artifact_deleted_meanwhile_is_passed_over(tmp_path: Path) -> None:
    marks, about = np.array([b"a", b"b"]), {"version": 1}

    def two(rows: np.ndarray) -> list[np.ndarray]:
        return [np.array([[row, 7]], np.float32) for row in rows]

    for key in ("one", "two"):
        place = tmp_path / key
        place.mkdir()
        write_rows(place / "rows.npy", "things", about, marks, two, Fading(tmp_path))
        assert np.load(place / "rows.npy").tolist() == [[0, 7], [1, 7]]
        Artifacts(tmp_path).ensure("things", key, about, lambda folder, made=place: move(made, folder))
    assert not Artifacts(tmp_path).has("things", "one")


def move(made: Path, folder: Path) -> None:
    for path in made.iterdir():
        path.rename(folder / path.name)
