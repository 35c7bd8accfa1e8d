"""SFEW as a sheet of figures: name, label 1-7, five LPQ and five PHOG principal components a row.

The sheet goes round as .xlsx with two merged header rows and as .csv without them. What is odd in it is
reported as problems and never stops the reading; a row leaves only when it has no name or no label. As a data set it
has rows instead of images, whose frames are not at hand.
"""

import csv
import hashlib
import io
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from fer_core.config.regular_files import read
from fer_core.config.run import CLASSES, KEY_LENGTH
from fer_core.datasets.base import GENERATED_MOVIE, TABLE_LAYOUT, Dataset, Problem, Sample
from fer_core.datasets.sheets import MAX_BYTES, MAX_ROWS, xlsx_rows
from fer_core.errors import DataError

from .layout import Layout, Source
from .meanings.grouping import groups_and_clips
from .meanings.labels import is_number, label_map, meaning

COMPONENTS = 5
Columns = Literal["lpq", "phog", "both"]
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,4}$")


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """A sheet as read.

    Attributes:
        names: one a row, as written, blanks around it removed.
        labels: (N,) intp, indices into `CLASSES`.
        lpq, phog: (N, 5) float64; NaN where the cell holds no number.
        problems: what is odd, row numbers as a spreadsheet counts them.
    """

    names: tuple[str, ...]
    labels: np.ndarray
    lpq: np.ndarray
    phog: np.ndarray
    problems: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """Names without folder, extension and case: what rows and images are joined by."""
        return tuple(stem_of(name) for name in self.names)

    def features(self, columns: Columns) -> np.ndarray:
        """Return the chosen figures of every row: (N, 5 or 10) float64, LPQ first; NaN where missing."""
        parts = {"lpq": [self.lpq], "phog": [self.phog], "both": [self.lpq, self.phog]}[columns]
        return np.concatenate(parts, axis=1)

    def complete(self, columns: Columns) -> np.ndarray:
        """Return the indices of the rows whose chosen figures are all there: (M,) intp."""
        return np.flatnonzero(np.isfinite(self.features(columns)).all(axis=1))

    def fingerprint(self) -> str:
        """Return 16 hex digits over names, labels and figures, in the order of the rows."""
        digest = hashlib.sha256("\n".join(self.names).encode())
        for part in (self.labels.astype("<i8"), self.features("both").astype("<f8")):
            digest.update(part.tobytes())
        return digest.hexdigest()[:KEY_LENGTH]


def read_feature_table(path: Path) -> FeatureTable:
    """Read a sheet.

    Header rows are the leading ones with no figure in them, however many, blank or broken by newlines; where
    they name LPQ and PHOG, those columns count, otherwise LPQ is taken to come first.

    Args:
        path: .xlsx (first sheet) or .csv (comma, semicolon or tab; UTF-8 or Windows-1252).

    Raises:
        DataError: the file can't be read, is of another type, too long or holds no row of figures.
    """
    readers = {".xlsx": xlsx_rows, ".csv": _csv_cells}
    if path.suffix.lower() not in readers or (path.exists() and not path.is_file()):
        raise DataError(
            "A feature table must be a file, .xlsx or .csv",
            got=str(path),
            fix="Save the sheet as one of them",
        )
    try:
        rows = iter(readers[path.suffix.lower()](path))
        cells = list(islice(rows, MAX_ROWS))
        if any(
            map(any, rows)
        ):  # blank ones beyond the limit, which a spreadsheet may leave, are not mentioned
            fix = "Leave out the rows that no image of the data set belongs to, or split the sheet"
            raise DataError(f"A feature table may have {MAX_ROWS:,} rows", got="more", fix=fix)
    except (OSError, csv.Error) as error:
        raise DataError(
            "A feature table must be readable",
            got=f"{path.name}: {getattr(error, 'strerror', None) or error}",
            fix="Open it in a spreadsheet and save it again",
        ) from error
    first = next((index for index, row in enumerate(cells) if _is_data(row)), None)
    if first is None or not any(map(_is_sample, cells[first:])):
        raise DataError(
            "A feature table must have rows of name, label 1-7, 5 LPQ and 5 PHOG figures",
            got=f"{path.name}: no such row",
            fix="Check that it is the right sheet, and the first one of its file; a list of images: save it as CSV",
        )
    lpq, phog = _columns(cells[:first])
    return _assemble(cells, first, lpq, phog)


def join(table: FeatureTable, samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray]:
    """Match rows with images by stem; a stem listed more than once also by label.

    Returns:
        rows and samples: (M,) intp, indices that belong together, by rising row.
    """
    images: dict[str, list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        images[stem_of(sample.name)].append(index)
    counts = Counter(table.stems)
    pairs: list[tuple[int, int]] = []
    for row, stem in enumerate(table.stems):
        found = images.get(stem, [])
        if counts[stem] > 1 or len(found) > 1:
            found = [index for index in found if samples[index].label == table.labels[row]]
        if len(found) == 1:
            pairs.append((row, found[0]))
    rows, joined = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    return rows, joined


def stem_of(name: str) -> str:
    """Return a name without folder, case and what looks like an extension: SFEW's sheet has .mat for its .png."""
    return _EXTENSION.sub("", PurePosixPath(name.strip().replace("\\", "/")).name).casefold()


def _csv_cells(path: Path) -> Iterator[list[str]]:
    content = read(path, MAX_BYTES)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    delimiter = max(",;\t", key=text.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return ([value.strip() for value in row] for row in rows)


def _number(cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _figures(row: list[str]) -> int:
    return sum(math.isfinite(_number(cell)) for cell in row[2:])


def _is_data(row: list[str]) -> bool:
    return len(row) >= 2 and bool(row[0]) and (is_number(row[1]) or _figures(row) >= COMPONENTS)


def _is_sample(row: list[str]) -> bool:
    """Return whether a row is whole; a table without one is no such table, and nothing of it is repeated."""
    return (
        _is_data(row) and isinstance(meaning(row[1], label_map("sfew")), int) and _figures(row) >= COMPONENTS
    )


def _columns(header: list[list[str]]) -> tuple[int, int]:
    """Return the first LPQ and the first PHOG column; a merged title stands over its first column."""
    places: dict[str, int] = {}
    for row in header:
        for index, cell in enumerate(row):
            for word in ("lpq", "phog"):
                if word in cell.casefold() and index >= 2:
                    places[word] = min(index, places.get(word, index))
    lpq, phog = places.get("lpq", 2), places.get("phog", 2 + COMPONENTS)
    return (lpq, phog) if abs(lpq - phog) >= COMPONENTS else (2, 2 + COMPONENTS)


def _assemble(cells: list[list[str]], first: int, lpq: int, phog: int) -> FeatureTable:
    rows: list[tuple[str, int, list[float]]] = []
    problems: list[Problem] = []
    labels_of: dict[str, set[int]] = defaultdict(set)
    for number, row in enumerate(cells[first:], start=first + 1):
        if not any(row):
            continue
        name, code, *_ = padded = [*row, *[""] * (max(lpq, phog) + COMPONENTS)]
        label = meaning(code, label_map("sfew"))
        if not name or isinstance(label, str):
            lack = f"label {code!r} is none of 1-7" if name else "it has no name"
            problems.append(Problem(name or f"row {number}", f"row {number}: left out, {lack}"))
            continue
        if label in labels_of[stem_of(name)]:
            problems.append(Problem(name, f"row {number}: left out, listed before with the same label"))
            continue
        labels_of[stem_of(name)].add(label)
        figures: list[float] = []
        rows.append((name, label, figures))
        for title, start in (("LPQ", lpq), ("PHOG", phog)):
            texts = padded[start : start + COMPONENTS]
            figures += map(_number, texts)
            if missing := [text for text in texts if math.isnan(_number(text))]:
                lack = f"no number in {len(missing)} of {COMPONENTS} {title} cells ({missing[0]!r})"
                problems.append(Problem(name, f"row {number}: {lack}"))
    for stem, found in labels_of.items():
        if len(found) > 1:
            listed = " and ".join(CLASSES[label] for label in sorted(found))
            problems.append(Problem(stem, f"listed as {listed}; rows and images are matched by label"))
    table = np.array([figures for *_, figures in rows], dtype=np.float64).reshape(-1, 2 * COMPONENTS)
    names, labels = tuple(name for name, *_ in rows), np.array([label for _, label, _ in rows], dtype=np.intp)
    return FeatureTable(names, labels, table[:, :COMPONENTS], table[:, COMPONENTS:], tuple(problems))


LAYOUT = TABLE_LAYOUT


def row_names(table: FeatureTable) -> list[str]:
    """Return a name a row that no other has: a stem listed under two labels gets the label behind it."""
    counts = Counter(table.stems)
    return [
        f"{name} ({CLASSES[int(label)]})" if counts[stem] > 1 else name
        for name, stem, label in zip(table.names, table.stems, table.labels, strict=True)
    ]


def _read_table_rows(source: Source) -> Dataset:
    """Read a sheet of LPQ and PHOG components as a data set; its films are the groups, its labels are 1-7.

    It counts as generated when all its rows are of movies that this project invented.
    """
    path = source.path
    table = read_feature_table(path)
    names = [name.replace("\\", "/") for name in table.names]
    known = groups_and_clips(names, source.reading.group_pattern)
    samples = [
        Sample(name, path.absolute(), int(label), None, group, clip)
        for name, label, (group, clip) in zip(row_names(table), table.labels, known, strict=True)
    ]
    samples.sort(key=lambda sample: sample.name)
    drawn = all(group.startswith(GENERATED_MOVIE) for group, _ in groups_and_clips(names))
    return Dataset(
        path.name, str(path.absolute()), LAYOUT, path.parent, tuple(samples), table.problems, drawn
    )


TABLE = Layout(lambda source: source.path.suffix.lower() == ".xlsx", _read_table_rows)
