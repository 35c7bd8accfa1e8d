"""ExpW (Zhang, Luo, Loy, Tang 2018): label/label.lst names a picture, a face's box in it and its expression.

A line is `name face_id top left right bottom confidence label`; a picture has as many samples as it has faces.
"""

from collections.abc import Iterator
from pathlib import Path

from fer_core.datasets.base import Dataset, Problem
from fer_core.datasets.readers.csv_table import NO_BOX, box_of
from fer_core.datasets.readers.layout import Layout, Source
from fer_core.datasets.readers.listing import Row, assemble, text_lines, there

_LIST = "label.lst"


def _list(path: Path) -> Path | None:
    if path.is_file():
        return path if path.name == _LIST else None
    return there(path, _LIST, f"label/{_LIST}")


def _read(source: Source) -> Dataset:
    path = _list(source.path.absolute()) or source.path.absolute()
    root = path.parent.parent if path.parent.name == "label" else path.parent
    folder = there(root, "image/origin", "image", "origin") or root

    def rows() -> Iterator[Row | Problem]:
        for number, line in enumerate(text_lines(path), 1):
            if not line.strip():
                continue
            name, _, top, left, right, bottom, _, label = [*line.split(), *[""] * 8][:8]
            box, where = box_of([left, top, right, bottom]), f"{path.name} line {number}"
            image = f"{folder.relative_to(root).as_posix()}/{name}"
            yield Row(where, image, label, box=box) if box else Problem(image, f"{where}: {NO_BOX}")

    said = "Each face's box is an image of its own"
    return assemble(source, rows(), layout="expw", root=root, usual_map="expw", name="ExpW", remarks=[said])


EXPW = Layout(lambda source: _list(source.path) is not None, _read)
