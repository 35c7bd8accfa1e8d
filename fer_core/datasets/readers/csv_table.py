"""A table that lists images: path, label and, where known, split, group and clip."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fer_core.config.regular_files import read
from fer_core.config.run import CLASSES
from fer_core.datasets.base import Dataset, Problem, Sample
from fer_core.errors import DataError

from .grouping import groups_and_clips
from .image_folder import parse_split
from .labels import is_number, parse_label
from .layout import Layout, Source

#: What a column may be called, case aside, the first present counts.
COLUMNS: dict[str, tuple[str, ...]] = {
    "path": ("path", "file", "filename", "image", "image_path", "image_name", "name"),
    "label": ("label", "emotion", "expression", "class"),
    "split": ("split", "set", "subset", "usage", "original_split"),
    "group": ("group", "movie", "person", "subject"),
    "clip": ("clip",),
}

#: Larger files are no list of images.
MAX_BYTES = 256 * 2**20

_DELIMITERS = ",;\t|"


class _Unusable(Exception):
    """Why a row can't become a sample."""


def read_csv(source: Source) -> Dataset:
    """Read a manifest: UTF-8 (with or without BOM), a header line, comma, semicolon, tab or | between cells.

    Columns are found by name (`COLUMNS`) in any order, others are ignored. Paths are relative to the CSV's
    folder, or absolute below it. Where group or clip is not given, names decide (`grouping.groups_and_clips`).
    A row that can't become a sample is a problem named after its path or line: no such file, outside the
    folder, unknown label or split, listed twice (all rows, where they contradict each other).

    Raises:
        DataError: no such file, not a table of UTF-8 text, no path or label column, no usable row, numeric
            labels without label codes.
    """
    path = source.path.absolute()
    problems: list[Problem] = []
    usable: dict[str, list[tuple[int, Sample]]] = {}  # by name, with the line where the row ends
    for line, cells in _rows(path):
        try:
            sample = _sample(cells, path.parent, source.label_codes)
            usable.setdefault(sample.name, []).append((line, sample))
        except _Unusable as reason:
            problems.append(Problem(cells["path"] or f"line {line}", f"line {line}: {reason}"))
    samples = [rows[0][1] for name, rows in sorted(usable.items()) if _agree(rows, problems)]
    if not samples:
        raise DataError(
            "A CSV data set must list at least one image that is there and labelled",
            got=f"none in {path}" + (f" ({problems[0].name}: {problems[0].reason})" if problems else ""),
            fix="Paths are relative to the CSV's folder",
        )
    known = groups_and_clips([sample.name for sample in samples], source.group_pattern)
    filled = (
        replace(sample, group=sample.group or group, clip=sample.clip or clip)
        for sample, (group, clip) in zip(samples, known, strict=True)
    )
    return Dataset(path.stem, str(path), "csv", path.parent, tuple(filled), tuple(problems))


CSV = Layout(lambda source: source.path.is_file(), read_csv)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row that is not blank: the line where it ends, counted from 1, and its cells by `COLUMNS`."""
    text = _text(path)
    header = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(_DELIMITERS, key=header.count))
    places: dict[str, int] | None = None
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if places is None:
                places = _places(cells, path)
                continue
            yield (
                reader.line_num,
                {
                    column: cells[places[column]] if places.get(column, len(cells)) < len(cells) else ""
                    for column in COLUMNS
                },
            )
    except csv.Error as error:
        raise DataError(
            "A CSV data set must be a table of text", got=f"{path}, line {reader.line_num}: {error}"
        ) from error
    if places is None:
        raise DataError("A CSV data set must have a header line", got=f"an empty file, {path}")


def _text(path: Path) -> str:
    rule = "A data set's path must be a folder or a CSV file"
    if not path.is_file():
        raise DataError(rule, got=f"no file {path}", fix="Check its spelling and that it exists")
    data = read(path, MAX_BYTES)
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise DataError(
            "A CSV data set must be UTF-8 text", got=f"other bytes in {path}", fix="Save it as 'CSV UTF-8'"
        ) from None


def _places(header: list[str], path: Path) -> dict[str, int]:
    names = [re.sub(r"\s+", "_", cell.casefold()) for cell in header]
    places = {
        column: names.index(found)
        for column, known in COLUMNS.items()
        if (found := next((name for name in known if name in names), None)) is not None
    }
    for column in ("path", "label"):
        if column not in places:
            raise DataError(
                f"A CSV data set must have a {column} column ({', '.join(COLUMNS[column])})",
                got=f"none in {path}",  # never its cells: it may be any file of the host
                fix="Name it in the first line",
            )
    return places


def _sample(cells: dict[str, str], root: Path, codes: str | None) -> Sample:
    name, label, split = _name(cells["path"], root), cells["label"], None
    if not label:
        raise _Unusable("no label")
    index = parse_label(label, codes=codes)
    if index is None:
        outside = f"label {label!r} is outside the codes {codes}"
        raise _Unusable(outside if is_number(label) else f"unknown label {label!r}")
    if cells["split"] and not (split := parse_split(cells["split"])):
        raise _Unusable(f"split {cells['split']!r} is none of train, validation, test, set1, set2")
    return Sample(name, root / name, index, split, cells["group"], cells["clip"])


def _name(text: str, root: Path) -> str:
    """Return the sample's name: the path below the folder, with forward slashes."""
    if not text:
        raise _Unusable("no path")
    if "\0" in text:
        raise _Unusable("a path with a zero byte")
    # Not resolved: a link in the folder may lead anywhere.
    places = [Path(os.path.normpath(root / each)) for each in (text, text.replace("\\", "/"))]
    try:
        place = next((place for place in places if place.exists()), places[-1])
        if not place.is_relative_to(root):
            raise _Unusable("outside the CSV's folder")
        if not place.is_file():
            raise _Unusable("a folder or special file" if place.exists() else "no such file")
    except OSError as error:  # a name too long, a folder that may not be entered
        raise _Unusable(f"can't be found: {error.strerror}") from error
    return place.relative_to(root).as_posix()


def _agree(rows: list[tuple[int, Sample]], problems: list[Problem]) -> bool:
    """Return whether all rows of one path say the same; what is too much goes to the problems."""
    (first, sample), *others = rows
    if not others:
        return True
    agree = all(other == sample for _, other in others)
    said = ", ".join(
        f"line {line}: {CLASSES[one.label]} {one.split or ''} {one.group}".rstrip() for line, one in rows
    )
    for line, _ in others if agree else rows:
        words = f"listed again (first in line {first})" if agree else f"listed with contradictions ({said})"
        problems.append(Problem(sample.name, f"line {line}: {words}"))
    return agree
