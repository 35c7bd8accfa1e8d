"""AffectNet (Mollahosseini, Hasani, Mahoor 2017): lists of paths, or a file of annotation an image.

The first release has training.csv and validation.csv over numbered folders of storage, which are no labels; the second
has train_set and val_set, each with images/N.jpg and annotations/N_exp.npy. Its boxes, landmarks, valence and arousal
are not used: each image shows one face.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fer_core.datasets.base import Dataset, Problem
from fer_core.datasets.readers.layout import Layout, Source
from fer_core.datasets.readers.listing import Row, assemble, there
from fer_core.datasets.readers.text_table import read_table
from fer_core.errors import DataError

_LISTS = ("training.csv", "validation.csv", "automatically_annotated.csv")
_IMAGES = tuple(
    f"{kind}_Annotated{between}_Images"
    for kind in ("Manually", "Automatically")
    for between in ("", f"/{kind}_Annotated")
)
_SETS = ("train_set", "val_set")
#: The place of path and expression where a list has no header, as validation.csv of the first release.
_PATH, _EXPRESSION = 0, 6


def _lists(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.name in _LISTS and "subdirectory_filepath" in _first(path) else []
    found = [path / name for name in _LISTS if (path / name).is_file()]
    return found if any("subdirectory_filepath" in _first(each) for each in found) else []


def _first(path: Path) -> str:
    with path.open("rb") as file:
        return file.readline(500).decode("utf-8", "replace").casefold()


def _read(source: Source) -> Dataset:
    root = source.path.absolute()
    lists = _lists(root)
    if lists:
        base = lists[0].parent
        declared = source.reading.image_root
        images = Path(declared).expanduser().absolute() if declared else there(base, *_IMAGES) or base
        rows = (row for each in lists for row in _listed(each))
        root = images
    elif _annotated_sets(root):
        rows = (row for name in _annotated_sets(root) for row in _annotated(root, name))
    else:
        raise DataError(
            "AffectNet must have training.csv, or train_set with images and annotations", got=str(root)
        )
    said = "Valence, arousal, boxes and landmarks are not used"
    return assemble(
        source, rows, layout="affectnet", root=root, usual_map="affectnet", name="AffectNet", remarks=[said]
    )


def _listed(path: Path) -> Iterator[Row | Problem]:
    table = read_table(path)
    titles = [title.casefold() for title in table.first]
    header = "expression" in titles
    place = {name: titles.index(name) for name in ("subdirectory_filepath", "expression")} if header else {}
    file, label = place.get("subdirectory_filepath", _PATH), place.get("expression", _EXPRESSION)
    split = {"training.csv": "train", "validation.csv": "validation"}.get(path.name, "")
    for line, cells in table.rest if header else table.all_rows():
        cells = [*cells, *[""] * (label + 1 - len(cells))]
        yield Row(f"{path.name} line {line}", cells[file], cells[label], split)


def _annotated(root: Path, name: str) -> Iterator[Row | Problem]:
    for file in sorted((root / name / "annotations").glob("*_exp.npy")):
        where = f"{name}/annotations/{file.name}"
        try:
            label = str(np.load(file, allow_pickle=False).reshape(-1)[0])
        except (OSError, ValueError, IndexError, EOFError):
            yield Problem(where, "its annotation can't be read")
            continue
        yield Row("", f"{name}/images/{file.name.removesuffix('_exp.npy')}.jpg", label, name)


def _annotated_sets(root: Path) -> list[str]:
    return [name for name in _SETS if (root / name / "annotations").is_dir()]


AFFECTNET = Layout(lambda source: bool(_lists(source.path) or _annotated_sets(source.path)), _read)
