"""A table that lists images: path, label and, where known, split, group, clip and the face's box."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fer_core.config.reading import Reading, pairs
from fer_core.config.run import CLASSES
from fer_core.datasets.base import Dataset, Problem
from fer_core.datasets.pictures.image_files import has_image_suffix
from fer_core.datasets.pictures.parts import Box
from fer_core.errors import DataError

from .layout import Layout, Source
from .listing import Row, assemble
from .meanings.labels import is_number, meaning, parse_split, plain
from .text_table import TextTable, read_table

#: What a column may be called, case aside, the first present counts.
COLUMNS: dict[str, tuple[str, ...]] = {
    "path": (
        *("path", "file", "filename", "image", "image_path", "image_name", "name", "file_name", "file_path"),
        *("filepath", "img", "img_path", "img_name", "subdirectory_filepath"),
    ),
    "label": ("label", "emotion", "expression", "class", "labels", "emotion_label", "category"),
    "split": ("split", "set", "subset", "usage", "original_split", "partition"),
    "group": (
        *("group", "movie", "person", "subject", "subject_id", "person_id", "participant", "participant_id"),
        *("actor", "actor_id", "identity", "speaker", "speaker_id"),
    ),
    "clip": ("clip",),
}

#: Columns that together are a face's box: x1, y1, x2, y2, or x, y, width, height.
CORNERS = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), ("left", "top", "right", "bottom"))
SIDES = (
    ("face_x", "face_y", "face_width", "face_height"),
    ("x", "y", "w", "h"),
    ("x", "y", "width", "height"),
)


#: Why a face's row is left out.
NO_BOX = "its box spans nothing"


@dataclass(frozen=True)
class Places:
    """Where in a row each fact stands.

    Attributes:
        columns: of those in `COLUMNS` that are there.
        box: four places, or none; `sides` where the last two are width and height.
        titles: what each column is called; numbers from 1 where there is no header.
    """

    columns: dict[str, int]
    box: tuple[int, ...]
    sides: bool
    titles: tuple[str, ...]

    def remarks(self) -> Iterator[str]:
        """Yield what people should know of the columns."""
        if "group" in self.columns:
            yield f"Persons or movies are those of the column {self.titles[self.columns['group']]!r}"
        used = {*self.columns.values(), *self.box}
        left = [title for place, title in enumerate(self.titles) if place not in used]
        if left:
            fold = " (folds are drawn by the protocol)" if "fold" in left else ""
            yield f"Columns that are not used: {', '.join(left)}{fold}"


def read_csv(source: Source, *, boxes: bool = True) -> Dataset:
    """Read a manifest (`text_table.read_table`) whose columns are found by name (`COLUMNS`) in any order.

    Paths are relative to the CSV's folder, or absolute below it; `image_root` names another folder. A list without a
    header is read where its first row is an image and a label.

    Args:
        boxes: whether, where there are columns of a face's box, what the box shows is the image.

    Raises:
        DataError: no such file, not a table of UTF-8 text, no path or label column, no usable row, numeric
            labels without a label map.
    """
    path = source.path.absolute()
    root = (
        Path(source.reading.image_root).expanduser().absolute() if source.reading.image_root else path.parent
    )
    table = read_table(path)
    places, rows = where_facts_stand(table, source.reading)
    places = places if boxes else replace(places, box=())
    return assemble(source, listed(rows, places), layout="csv", root=root, remarks=places.remarks())


CSV = Layout(lambda source: source.path.is_file(), read_csv)


def where_facts_stand(table: TextTable, reading: Reading) -> tuple[Places, Iterator[tuple[int, list[str]]]]:
    """Return where each fact stands in a table, and the rows that hold them.

    Raises:
        DataError: no column holds paths or labels, or a declared one is not there. It repeats no cell of the file.
    """
    names = [re.sub(r"\s+", "_", plain(cell)) for cell in table.first]
    columns = {
        column: names.index(found)
        for column, known in COLUMNS.items()
        if (found := next((name for name in known if name in names), None)) is not None
    }
    header = "path" in columns or "label" in columns
    if not header and (columns := _without_header(table.first)):
        names = [str(number) for number in range(1, len(names) + 1)]  # it has an image's facts, no titles
    for column, title in pairs(reading.columns or "").items():
        wanted = re.sub(r"\s+", "_", plain(title))
        number = int(wanted) - 1 if wanted.isdecimal() else -1
        place = names.index(wanted) if wanted in names else number
        if column not in COLUMNS or not 0 <= place < len(names):
            raise DataError(
                f"Columns must be declared as {', '.join(COLUMNS)} = a column of the table",
                got=f"{column}={title}, which is no column of {table.path}",
                fix="For example --columns path=img,label=emo; columns without a title are numbered from 1",
            )
        header, columns[column] = header or place != number, place
    for column in ("path", "label"):
        if column not in columns:
            raise DataError(
                f"A CSV data set must have a {column} column ({', '.join(COLUMNS[column])})",
                got=f"none in {table.path}",  # never its cells: it may be any file of the host
                fix=f"Name it in the first line, or declare which it is: --columns {column}=TITLE",
            )
    box = next((four for four in (*CORNERS, *SIDES) if set(four) <= set(names)), ())
    places = Places(columns, tuple(names.index(name) for name in box), box in SIDES, tuple(names))
    return places, table.rest if header else table.all_rows()


def listed(
    rows: Iterator[tuple[int, list[str]]],
    places: Places,
    *,
    file: str = "",
    folder: str = "",
    split: str = "",
) -> Iterator[Row | Problem]:
    """Yield the rows of a table as a list has them.

    Args:
        file: what messages call the table, where there are several.
        folder: what paths begin with, with a slash behind it.
        split: that of rows that name none.
    """
    for line, cells in rows:
        said = {
            column: cells[place] if (place := places.columns.get(column, len(cells))) < len(cells) else ""
            for column in COLUMNS
        }
        path = folder + said["path"] if said["path"] else ""
        where = f"{file} line {line}".strip()
        edges = [cells[place] for place in places.box if place < len(cells)]
        box = box_of(edges, sides=places.sides)
        if any(edges) and box is None:
            yield Problem(path or where, f"{where}: {NO_BOX}")
            continue
        yield Row(where, path, said["label"], said["split"] or split, said["group"], said["clip"], box)


def box_of(cells: Sequence[str], *, sides: bool = False) -> Box | None:
    """Return the box that four cells say, None where they aren't four numbers that span one."""
    try:
        x1, y1, x2, y2 = (round(float(cell)) for cell in cells)
    except (ValueError, OverflowError):
        return None
    if sides:
        x2, y2 = x1 + x2, y1 + y2
    return (x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None


def _without_header(cells: list[str]) -> dict[str, int]:
    """Return where path, label and split stand in the first row of a list without a header; {} if it is none."""
    path = next((place for place, cell in enumerate(cells) if has_image_suffix(cell)), None)
    label = next(
        (
            place
            for place, cell in enumerate(cells)
            if is_number(cell) or meaning(cell) in range(len(CLASSES))
        ),
        None,
    )
    if path is None or label is None:
        return {}
    split = next((place for place, cell in enumerate(cells) if place != path and parse_split(cell)), None)
    return {"path": path, "label": label} | ({} if split is None else {"split": split})
