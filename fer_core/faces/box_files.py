"""Hand-drawn boxes as CSV and as COCO JSON, written and read back; what can't be used is reported, not dropped."""

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fer_core.errors import DataError
from fer_core.storage.values import armed, defused, line_problem, moment_problem

from .crops import Box

COLUMNS = ("name", "x1", "y1", "x2", "y2", "author", "created", "note")

#: Digits of a pixel that survive a file: enough that corner + side gives the other corner back.
DIGITS = 6

#: Pixels by which a box may stick out of its frame and still count as rounding.
SLACK = 1.0


@dataclass(frozen=True)
class BoxRecord:
    """One hand-drawn box.

    Attributes:
        name: the frame's name in its data set.
        box: (x1, y1, x2, y2) in source pixels, x1 < x2, y1 < y2.
        author: who drew it; empty where unknown.
        created: when, seconds since 1970; None where unknown.
        note: who it shows, or what; may be empty.
    """

    name: str
    box: Box
    author: str = ""
    created: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Imported:
    """What a file held: the boxes that can be used and, for each other row, its place, its frame and why it can't."""

    records: tuple[BoxRecord, ...]
    problems: tuple[tuple[str, str, DataError], ...]


def to_csv(records: Iterable[BoxRecord]) -> str:
    """Return boxes as CSV with the header `COLUMNS`; names that a spreadsheet would run are defused."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for record in records:
        corners = (repr(round(value, DIGITS)) for value in record.box)
        said = defused(record.author), _moment(record.created), defused(record.note)
        writer.writerow([defused(record.name), *corners, *said])
    return buffer.getvalue()


def to_coco(records: Iterable[BoxRecord], frames: Mapping[str, tuple[int, int]]) -> str:
    """Return boxes as COCO detection JSON with the one category 'face'.

    Who drew a box, when, and its note stand in its annotation's `attributes`, as CVAT writes them.

    Args:
        frames: (width, height) by name; 0 x 0 is written for a frame that is not in it.
    """
    images, annotations = [], []
    for number, record in enumerate(records, start=1):
        width, height = frames.get(record.name, (0, 0))
        images.append({"id": number, "file_name": record.name, "width": width, "height": height})
        x1, y1, x2, y2 = record.box
        wide, high = round(x2 - x1, DIGITS), round(y2 - y1, DIGITS)
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "bbox": [round(x1, DIGITS), round(y1, DIGITS), wide, high],
                "area": wide * high,
                "iscrowd": 0,
                "attributes": {
                    "author": record.author,
                    "created": _moment(record.created),
                    "note": record.note,
                },
            }
        )
    categories = [{"id": 1, "name": "face", "supercategory": "person"}]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories}, indent=1)


def read_boxes_file(content: bytes, frames: Mapping[str, tuple[int, int]]) -> Imported:
    """Read boxes from a CSV or COCO JSON file.

    Args:
        content: the file; JSON when its first sign is a brace, else CSV, in UTF-8.
        frames: (width, height) of every frame that a box may be drawn on, by name.

    Raises:
        DataError: the file as a whole is neither.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            "a file of boxes must be text in UTF-8", got=str(error), fix="Save it as UTF-8"
        ) from error
    rows = _coco_rows(text) if text.lstrip().startswith("{") else _csv_rows(text)
    records: dict[str, BoxRecord] = {}
    problems = []
    for place, name, values in rows:
        try:
            record = _checked(name, values, frames)
            if name in records:
                raise DataError("a frame has one box", got=name, fix="Keep the right one of its rows")
            records[name] = record
        except DataError as error:
            problems.append((place, name, error))
    return Imported(tuple(records.values()), tuple(problems))


def _csv_rows(text: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    missing = [column for column in COLUMNS[:5] if column not in (reader.fieldnames or ())]
    if missing:
        raise DataError(
            f"a CSV of boxes must have the columns {', '.join(COLUMNS[:5])}",
            got=f"none called {', '.join(missing)}",
            fix="Give it that header, or export one to see the form",
        )
    try:
        for row in reader:
            name = armed(row["name"] or "")
            corners = [(row[column] or "").replace("−", "-") for column in COLUMNS[1:5]]
            said = {column: armed(row.get(column) or "") for column in COLUMNS[5:]}
            yield f"line {reader.line_num}", name, {"corners": corners, **said}
    except csv.Error as error:
        raise DataError(
            "a CSV of boxes must be readable as a table", got=f"line {reader.line_num}: {error}"
        ) from error


def _coco_rows(text: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    try:
        document = json.loads(text)
        names = {image["id"]: str(image["file_name"]) for image in document["images"]}
        annotations = list(document["annotations"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            "COCO JSON must have 'images' with id and file_name, and 'annotations'",
            got=f"{type(error).__name__}: {error}",
            fix="Export boxes once to see the form",
        ) from error
    for number, annotation in enumerate(annotations, start=1):
        entry = annotation if isinstance(annotation, dict) else {}
        image, box, about = (entry.get(key) for key in ("image_id", "bbox", "attributes"))
        corners = box if isinstance(box, list) else []
        if len(corners) == 4 and all(isinstance(value, int | float) for value in corners):
            with suppress(OverflowError):  # a whole number too large for a float: `_checked` says so
                x, y, wide, high = map(float, corners)
                corners = [x, y, round(x + wide, DIGITS), round(y + high, DIGITS)]
        named = names.get(image, "") if isinstance(image, str | int) else ""
        said = {key: str(about.get(key, "")) if isinstance(about, dict) else "" for key in COLUMNS[5:]}
        yield f"annotation {number}", named, {"corners": corners, **said}


def _checked(name: str, values: Mapping[str, Any], frames: Mapping[str, tuple[int, int]]) -> BoxRecord:
    if name not in frames:
        raise DataError("the frame must be in the data set and readable", got=name, fix="Correct its name")
    corners = values["corners"]
    try:
        x1, y1, x2, y2 = (float(value) for value in corners)
    except (TypeError, ValueError, OverflowError):
        x1 = y1 = x2 = y2 = math.nan
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        raise DataError(
            "a box is four finite numbers", got=corners, fix="Write pixels with a point, no units"
        )
    if not (x1 < x2 and y1 < y2):
        raise DataError("x1 < x2 and y1 < y2", got=(x1, y1, x2, y2), fix="Swap the corners")
    width, height = frames[name]
    if x1 < -SLACK or y1 < -SLACK or x2 > width + SLACK or y2 > height + SLACK:
        rule = f"the box must lie inside its frame of {width} x {height} pixels"
        raise DataError(rule, got=(x1, y1, x2, y2), fix="Check that it was drawn on this size of the frame")
    box = max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))
    for what in ("author", "note"):
        if problem := line_problem(values[what]):
            raise DataError(f"{what}: {problem}", got=values[what], fix="Shorten it, or leave it empty")
    return BoxRecord(name, box, values["author"], _seconds(values["created"]), values["note"])


def _moment(created: float | None) -> str:
    if created is None or math.isnan(created):
        return ""
    return datetime.fromtimestamp(created, UTC).isoformat(timespec="microseconds")


def _seconds(text: str) -> float | None:
    if not text:
        return None
    rule, fix = "a time is ISO 8601", "Write 2026-03-01T12:00:00+00:00, or leave it empty"
    try:
        moment = datetime.fromisoformat(text)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise DataError(rule, got=text, fix=fix) from None
    if problem := moment_problem(seconds):
        raise DataError(f"{rule}, {problem}", got=text, fix=fix)
    return seconds
