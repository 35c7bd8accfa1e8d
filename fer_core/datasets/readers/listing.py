"""From the rows of a list to a data set: what most layouts share once they know where each fact stands."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from fer_core.config.regular_files import read
from fer_core.config.run import CLASSES
from fer_core.datasets.base import Dataset, Problem, Sample
from fer_core.datasets.pictures.parts import Box, in_box
from fer_core.errors import DataError

from .layout import Source
from .meanings.grouping import groups_and_clips, known, persons
from .meanings.labels import LabelMap, is_number, label_map, meaning, numbers_without_map, parse_split
from .text_table import MAX_BYTES


@dataclass(frozen=True)
class Row:
    """One image as a list has it, nothing of it judged yet.

    Attributes:
        where: the file and line, for messages; '' where there is none.
        path: relative to the list's folder, or absolute below it; or the image's own, where `at` is given.
        label, split, group, clip: as written.
        box: the face's in the picture; several rows may have one picture.
        agreement: as `Sample`'s.
        at: where the image lies, if it isn't a file of this path.
    """

    where: str
    path: str
    label: str
    split: str = ""
    group: str = ""
    clip: str = ""
    box: Box | None = None
    agreement: float = 1.0
    at: Path | None = None


class Unusable(Exception):
    """Why a row can't become a sample."""


class NotThere(Unusable):
    """Why a row's image can't be found."""


def assemble(
    source: Source,
    rows: Iterable[Row | Problem],
    *,
    layout: str,
    root: Path,
    usual_map: str | None = None,
    name: str = "",
    what: str = "",
    remarks: Iterable[str] = (),
) -> Dataset:
    """Return the data set of a list; a row that can't become a sample is a problem named after its path or line.

    Reasons are: no such file, outside the folder, a label or split that means none, listed twice (all rows, where
    they contradict each other). Where group or clip is not given, names decide (`grouping.groups_and_clips`).

    Args:
        root: what paths are relative to.
        usual_map: the label map of this layout, where none is declared.
        name: of the data set; the path's unless given.
        what: what the list is called, for messages; `name` unless given.

    Raises:
        DataError: no row is usable, or most labels are numbers and no map says what they mean.
    """
    labels, what = label_map(source.reading.label_map or usual_map), what or name or "A CSV data set"
    problems: list[Problem] = []
    usable: dict[str, list[tuple[Row, Sample]]] = {}
    numbers: list[str] = []
    met = ""
    find = _Finder(root)
    for row in rows:
        if isinstance(row, Problem):
            problems.append(row)
            continue
        try:
            sample = _sample(row, find, labels)
            usable.setdefault(sample.name, []).append((row, sample))
        except Unusable as reason:
            # A row whose image is not there may be a line of any file: nothing of it is repeated.
            met = met or f" ({'' if isinstance(reason, NotThere) else row.path + ': '}{row.where}: {reason})"
            if labels is None and is_number(row.label):
                numbers.append(row.label)
            problems.append(Problem(row.path or row.where, f"{row.where}: {reason}".removeprefix(": ")))
    samples = [found[0][1] for _, found in sorted(usable.items()) if _agree(found, problems)]
    path = source.path.absolute()
    if len(numbers) > len(samples):
        raise numbers_without_map(str(path), numbers[0])
    if not samples:
        raise DataError(
            f"{what} must list at least one image that is there and labelled",
            got=f"none in {path}{met}",
            fix=f"Paths are relative to {root}; --image-root names another folder",
        )
    given = persons([sample.group for sample in samples])
    by_name = groups_and_clips([sample.name for sample in samples], source.reading.group_pattern)
    return Dataset(
        name or path.stem,
        str(path),
        layout,
        root,
        tuple(
            replace(sample, group=person or group, clip=sample.clip or clip)
            for sample, person, (group, clip) in zip(samples, given, by_name, strict=True)
        ),
        tuple(problems),
        label_map=labels.name if labels else None,
        remarks=tuple(remarks),
    )


def _sample(row: Row, find: _Finder, labels: LabelMap | None) -> Sample:
    name = row.path if row.at else find(row.path)
    path = row.at or find.root / name
    if not row.label:
        raise Unusable("no label")
    label, split = meaning(row.label, labels), None
    if isinstance(label, str):
        raise Unusable(label)
    if known(row.split) and not (split := parse_split(row.split)):
        raise Unusable(f"split {row.split!r} is none of train, validation, test, set1, set2")
    if row.box:
        name, path = f"{name}#{','.join(map(str, row.box))}", in_box(path, row.box)
    return Sample(name, path, label, split, row.group, known(row.clip), row.label, row.agreement)


class _Finder:
    """Finds the file that a list's path means, and its name: the path below the root, with forward slashes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names = cache(_by_composed_name)

    def __call__(self, text: str) -> str:
        if not text:
            raise NotThere("no path")
        if "\0" in text:
            raise NotThere("a path with a zero byte")
        try:
            places = [place for each in (text, text.replace("\\", "/")) if (place := self._below(each))]
            if not places:
                raise NotThere("outside the CSV's folder")
            place = next((place for place in places if place.exists()), None)
            place = place or self._otherwise_composed(places[-1]) or places[-1]
            if not place.is_file():
                raise NotThere("a folder or special file" if place.exists() else "no such file")
        except OSError as error:  # a name too long, a folder that may not be entered
            raise NotThere(f"can't be found: {error.strerror}") from error
        return place.relative_to(self.root).as_posix()

    def _below(self, text: str) -> Path | None:
        """Return the place that a path means, None outside of the root. Not resolved: a link may lead anywhere."""
        path = Path(os.path.normpath(text))
        if path.is_absolute():
            path = Path(os.path.relpath(path, os.path.normpath(self.root)))
        return None if path.parts[:1] == ("..",) else self.root / path

    def _otherwise_composed(self, place: Path) -> Path | None:
        """Return the file whose name has the same letters, an é being one character or two (NFC, NFD)."""
        if place.as_posix().isascii():
            return None
        found = self.root
        for part in place.relative_to(self.root).parts:
            real = self._names(found).get(unicodedata.normalize("NFC", part))
            if real is None:
                return None
            found /= real
        return found


def _by_composed_name(folder: Path) -> Mapping[str, str]:
    return (
        {unicodedata.normalize("NFC", one.name): one.name for one in folder.iterdir()}
        if folder.is_dir()
        else {}
    )


def _agree(rows: list[tuple[Row, Sample]], problems: list[Problem]) -> bool:
    """Return whether all rows of one path say the same; what is too much goes to the problems."""
    (first, sample), *others = rows
    if not others:
        return True
    agree = all(other == sample for _, other in others)
    said = ", ".join(
        f"{row.where}: {CLASSES[one.label]} {one.split or ''} {one.group}".rstrip() for row, one in rows
    )
    for row, _ in others if agree else rows:
        words = f"listed again (first in {first.where})" if agree else f"listed with contradictions ({said})"
        problems.append(Problem(sample.name, f"{row.where}: {words}"))
    return agree


def there(folder: Path, *names: str) -> Path | None:
    """Return the first of these files or folders that is there, None where none is."""
    return next((folder / name for name in names if (folder / name).exists()), None)


def text_lines(path: Path) -> list[str]:
    """Return the lines of a small text file.

    Raises:
        DataError: it is no regular file, larger than a list may be, or no UTF-8.
    """
    try:
        return read(path, MAX_BYTES).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError("A list must be UTF-8 text", got=f"other bytes in {path}") from None


def is_folder_with(*names: str) -> Callable[[Source], bool]:
    """Return what recognises a folder by any of these files or folders in it."""
    return lambda source: source.path.is_dir() and there(source.path, *names) is not None
