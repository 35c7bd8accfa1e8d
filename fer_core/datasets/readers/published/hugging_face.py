"""An image folder of Hugging Face's datasets: metadata.csv or .jsonl beside the images, one a split or one in all.

The column `file_name` is relative to the table's folder; a folder of a table that means a split is the split of its
rows. https://huggingface.co/docs/datasets/image_dataset
"""

from collections.abc import Iterator
from pathlib import Path

from fer_core.datasets.base import Dataset, Problem
from fer_core.datasets.readers.csv_table import listed, where_facts_stand
from fer_core.datasets.readers.layout import Layout, Source
from fer_core.datasets.readers.listing import Row, assemble, there
from fer_core.datasets.readers.meanings.labels import parse_split
from fer_core.datasets.readers.text_table import read_table


def _tables(root: Path) -> list[Path]:
    folders = [root, *sorted(each for each in root.iterdir() if each.is_dir())] if root.is_dir() else []
    return [table for folder in folders if (table := there(folder, "metadata.csv", "metadata.jsonl"))]


def _read(source: Source) -> Dataset:
    root, remarks = source.path.absolute(), dict[str, None]()

    def rows() -> Iterator[Row | Problem]:
        for path in _tables(root):
            places, cells = where_facts_stand(read_table(path), source.reading)
            remarks.update(dict.fromkeys(places.remarks()))
            folder = "" if path.parent == root else f"{path.parent.name}/"
            split = "" if path.parent == root or not parse_split(path.parent.name) else path.parent.name
            yield from listed(cells, places, file=folder + path.name, folder=folder, split=split)

    found = list(rows())
    what = "An image folder"
    return assemble(
        source, found, layout="imagefolder", root=root, name=root.name, what=what, remarks=remarks
    )


IMAGE_FOLDER = Layout(lambda source: bool(_tables(source.path)), _read)
