"""What a run says of faces: unsure or not, a row a face, images with their boxes, names that are safe everywhere."""

import io
import zipfile

import numpy as np
from PIL import Image

from fer_core.config.run import CLASSES
from fer_core.prediction.answers import Prediction, annotated, annotated_zip, face_table, file_name

IMAGE = np.full((120, 160, 3), 60, np.uint8)


def face(first: float, box: tuple[float, float, float, float] | None = (20, 30, 80, 100)) -> Prediction:
    values = np.array([first, *[(1 - first) / 6] * 6])
    return Prediction("found", box, 0.99, None, np.zeros((160, 160, 3), np.uint8), values, 1.0)


def test_unsure_is_said_below_the_threshold_and_by_calibrated_figures() -> None:
    raw_values, scaled = np.array([0.5, 0.3, 0.2, 0, 0, 0, 0]), np.array([0.3, 0.35, 0.35, 0, 0, 0, 0])
    crop = np.zeros((160, 160, 3), np.uint8)
    raw = Prediction("found", None, None, None, crop, raw_values, 1.0)
    assert (raw.label, raw.unsure(0.51), raw.unsure(0.5)) == (CLASSES[0], True, False)
    calibrated = Prediction("found", None, None, None, crop, raw_values, 1.0, scaled)
    assert (calibrated.label, calibrated.confidence) == (CLASSES[1], 0.35)
    assert calibrated.unsure(0.4)


def test_the_table_has_a_row_a_face_with_all_that_is_known() -> None:
    table = face_table([("a.png", [face(0.9), face(0.3)]), ("b.png", [face(0.5, None)])], below=0.4, run="r")
    assert table["image"].tolist() == ["a.png", "a.png", "b.png"]
    assert table["face"].tolist() == [1, 2, 1]
    assert table["unsure"].tolist() == [False, True, False]
    assert np.allclose(table[list(CLASSES)].sum(axis=1), 1)
    assert table["x2"].tolist()[:2] == [80, 80]
    assert np.isnan(table["x1"].iloc[2])
    assert not table["calibrated"].any()
    assert table.columns[0] == "run"
    assert face_table([]).empty


def test_boxes_are_drawn_in_the_colour_of_the_answer() -> None:
    sure, unsure = (annotated(IMAGE, [face(value)], below=0.4) for value in (0.9, 0.3))
    assert tuple(sure[99, 50]) == (0x00, 0x9E, 0x73)
    assert tuple(unsure[99, 50]) == (0xE6, 0x9F, 0x00)
    assert np.array_equal(annotated(IMAGE, [face(0.9, None)]), IMAGE)


def test_the_zip_holds_every_image_under_a_plain_name() -> None:
    data = annotated_zip([("../a b<.png", IMAGE, [face(0.9)]), ("../a b<.png", IMAGE, [])])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["001-a-b.jpg", "002-a-b.jpg"]
        assert Image.open(archive.open("001-a-b.jpg")).size == (160, 120)
    assert file_name(7, "...") == "007-image.jpg"
    assert file_name(7, "x/ü_1.tiff", "-face1.jpg") == "007-ü_1-face1.jpg"
