"""RAF-DB, basic (Li, Deng, Du 2017): EmoLabel/list_patition_label.txt, Image/aligned and Image/original."""

from collections.abc import Iterator
from pathlib import Path

from fer_core.datasets.base import Dataset
from fer_core.datasets.readers.layout import Layout, Source
from fer_core.datasets.readers.listing import Row, assemble, text_lines, there

from .variants import chosen

_LISTS = ("list_patition_label.txt", "list_partition_label.txt")  # the first as it is distributed
_FOLDERS = ("", "EmoLabel", "basic/EmoLabel")


def _list(path: Path) -> Path | None:
    if path.is_file():
        return path if path.name in _LISTS else None
    return there(path, *(f"{folder}/{name}".lstrip("/") for folder in _FOLDERS for name in _LISTS))


def _read(source: Source) -> Dataset:
    """Read it: a line names image and label; `train_` and `test_` in the name are the splits."""
    path = _list(source.path.absolute()) or source.path.absolute()
    root = path.parent.parent if path.parent.name == "EmoLabel" else path.parent

    def rows() -> Iterator[Row]:
        both = {"Image/aligned": "_aligned", "Image/original": ""}
        folders = {folder: ending for folder, ending in both.items() if (root / folder).is_dir()} or {
            "Image": ""
        }
        for number, line in enumerate(text_lines(path), 1):
            name, _, label = line.strip().rpartition(" ")
            stem, dot, suffix = name.strip().rpartition(".")
            for folder, ending in folders.items() if name else ():
                at = f"{folder}/{stem}{ending}{dot}{suffix}"
                yield Row(f"{path.name} line {number}", at, label, stem.partition("_")[0])

    found = assemble(source, rows(), layout="rafdb", root=root, usual_map="rafdb", name="RAF-DB")
    return chosen(source, found)


RAFDB = Layout(lambda source: _list(source.path) is not None, _read)
