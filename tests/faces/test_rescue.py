"""Second looks at a frame with no face: mapped back truly, tried in order, recorded, resumed."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from faces_case import Finder, write_faces
from PIL import Image
from report_case import Recorder

from fer_core.cli.main import app
from fer_core.config.run import RESCUES, DataConfig, FacesConfig, RunConfig, parse
from fer_core.config.settings import load
from fer_core.datasets.base import Sample
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.images import load_rgb
from fer_core.datasets.open import open_dataset
from fer_core.errors import ConfigError
from fer_core.faces.crops import choose, cut, failed, overlaps
from fer_core.faces.crops_artifact import freeze_names, read_names
from fer_core.faces.extraction import DETECTIONS, crop_all, keep_found, read_crops, read_detections
from fer_core.faces.finding import detectors
from fer_core.faces.rescue import POLICIES, lower, map_boxes, map_points, rescue, turned
from fer_core.runs.pipeline.run import extract_faces, faces_summary
from fer_core.storage.artifacts import Artifacts

RUN = RunConfig(data=DataConfig(fingerprint="0123456789abcdef"))


def wide(least: int) -> Finder:
    """Finds one face in views wider than `least` pixels."""
    return Finder(lambda image: [((20.0, 30.0, 60.0, 70.0), 0.97)] * int(image.shape[1] > least))


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Five frames of 80, 40, unreadable, 40 and 90 px width."""
    found = []
    for index, width in enumerate([80, 40, None, 40, 90]):
        path = tmp_path / f"frame{index}.png"
        if width is None:
            path.write_bytes(b"not an image")
        else:
            Image.new("RGB", (width, 60), (120, 90, 60)).save(path)
        found.append(Sample(path.name, path, index, None, "Movie", f"clip{index}"))
    return found


def test_the_config_names_the_policies_and_refuses_others_and_repeats() -> None:
    assert tuple(POLICIES) == RESCUES
    for values in (["lihgt"], ["light", "light"]):
        with pytest.raises(ConfigError, match="rescue must hold"):
            parse(FacesConfig, {"rescue": values})


def test_policies_and_their_order_are_part_of_the_keys() -> None:
    configs = [
        RUN.model_copy(update={"faces": FacesConfig(rescue=policies)})
        for policies in ((), ("light",), ("light", "rotate"), ("rotate", "light"))
    ]
    assert len({config.detections_key() for config in configs}) == 4
    assert len({config.crops_key() for config in configs}) == 4
    assert configs[0].key() == RUN.key()


def test_thresholds_are_lowered_but_stay_above_nothing() -> None:
    assert lower((0.6, 0.7, 0.2), 0.2) == pytest.approx((0.4, 0.5, 0.05))
    assert lower((0.6, 0.03, 0.7), 0.0) == (0.6, 0.03, 0.7)


@pytest.mark.parametrize("degrees", [15, -30, 90])
def test_a_turned_view_and_its_matrix_show_the_same_pixel(degrees: float) -> None:
    frame = np.zeros((60, 90, 3), np.uint8)
    frame[10:14, 70:74] = 255
    view = turned(frame, degrees)
    y, x = np.argwhere(view.image[:, :, 0] > 200).mean(axis=0) + 0.5
    assert map_points(np.array([x, y]), view.to_source) == pytest.approx([72, 12], abs=0.3)
    if degrees == 90:  # counter-clockwise: what was at the top right is at the top left
        assert view.image.shape == (90, 60, 3)
        assert (x, y) == pytest.approx((12, 18), abs=0.3)


@pytest.mark.parametrize("degrees", [0, 15, 30, 45, 90])
def test_a_mapped_box_holds_the_turned_ellipse_exactly(degrees: float) -> None:
    a = np.radians(degrees)
    matrix = np.array([[np.cos(a), -np.sin(a), 5.0], [np.sin(a), np.cos(a), -3.0]])
    angles = np.linspace(0, 2 * np.pi, 100_000)
    ellipse = np.stack([50 + 20 * np.cos(angles), 40 + 30 * np.sin(angles)], axis=1)
    moved = ellipse @ matrix[:, :2].T + matrix[:, 2]
    box = map_boxes(np.array([[30.0, 10.0, 70.0, 70.0]], np.float32), matrix)[0]
    assert box == pytest.approx(np.concatenate([moved.min(0), moved.max(0)]), abs=1e-3)


def test_the_first_policy_that_finds_a_face_ends_the_search_and_is_mapped_back() -> None:
    frame, detector = np.zeros((60, 40, 3), np.uint8), wide(70)
    found = rescue(frame, detector, ["light", "upscale", "rotate"])
    assert found is not None
    assert found.rescued_by == "upscale"
    assert (found.width, found.height) == (40, 60)
    assert found.boxes.tolist() == [[10, 15, 30, 35]]
    assert found.landmarks[0].tolist() == [[15, 20]] * 5
    assert detector.seen == 2
    assert rescue(np.zeros((60, 20, 3), np.uint8), wide(70), list(RESCUES)) is None


def test_lower_thresholds_ask_for_another_detector() -> None:
    asked = []

    def detector_of(lowered: float) -> Finder:
        asked.append(lowered)
        return wide(30 if lowered else 70)

    found = rescue(np.zeros((60, 40, 3), np.uint8), detector_of, ["light", "thresholds"])
    assert asked == [0.0, 0.2]
    assert found is not None
    assert found.rescued_by == "thresholds"


def test_what_rescued_a_frame_is_recorded_with_its_faces_and_its_crop(
    samples: list[Sample], tmp_path: Path
) -> None:
    config = FacesConfig(size=32, rescue=("upscale",))
    write_faces(samples, tmp_path, wide(70), config)
    found = read_detections(tmp_path)
    assert [faces.rescued_by for faces in found.values()] == [None, "upscale", None, "upscale", None]
    crop_all(samples, found, config, tmp_path)
    table = read_crops(tmp_path).table
    assert list(table["status"]) == ["found", "found", "unreadable", "found", "found"]
    assert list(table["rescued_by"].fillna("")) == ["", "upscale", "", "upscale", ""]


def test_crops_of_before_policies_existed_still_open(samples: list[Sample], tmp_path: Path) -> None:
    write_faces(samples, tmp_path, wide(70))
    crop_all(samples, read_detections(tmp_path), FacesConfig(size=32), tmp_path)
    path = tmp_path / "crops.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text(
        "".join(json.dumps({k: v for k, v in line.items() if k != "rescued_by"}) + "\n" for line in lines)
    )
    assert read_crops(tmp_path).table["rescued_by"].isna().all()


def test_stretched_contrast_takes_darkness_and_a_tint_away_and_the_crop_is_of_the_frame_itself(
    tmp_path: Path,
) -> None:
    """A face of contrast under deep red light is found once each channel reaches from black to white."""
    frame = np.zeros((60, 80, 3), np.uint8)
    frame[:, :40] = (20, 2, 1)
    frame[:, 40:] = (60, 8, 5)
    seen = []

    def find(image: np.ndarray) -> list:
        seen.append(image)
        return [((10.0, 10.0, 50.0, 50.0), 0.8)] * int(np.ptp(image[..., 2]) > 200)

    found = rescue(frame, Finder(find), ["stretch"])
    assert found is not None
    assert np.unique(seen[0].reshape(-1, 3), axis=0).tolist() == [[0, 0, 0], [255, 255, 255]]
    config = FacesConfig(size=40)
    crop = cut(frame, choose(found, config), config)
    assert (crop == frame[10:50, 10:50]).all()


def test_only_frames_without_a_face_are_looked_at_again_and_the_others_stay_to_the_bit(
    samples: list[Sample], tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    write_faces(samples, first, wide(70))
    detector = wide(70)
    keep_found(first, second)
    write_faces(samples, second, detector, FacesConfig(rescue=("upscale",)))
    before, after = ((folder / DETECTIONS).read_text().splitlines() for folder in (first, second))
    assert {line for line in before if not json.loads(line)["boxes"]} - set(after)
    assert {line for line in before if json.loads(line)["boxes"]} <= set(after)
    assert detector.seen == 4  # both frames of 40 px, and both enlarged
    assert [
        one.rescued_by for one in map(read_detections(second).get, ("frame1.png", "frame3.png")) if one
    ] == [
        "upscale",
        "upscale",
    ]


def test_a_second_look_that_was_turned_down_leaves_its_frame_without_a_face(
    samples: list[Sample], tmp_path: Path, artifacts: Artifacts
) -> None:
    config = FacesConfig(size=32, rescue=("upscale",))
    write_faces(samples, tmp_path, wide(70), config)
    crop_all(samples, read_detections(tmp_path), config, tmp_path, turned_down={"frame1.png", "frame0.png"})
    table = read_crops(tmp_path).table.set_index("name")
    assert list(table["status"]) == ["found", "none", "unreadable", "found", "found"]
    assert list(failed(table)) == [False, True, True, False, False]
    key = freeze_names(artifacts, ["frame1.png", "frame0.png"])
    assert read_names(artifacts, key) == {"frame0.png", "frame1.png"}
    named = [config.model_copy(update={"turned_down": own}) for own in (key, "")]
    assert (
        RUN.model_copy(update={"faces": named[0]}).key() != RUN.model_copy(update={"faces": named[1]}).key()
    )


@pytest.mark.parametrize("kept", [1, 2, 4])
def test_a_killed_detection_with_second_looks_goes_on_where_it_stopped(
    samples: list[Sample], tmp_path: Path, kept: int
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()
    config = FacesConfig(rescue=("light", "upscale"))
    write_faces(samples, whole, wide(70), config)
    lines = (whole / DETECTIONS).read_bytes().splitlines(keepends=True)
    (cut / DETECTIONS).write_bytes(b"".join(lines[:kept]) + lines[kept][:20])
    detector = wide(70)
    write_faces(samples, cut, detector, config)
    assert (cut / DETECTIONS).read_bytes() == (whole / DETECTIONS).read_bytes()
    left = [sample.name for sample in samples[kept:] if sample.name != "frame2.png"]
    assert detector.seen == len(left) + 2 * len({"frame1.png", "frame3.png"} & set(left))


def test_a_face_that_lies_on_its_side_is_won_back_where_it_is(photos: list[Path], tmp_path: Path) -> None:
    """Of photos turned by 85 degrees the detector loses some; turning back by 30 finds the same faces."""
    detector_of = detectors(FacesConfig(), Artifacts(tmp_path), load(device="cpu"))
    won = 0
    for path in [path for path in photos if path.name in ("003_08.jpg", "003_03.jpg")]:
        upright = np.asarray(Image.fromarray(load_rgb(path)).resize((240, 240)))
        true = detector_of(0.0).detect([upright])[0]
        view = turned(upright, 85)
        if len(detector_of(0.0).detect([view.image])[0].boxes):
            continue
        back = np.linalg.inv(np.vstack([view.to_source, [0, 0, 1]]))[:2]
        found = rescue(view.image, detector_of, ["rotate"])
        assert found is not None
        assert found.rescued_by == "rotate"
        assert overlaps(found.boxes[:1], map_boxes(true.boxes, back)[:1]).item() > 0.6
        middle = map_points(true.landmarks[0], back).mean(0)  # single points are off where a face lies
        assert np.linalg.norm(found.landmarks[0].mean(0) - middle) < 20
        won += 1
    assert won


def test_the_command_line_names_policies_in_order() -> None:
    given = app.parse_args(["faces", "--rescue", "rotate, light"])[1].arguments
    assert given["extraction"].values()["rescue"] == ("rotate", "light")


def test_a_run_rescues_records_and_keeps_apart(
    photos: list[Path], tmp_path: Path, artifacts: Artifacts
) -> None:
    """One upright photo and one on its side: with the policy both are found, and the first look is as before."""
    folder = tmp_path / "photos" / "happy"
    folder.mkdir(parents=True)
    path = next(path for path in photos if path.name == "003_08.jpg")
    upright = np.asarray(Image.fromarray(load_rgb(path)).resize((240, 240)))
    Image.fromarray(upright).save(folder / "upright.png")
    view = turned(upright, 85)
    Image.fromarray(view.image).save(folder / "side.png")
    dataset = open_dataset(str(folder.parent), layout="folder")
    settings = load(home=tmp_path, device="cpu", threads=1)

    def table(policies: tuple[str, ...]) -> pd.DataFrame:
        config = RunConfig(goal="faces", data=data_config(dataset), faces=FacesConfig(rescue=policies))
        return extract_faces(config, dataset, artifacts, Recorder(), settings).table.set_index("name")

    plain, rescued = table(()), table(("rotate",))
    assert len(artifacts.keys("detections")) == 2
    assert list(plain.loc[["happy/side.png", "happy/upright.png"], "status"]) == ["none", "found"]
    assert list(rescued.loc[["happy/side.png", "happy/upright.png"], "status"]) == ["found", "found"]
    assert rescued.loc["happy/side.png", "rescued_by"] == "rotate"
    back = np.linalg.inv(np.vstack([view.to_source, [0, 0, 1]]))[:2]
    true = map_boxes(np.array([plain.loc["happy/upright.png", "box"]]), back)
    assert overlaps(np.array([rescued.loc["happy/side.png", "box"]]), true).item() > 0.6
    lines = [
        (artifacts.open("detections", key) / DETECTIONS).read_text().splitlines()
        for key in artifacts.keys("detections")
    ]
    assert len(set(lines[0]) & set(lines[1])) == 1  # the one whose face was found at once
    assert rescued.loc["happy/upright.png", "box"] == plain.loc["happy/upright.png", "box"]
    assert faces_summary(plain.reset_index())["rescued"] == {}
    assert faces_summary(rescued.reset_index())["rescued"] == {"rotate": 1}
