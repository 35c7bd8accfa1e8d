"""A table that lists images: path, label and, where known, split, group and clip."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fer_core.datasets.base import Dataset, Problem, Sample
from fer_core.errors import DataError

from .grouping import groups_and_clips
from .image_folder import parse_split
from .labels import first_code, is_number, parse_label

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


@dataclass(frozen=True, slots=True)
class _Row:
    """One line's cells; `line` is where it ends in the file, counted from 1."""

    line: int
    path: str
    label: str
    split: str
    group: str
    clip: str


def read_csv(
    path: Path, *, label_codes: str | None = None, group_pattern: str | None = None, layout: str = "csv"
) -> Dataset:
    """Read a manifest: UTF-8 (with or without BOM), a header line, comma, semicolon, tab or | between cells.

    Columns are found by name (`COLUMNS`) in any order, others are ignored. Paths are relative to the CSV's
    folder, or absolute below it. Where group or clip is not given, names tell (`grouping.groups_and_clips`).
    A row that can't become a sample is a problem named after its path or line: no such file, outside the
    folder, unknown label or split, listed twice (all rows, where they contradict each other).

    Raises:
        DataError: no such file, not a table of UTF-8 text, no path or label column, no usable row, numeric
            labels without `label_codes`.
    """
    first_code(label_codes)
    path = path.absolute()
    root = path.parent
    problems: list[Problem] = []
    usable: dict[str, list[tuple[_Row, Sample]]] = {}
    for row in _rows(path):
        name, reason = _name(row, root)
        label = None
        if not reason:
            label, reason = _label(row, label_codes)
        split = parse_split(row.split) if row.split else None
        if not reason and row.split and split is None:
            reason = f"split {row.split!r} is none of train, validation, test, set1, set2"
        if label is None or reason:
            problems.append(Problem(row.path or f"line {row.line}", f"line {row.line}: {reason}"))
            continue
        sample = Sample(name, root / name, label, split, row.group, row.clip)
        usable.setdefault(name, []).append((row, sample))
    samples = [kept for rows in usable.values() if (kept := _only(rows, problems)) is not None]
    if not samples:
        raise DataError(
            "A CSV data set must list at least one image that is there and labelled",
            got=f"none in {path}" + (f" ({problems[0].name}: {problems[0].reason})" if problems else ""),
            fix="Paths are relative to the CSV's folder",
        )
    return Dataset(
        name=path.stem,
        source=str(path),
        layout=layout,
        root=root,
        samples=tuple(_with_groups(sorted(samples, key=lambda sample: sample.name), group_pattern)),
        problems=tuple(problems),
    )


def _rows(path: Path) -> Iterator[_Row]:
    text = _text(path)
    lines = text.splitlines()
    header = next((line for line in lines if line.strip()), "")
    delimiter = max(_DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    places: dict[str, int] | None = None
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if places is None:
                places = _places(cells, path)
                continue
            found = {column: cells[place] if place < len(cells) else "" for column, place in places.items()}
            yield _Row(reader.line_num, **{column: found.get(column, "") for column in COLUMNS})
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
    if path.stat().st_size > MAX_BYTES:
        raise DataError(rule, got=f"{path}, larger than {MAX_BYTES // 2**20} MB")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(rule, got=f"{path} ({error.strerror})") from error
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            "A CSV data set must be UTF-8 text", got=f"{path}: {error}", fix="Save it as 'CSV UTF-8'"
        ) from error


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
                got=f"the columns {', '.join(header)} in {path}",
                fix="Name it in the first line",
            )
    return places


def _name(row: _Row, root: Path) -> tuple[str, str]:
    """Return the sample's name, or '' and why there is none."""
    if not row.path:
        return "", "no path"
    if "\0" in row.path:
        return "", "a path with a zero byte"
    # Not resolved: a link in the folder may lead anywhere.
    places = [Path(os.path.normpath(root / text)) for text in (row.path, row.path.replace("\\", "/"))]
    try:
        place = next((place for place in places if place.exists()), places[-1])
        if not place.is_relative_to(root):
            return "", "outside the CSV's folder"
        if not place.is_file():
            return "", "a folder or special file" if place.exists() else "no such file"
    except OSError as error:  # a name too long, a folder that may not be entered
        return "", f"can't be found: {error.strerror}"
    return place.relative_to(root).as_posix(), ""


def _label(row: _Row, codes: str | None) -> tuple[int | None, str]:
    if not row.label:
        return None, "no label"
    label = parse_label(row.label, codes=codes)
    if label is not None:
        return label, ""
    if is_number(row.label):
        return None, f"label {row.label!r} is outside the codes {codes}"
    return None, f"unknown label {row.label!r}"


def _only(rows: list[tuple[_Row, Sample]], problems: list[Problem]) -> Sample | None:
    """Return the sample that all rows of one path agree on; what is too much goes to the problems."""
    first_row, first = rows[0]
    if any(sample != first for _, sample in rows[1:]):
        said = ", ".join(f"line {row.line}: {row.label} {row.split} {row.group}".rstrip() for row, _ in rows)
        for row, _ in rows:
            problems.append(Problem(first.name, f"line {row.line}: listed with contradictions ({said})"))
        return None
    for row, _ in rows[1:]:
        problems.append(
            Problem(first.name, f"line {row.line}: listed again (first in line {first_row.line})")
        )
    return first


def _with_groups(samples: list[Sample], pattern: str | None) -> Iterator[Sample]:
    """Fill in what the table leaves out from the names."""
    told = groups_and_clips([sample.name for sample in samples], pattern)
    for sample, (group, clip) in zip(samples, told, strict=True):
        yield Sample(
            sample.name, sample.path, sample.label, sample.split, sample.group or group, sample.clip or clip
        )
