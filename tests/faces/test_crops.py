"""Choosing a face, saying what became of the frame, and cutting the crop."""

import json
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_core.config.run import FacesConfig
from fer_core.faces.crops import TEMPLATE, Chosen, Faces, choose, choose_each, clipped, cut, failed, overlaps


def faces(*boxes: tuple[float, float, float, float], p: tuple[float, ...] | None = None) -> Faces:
    probabilities = np.array(p or (0.99,) * len(boxes), np.float32)
    points = np.zeros((len(boxes), 5, 2), np.float32)
    return Faces(200, 100, np.array(boxes, np.float32).reshape(-1, 4), probabilities, points)


SMALL_SURE = (90.0, 40.0, 110.0, 60.0)
LARGE = (0.0, 0.0, 60.0, 60.0)


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (faces(LARGE), "found"),
        (faces(), "none"),
        (faces(LARGE, p=(0.8,)), "low-confidence"),
        (faces(LARGE, SMALL_SURE), "several"),
        (faces(LARGE, SMALL_SURE, p=(0.95, 0.75)), "found"),
        (Faces.unreadable("truncated"), "unreadable"),
    ],
)
def test_status(found: Faces, status: str) -> None:
    assert choose(found, FacesConfig()).status == status


@pytest.mark.parametrize(
    ("choice", "box"), [("largest", LARGE), ("most_probable", SMALL_SURE), ("central", SMALL_SURE)]
)
def test_choice_among_several(choice: str, box: tuple) -> None:
    found = faces(LARGE, SMALL_SURE, p=(0.92, 0.999))
    chosen = choose(found, FacesConfig(choice=choice))  # type: ignore[arg-type]
    assert chosen.box == box
    assert chosen.faces == 2
    assert chosen.probability == pytest.approx(0.92 if choice == "largest" else 0.999)
    corner, middle = (0.0, 0.0, 10.0, 10.0), (70.0, 20.0, 130.0, 80.0)
    assert choose(faces(corner, middle), FacesConfig(choice="central")).box == middle


@pytest.mark.parametrize(
    ("boxes", "p", "best"),
    [
        ((LARGE, SMALL_SURE), (0.84, 0.999), 1),  # a hand or a lamp is larger, and less sure than a face
        ((LARGE, SMALL_SURE), (0.92, 0.999), 0),  # both are sure: the larger
        ((LARGE, SMALL_SURE), (0.75, 0.85), 0),  # none is sure: the larger
        (((-60.0, 0.0, 20.0, 80.0), (80.0, 20.0, 110.0, 50.0)), (0.99, 0.99), 1),  # mostly outside the frame
        (((-40.0, 0.0, 40.0, 80.0), (80.0, 20.0, 115.0, 55.0)), (0.99, 0.99), 1),  # half of it outside
        (((-10.0, 0.0, 70.0, 80.0), (80.0, 20.0, 110.0, 50.0)), (0.99, 0.99), 0),  # an eighth outside
    ],
)
def test_the_best_face_is_sure_large_and_within_the_frame(boxes: tuple, p: tuple, best: int) -> None:
    chosen = choose(faces(*boxes, p=p), FacesConfig(choice="best"))
    assert chosen.box == boxes[best]
    assert chosen.status == ("low-confidence" if max(p) < 0.9 else "several" if min(p) >= 0.9 else "found")


def test_a_drawn_box_wins_under_its_policy_and_only_there() -> None:
    drawn = (5.0, 5.0, 25.0, 25.0)
    manual = choose(faces(LARGE), FacesConfig(no_face="manual"), drawn)
    assert (manual.status, manual.box) == ("manual", drawn)
    assert choose(faces(LARGE), FacesConfig(), drawn).status == "found"
    assert choose(Faces.unreadable("x"), FacesConfig(no_face="manual"), drawn).status == "unreadable"


def test_faces_survive_json() -> None:
    found = replace(faces(LARGE, SMALL_SURE, p=(0.92, 0.999)), rescued_by="turned")
    none, gone = found.none(), Faces.unreadable("gone")
    assert (none.width, none.height, len(none), none.reason, gone.reason) == (200, 100, 0, None, "gone")
    assert (gone.width, gone.height, len(gone)) == (0, 0, 0)
    for one in (found, none, gone):
        back = Faces.from_dict(json.loads(json.dumps(one.to_dict())))
        for field in fields(Faces):
            before, after = getattr(one, field.name), getattr(back, field.name)
            np.testing.assert_array_equal(before, after)
            assert (np.shape(before), np.asarray(before).dtype) == (np.shape(after), np.asarray(after).dtype)
    assert {one.boxes.dtype for one in (none, gone, back)} == {np.dtype("f4")}
    assert {one.landmarks.dtype for one in (none, gone, back)} == {np.dtype("f4")}


def test_what_a_second_look_won_back_has_not_failed() -> None:
    table = pd.DataFrame(
        {"status": ["found", "several", "none", "several"], "rescued_by": [None, None, None, "turned"]}
    )
    assert failed(table).tolist() == [False, True, True, False]


def test_no_face_resizes_the_whole_frame() -> None:
    image = np.random.default_rng(0).integers(0, 256, (100, 200, 3), np.uint8)
    crop = cut(image, choose(faces(), FacesConfig()), FacesConfig())
    assert np.array_equal(crop, np.asarray(Image.fromarray(image).resize((160, 160), Image.BILINEAR)))


@pytest.mark.parametrize("margin", [0, 24])
@pytest.mark.parametrize(
    "box", [(10.3, 20.8, 90.9, 99.2), (-15.0, -4.0, 60.0, 70.0), (150.5, 60.0, 230.0, 120.0)]
)
def test_a_crop_equals_facenets(box: tuple, margin: int) -> None:
    extract_face = pytest.importorskip("facenet_pytorch").extract_face
    image = np.random.default_rng(1).integers(0, 256, (100, 200, 3), np.uint8)
    config = FacesConfig(margin=margin)
    ours = cut(image, Chosen("found", box, 0.99, None, 1), config)
    theirs = extract_face(Image.fromarray(image), np.array(box), image_size=160, margin=margin)
    assert np.array_equal(ours, theirs.permute(1, 2, 0).numpy())  # floats in 0..255


def test_a_box_outside_the_frame_still_gives_a_pixel() -> None:
    assert clipped((300.0, 300.0, 320.0, 320.0), (200, 100), FacesConfig()) == (199, 99, 200, 100)
    assert clipped((-50.0, -50.0, -20.0, -20.0), (200, 100), FacesConfig()) == (0, 0, 1, 1)


@pytest.mark.parametrize("turn", [0.0, 25.0])
def test_alignment_puts_the_landmarks_on_the_template(turn: float) -> None:
    """Dots drawn at the landmarks of a turned face end up at the template's places."""
    angle, size = np.deg2rad(turn), 64.0
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (TEMPLATE - 0.5) * size @ rotation.T + np.array([100.0, 90.0])
    image = np.zeros((180, 200, 3), np.uint8)
    for x, y in points:
        image[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2] = 255
    config = FacesConfig(align=True, margin=20)
    chosen = Chosen("found", (60.0, 50.0, 140.0, 130.0), 0.99, points.astype(np.float32), 1)
    crop = cut(image, chosen, config).astype(float).mean(2)
    straight = config.model_copy(update={"align": False})
    np.testing.assert_array_equal(
        cut(image, chosen, straight), cut(image, replace(chosen, landmarks=None), straight)
    )
    for place in TEMPLATE * 140 + 10:
        left, top = (place.round() - 10).astype(int)
        rows, columns = np.nonzero(crop[top : top + 21, left : left + 21] > 128)
        assert (left + columns.mean(), top + rows.mean()) == pytest.approx(place, abs=1.5)


def test_overlaps_are_those_of_a_pixel_count() -> None:
    boxes = np.array([(5, 5, 25, 30), (15, 10, 35, 40), (25, 0, 39, 40)])
    pixels = np.zeros((3, 40, 40), bool)
    for layer, (x1, y1, x2, y2) in zip(pixels, boxes, strict=True):
        layer[y1:y2, x1:x2] = True
    expected = [[(a & b).sum() / (a | b).sum() for b in pixels] for a in pixels[:2]]
    assert overlaps(boxes[:2], boxes) == pytest.approx(np.array(expected))


def test_each_face_has_its_status() -> None:
    found = faces(LARGE, SMALL_SURE, LARGE, p=(0.95, 0.99, 0.5))
    assert [one.status for one in choose_each(found, FacesConfig())] == [
        "several",
        "several",
        "low-confidence",
    ]
    assert [one.box for one in choose_each(found, FacesConfig())] == [LARGE, SMALL_SURE, LARGE]
    seen = object()
    (none,) = choose_each(replace(faces(), trace=seen), FacesConfig())  # type: ignore[arg-type]
    assert (none.status, none.trace) == ("none", seen)


def test_a_square_crop_keeps_the_shape_and_repeats_the_edge() -> None:
    """A 40 x 60 box at the left edge: the square is 60 wide, 10 pixels of it outside the frame."""
    image = np.tile(np.arange(200, dtype=np.uint8)[None, :, None], (100, 1, 3))
    config = FacesConfig(square=True, size=60)
    crop = cut(image, Chosen("found", (0.0, 20.0, 40.0, 80.0)), config)
    assert crop[30, :, 0].tolist() == [0] * 10 + list(range(50))
    wide = cut(
        image, Chosen("found", (60.0, 20.0, 100.0, 80.0)), FacesConfig(square=True, size=80, margin=20)
    )
    assert wide[30, :, 0].tolist() == list(range(40, 120))
    point = cut(image, Chosen("found", (50.0, 50.0, 50.0, 50.0)), config)
    assert (point == 50).all(), "a box without extent is one pixel"
    noise = np.random.default_rng(0).integers(0, 256, (100, 200, 3), dtype=np.uint8)
    half = cut(noise, Chosen("found", (50.0, 20.0, 114.0, 84.0)), FacesConfig(square=True, size=32))
    theirs = Image.fromarray(noise[20:84, 50:114]).resize((32, 32), Image.Resampling.BILINEAR)
    assert np.array_equal(half, theirs), "scaled as every crop is"
