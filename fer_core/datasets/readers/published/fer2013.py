"""FER2013 (Goodfellow et al. 2013) as its table of pixels: emotion, pixels, Usage; and FERPlus's votes on it.

Images stay in the table: each is read from its row when it is needed. FERPlus (Barsoum et al. 2016) has ten people's
votes an image in fer2013new.csv, row by row as FER2013; the class is the one with most votes.
"""

from collections.abc import Iterator
from pathlib import Path

from fer_core.config.regular_files import opened
from fer_core.datasets.base import Dataset, Problem
from fer_core.datasets.pictures.image_files import has_image_suffix, walk
from fer_core.datasets.pictures.parts import in_row
from fer_core.datasets.readers.layout import Layout, Source
from fer_core.datasets.readers.listing import Row, assemble, there
from fer_core.datasets.readers.text_table import read_table
from fer_core.errors import DataError

_PIXELS = ("fer2013.csv", "icml_face_data.csv")
_VOTES = "fer2013new.csv"

#: Bytes of a table of pixels: FER2013's has a third.
MOST_BYTES = 1 << 30


def _pixels(path: Path) -> Path | None:
    """Return the table of pixels that a path is or a folder holds."""
    table = path if path.is_file() else there(path, *_PIXELS)
    if table is None or table.suffix.lower() != ".csv":
        return None
    with opened(table, MOST_BYTES) as file:
        titles = _cells(file.readline(1000))
    return table if {"emotion", "pixels"} <= set(titles) else None


def _cells(line: bytes) -> list[str]:
    return [cell.strip(' "\r\n').casefold() for cell in line.decode("utf-8-sig", "replace").split(",")]


def _rows(table: Path) -> Iterator[Row]:
    """Yield each image of a table of pixels; only where its row lies is kept."""
    with opened(table, MOST_BYTES) as file:
        titles = _cells(file.readline())
        label, usage = titles.index("emotion"), titles.index("usage") if "usage" in titles else None
        offset = file.tell()
        for number, line in enumerate(file, 1):
            cells = _cells(line)
            if len(cells) == len(titles):
                split = cells[usage] if usage is not None else ""
                name = f"{split or 'image'}/{number:05d}"
                yield Row(
                    f"line {number + 1}",
                    name,
                    cells[label],
                    split,
                    at=in_row(table, offset, len(line.rstrip())),
                )
            elif line.strip():
                yield Row(f"line {number + 1}", "", "")
            offset += len(line)


def _read(source: Source) -> Dataset:
    table = _pixels(source.path.absolute())
    if table is None:
        raise DataError("FER2013 must be a CSV with the columns emotion, pixels", got=str(source.path))
    rows, root = _rows(table), table.parent
    return assemble(source, rows, layout="fer2013", root=root, usual_map="fer2013", what="FER2013")


FER2013 = Layout(lambda source: _pixels(source.path) is not None, _read)


def _votes(path: Path) -> Path | None:
    table = path if path.is_file() else there(path, _VOTES)
    return table if table is not None and table.name == _VOTES else None


def _read_votes(source: Source) -> Dataset:
    path = _votes(source.path.absolute())
    if path is None:
        raise DataError(f"FERPlus must be a folder with {_VOTES}, or that file", got=str(source.path))
    root, pixels = path.parent, there(path.parent, *_PIXELS)
    images = {} if pixels else {file.name: name for name, file in walk(root, [])}
    table = read_table(path)
    classes = ["no-face" if title.casefold() == "nf" else title for title in table.first[2:]]

    def rows() -> Iterator[Row | Problem]:
        drawn = _rows(pixels) if pixels else iter(())
        for line, cells in table.rest:
            at, where = next(drawn, None), f"line {line}"
            usage, name, *given = [*cells, *[""] * (2 + len(classes) - len(cells))]
            votes = [int(vote) if vote.isdecimal() else 0 for vote in given[: len(classes)]]
            most = max(votes)
            file = name if has_image_suffix(name) else f"{usage}/{name or where}"
            if not most or votes.count(most) > 1:
                reason = "the annotators' votes are tied" if most else "no annotator's vote"
                yield Problem(file, f"{where}: {reason}")
                continue
            label = classes[votes.index(most)]
            named = images.get(name, name) or where
            path_of_row = at.at if at else None
            yield Row(where, named, label, usage, agreement=most / sum(votes), at=path_of_row)

    said = "The class is the one with most of the annotators' votes; ties are left out"
    return assemble(source, rows(), layout="ferplus", root=root, name="FERPlus", remarks=[said])


FERPLUS = Layout(lambda source: _votes(source.path) is not None, _read_votes)
