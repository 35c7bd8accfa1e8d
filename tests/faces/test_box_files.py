"""Boxes as files: a round trip loses nothing, bad rows are reported, a spreadsheet runs nothing."""

from __future__ import annotations

import csv
import io
import json
import random

import pytest

from fer_core.errors import DataError
from fer_core.faces.box_files import BoxRecord, read_boxes_file, to_coco, to_csv

NAMES = [
    "happy/plain.png",
    '=HYPERLINK("http://a","b").png',
    "+1.png",
    "-dash.png",
    "@at.png",
    "'quoted.png",
    "''twice.png",
    'comma, "and" quote.png',
    "line\nbreak.png",
    "naïve 漢字.png",
]
FRAMES = dict.fromkeys(NAMES, (640, 480))


def records() -> list[BoxRecord]:
    rng = random.Random(4)
    found = []
    for index, name in enumerate(NAMES):
        x1, y1 = round(rng.uniform(0, 300), 2), round(rng.uniform(0, 200), 2)
        box = (x1, y1, round(x1 + rng.uniform(1, 300), 2), round(y1 + rng.uniform(1, 200), 2))
        found.append(BoxRecord(name, box, "=me@example.org" if index % 2 else "", 1.7e9 + index / 8, "-her"))
    return [*found[:-1], BoxRecord(NAMES[-1], (0.0, 0.0, 640.0, 480.0))]


@pytest.mark.parametrize("text", [to_csv(records()), to_coco(records(), FRAMES)], ids=["csv", "coco"])
def test_round_trip(text: str) -> None:
    found = read_boxes_file(text.encode(), FRAMES)
    assert found.problems == ()
    assert list(found.records) == records()


def test_no_cell_is_a_formula() -> None:
    rows = list(csv.reader(io.StringIO(to_csv(records()))))
    assert len(rows) == len(NAMES) + 1
    for row in rows[1:]:
        for cell in (row[0], row[5], row[7]):
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_coco_has_what_tools_ask_for() -> None:
    document = json.loads(to_coco([BoxRecord("happy/plain.png", (10.0, 20.0, 40.5, 60.0))], FRAMES))
    assert document["images"] == [{"id": 1, "file_name": "happy/plain.png", "width": 640, "height": 480}]
    (annotation,) = document["annotations"]
    assert annotation["bbox"] == [10.0, 20.0, 30.5, 40.0]
    assert annotation["area"] == pytest.approx(30.5 * 40.0)
    assert {"id", "image_id", "category_id", "iscrowd"} <= set(annotation)


def test_every_bad_row_is_told_and_the_good_ones_stay() -> None:
    text = """name,x1,y1,x2,y2
happy/plain.png,1,2,30,40
nowhere.png,1,2,30,40
'+1.png,one,2,30,40
'-dash.png,30,2,1,40
'@at.png,nan,2,30,40
''quoted.png,1,2,900,40
happy/plain.png,5,5,9,9
naïve 漢字.png,-0.4,0,640.6,480
"""
    found = read_boxes_file(text.encode(), FRAMES)
    assert [record.name for record in found.records] == ["happy/plain.png", NAMES[-1]]
    assert found.records[1].box == (0.0, 0.0, 640.0, 480.0)
    reported = {place: problem for place, _, problem in found.problems}
    assert list(reported) == [f"line {line}" for line in range(3, 9)]
    assert reported["line 3"].got == "nowhere.png"
    assert "four finite numbers" in reported["line 4"].rule
    assert "x1 < x2" in reported["line 5"].rule
    assert "finite" in reported["line 6"].rule
    assert "640 x 480" in reported["line 7"].rule
    assert "one box" in reported["line 8"].rule
    assert all(problem.fix for *_, problem in found.problems)


@pytest.mark.parametrize(
    ("author", "created", "rule"),
    [
        ("", "0001-01-01", "ISO 8601"),
        ("", "1066-10-14", "ISO 8601"),
        ("", "9999-12-31T23:59:59-12:00", "ISO 8601"),
        ("", "2999-01-01", "ISO 8601"),
        ("x" * 201, "", "author"),
        ("bell \x07", "2026-01-01", "author"),
        ("half \ud800", "", "author"),
    ],
)
def test_absurd_times_and_authors_are_told_and_not_taken(author: str, created: str, rule: str) -> None:
    about = {"attributes": {"author": author, "created": created}}
    coco = {
        "images": [{"id": 1, "file_name": "happy/plain.png"}],
        "annotations": [{"image_id": 1, "bbox": [1, 2, 3, 4], **about}],
    }
    table = f"name,x1,y1,x2,y2,author,created\nhappy/plain.png,1,2,4,6,{author},{created}\n"
    for content in (json.dumps(coco).encode(), table.encode(errors="replace")):
        found = read_boxes_file(content, FRAMES)
        if b"half ?" not in content:
            assert not found.records
            assert rule in found.problems[0][2].rule


def test_coco_of_other_tools_is_read_row_by_row() -> None:
    document = {
        "images": [{"id": "a", "file_name": "happy/plain.png"}],
        "annotations": [
            {"image_id": "a", "bbox": [1, 2, 3, 4]},
            {"image_id": "b", "bbox": [1, 2, 3, 4]},
            {"image_id": "a", "bbox": [1, 2]},
            "nonsense",
            {"image_id": ["a"], "bbox": [1, 2, 3, 4]},
            {"image_id": "a", "bbox": [1, 2.5, 10**400, 4]},
            {"image_id": "a", "bbox": [1, 2, 3, 10**400]},
            {"image_id": "a", "bbox": [1, 2, 3, 4], "attributes": {"created": "yesterday"}},
        ],
    }
    found = read_boxes_file(json.dumps(document).encode(), FRAMES)
    assert [record.box for record in found.records] == [(1.0, 2.0, 4.0, 6.0)]
    assert [place for place, *_ in found.problems] == [f"annotation {n}" for n in range(2, 9)]
    assert "ISO 8601" in found.problems[-1][2].rule


def test_spreadsheets_own_separators_and_marks_are_read() -> None:
    text = "\ufeffname;x1;y1;x2;y2\r\nhappy/plain.png;1.5;2;30;40\r\n"
    assert read_boxes_file(text.encode(), FRAMES).records[0].box == (1.5, 2.0, 30.0, 40.0)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"\xff\xfe\x00", "UTF-8"),
        (b"path,left\na,1\n", "columns name"),
        (b"", "columns name"),
        (b"name,x1,y1,x2,y2\n" + b"a" * 200_000 + b",1,2,3,4\n", "readable as a table"),
        (b"{", "COCO"),
        (b'{"images": 3}', "COCO"),
        (b'{"images": [{}], "annotations": []}', "COCO"),
    ],
)
def test_a_file_of_another_kind_is_refused_whole(content: bytes, rule: str) -> None:
    with pytest.raises(DataError, match=rule):
        read_boxes_file(content, FRAMES)
