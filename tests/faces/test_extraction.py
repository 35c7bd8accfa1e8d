"""Detection and cropping over a data set: resumed, nothing dropped unseen."""

import json
from pathlib import Path

import numpy as np
import pytest
from faces_case import Finder, write_faces
from PIL import Image

from fer_core.config.run import FacesConfig
from fer_core.datasets.base import Sample
from fer_core.errors import StoreError
from fer_core.faces.extraction import (
    CROPS,
    DETECTIONS,
    NOT_DETECTED,
    TABLE,
    batches,
    crop_all,
    read_crops,
    read_detections,
)


def bright() -> Finder:
    """Finds one face in frames brighter than mid-gray."""
    return Finder(lambda image: [((4.25, 5.5, 30.0, 34.0), 0.97)] * int(image.mean() > 127))


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Five frames of two sizes: bright, dark, bright, unreadable, bright."""
    found = []
    for index, level in enumerate([200, 20, 180, None, 220]):
        path = tmp_path / f"Movie_00000000{index}_0000000{index}.png"
        if level is None:
            path.write_bytes(b"not an image")
        else:
            Image.new("RGB", (48 + index, 40), (level,) * 3).save(path)
        found.append(Sample(path.name, path, index % 7, None, "Movie", f"Movie_{index}"))
    return found


def test_every_frame_gets_a_line_and_unreadable_ones_a_reason(samples: list[Sample], tmp_path: Path) -> None:
    reported: list[tuple[int, int]] = []
    write_faces(samples, tmp_path, bright(), progress=lambda *done: reported.append(done))
    found = read_detections(tmp_path)
    assert list(found) == [sample.name for sample in samples]
    assert [len(found[sample.name]) for sample in samples] == [1, 0, 1, 0, 1]
    assert found[samples[3].name].reason
    assert found[samples[2].name].width == 50
    assert reported[-1] == (5, 5)
    first = json.loads((tmp_path / DETECTIONS).read_text().splitlines()[0])
    assert first["boxes"] == [[4.25, 5.5, 30.0, 34.0]]


@pytest.mark.parametrize("torn", [b"", b'{"name": "Movie_0'])
def test_a_killed_detection_goes_on_where_it_stopped(
    samples: list[Sample], tmp_path: Path, torn: bytes
) -> None:
    whole = tmp_path / "whole"
    cut = tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()
    write_faces(samples, whole, bright())
    lines = (whole / DETECTIONS).read_bytes().splitlines(keepends=True)
    (cut / DETECTIONS).write_bytes(b"".join(lines[:3]) + torn)
    detector = bright()
    write_faces(samples, cut, detector)
    assert (cut / DETECTIONS).read_bytes() == (whole / DETECTIONS).read_bytes()
    assert detector.seen == 1  # of the two frames left one can't be read


def test_crops_have_a_row_each_and_the_rest_a_reason(samples: list[Sample], tmp_path: Path) -> None:
    write_faces(samples, tmp_path, bright())
    crop_all(samples, read_detections(tmp_path), FacesConfig(size=64), tmp_path)
    crops = read_crops(tmp_path)
    assert list(crops.table["status"]) == ["found", "none", "found", "unreadable", "found"]
    assert list(crops.table["row"]) == [0, 1, 2, -1, 3]
    assert crops.table["reason"].notna().sum() == 1
    used = crops.used()
    assert len(used) == 4
    assert crops.images.shape[1:] == (64, 64, 3)
    assert [int(crops.images[row].mean()) for row in used["row"]] == [200, 20, 180, 220]


@pytest.mark.parametrize("torn", ["", '{"name": "Movie_0'])
def test_a_killed_cutting_goes_on_and_cuts_no_crop_twice(
    samples: list[Sample], tmp_path: Path, torn: str
) -> None:
    write_faces(samples, tmp_path, bright())
    detections, config = read_detections(tmp_path), FacesConfig(size=64)
    whole, part = tmp_path / "whole", tmp_path / "part"
    whole.mkdir()
    part.mkdir()
    crop_all(samples, detections, config, whole)

    array = np.lib.format.open_memmap(part / CROPS, "w+", np.uint8, (5, 64, 64, 3))
    array[:2] = read_crops(whole).images[:2]
    array.flush()
    lines = (whole / TABLE).read_text().splitlines(keepends=True)
    (part / TABLE).write_text("".join(lines[:2]) + torn)
    for sample in samples[:2]:
        sample.path.unlink()  # what is cut already is not read again
    crop_all(samples, detections, config, part)
    assert (part / TABLE).read_bytes() == (whole / TABLE).read_bytes()
    assert (part / CROPS).read_bytes() == (whole / CROPS).read_bytes()


@pytest.mark.parametrize(
    ("values", "drawn", "statuses", "rows"),
    [
        ({"no_face": "drop"}, {}, ["found", "none", "found", "unreadable", "found"], [0, -1, 1, -1, 2]),
        ({"extract": False}, {}, [*[NOT_DETECTED] * 3, "unreadable", NOT_DETECTED], [0, 1, 2, -1, 3]),
        (
            {"no_face": "manual", "manual_boxes": "0" * 16},
            {1: (1.0, 2.0, 21.0, 22.0)},
            ["found", "manual", "found", "unreadable", "found"],
            [0, 1, 2, -1, 3],
        ),
    ],
)
def test_policies(
    samples: list[Sample], tmp_path: Path, values: dict, drawn: dict, statuses: list[str], rows: list[int]
) -> None:
    write_faces(samples, tmp_path, bright())
    config = FacesConfig(size=64, **values)
    detections = read_detections(tmp_path) if config.extract else None
    boxes = {samples[index].name: box for index, box in drawn.items()}
    crop_all(samples, detections, config, tmp_path, drawn=boxes)
    table = read_crops(tmp_path).table
    assert list(table["status"]) == statuses
    assert list(table["row"]) == rows
    assert all(tuple(table["box"][index]) == box for index, box in drawn.items())


def test_missing_results_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="Detect faces first"):
        read_detections(tmp_path)
    with pytest.raises(StoreError, match="detection again"):
        read_crops(tmp_path)


def test_batches_are_bounded_by_pixels_as_well_as_by_frames(samples: list[Sample]) -> None:
    def sizes(side: int, count: int) -> list[int]:
        frame = np.broadcast_to(np.uint8(0), (side, side, 3))
        return [len(batch) for batch in batches((samples[0], frame) for _ in range(count))]

    assert sizes(500, 40) == [16, 16, 8]
    assert sizes(4000, 7) == [3, 3, 1]
    assert sizes(7000, 3) == [1, 1, 1]
    assert [len(batch) for batch in batches((one, "unreadable") for one in samples)] == [5]
