"""Aff-Wild2's expressions (Kollias 2022): a text a video, a number a frame, and the video's frames as images.

EXPR_*/Train_Set/video1.txt has the classes in its first line and then line n the label of frame n, which is
cropped_aligned/video1/0000n.jpg. The video is the group and the clip; frames that were not extracted are counted.
"""

from collections.abc import Iterator
from pathlib import Path

from fer_core.datasets.base import Dataset, Problem
from fer_core.datasets.pictures.image_files import walk
from fer_core.datasets.readers.layout import Layout, Source
from fer_core.datasets.readers.listing import Row, assemble, is_folder_with, text_lines, there
from fer_core.errors import DataError

_IMAGES = ("cropped_aligned", "cropped", "images")
_SETS = {"Train_Set": "train", "Validation_Set": "validation"}


def _texts(root: Path) -> dict[Path, str]:
    """Return each video's text below a folder, and its split."""
    folders = {each: split for name, split in _SETS.items() for each in sorted(root.glob(f"**/{name}"))}
    return {text: split for folder, split in folders.items() for text in sorted(folder.glob("*.txt"))}


def _read(source: Source) -> Dataset:
    root = source.path.absolute()
    images = there(root, *_IMAGES)
    if images is None or not _texts(root):
        raise DataError(
            "Aff-Wild2 must have Train_Set or Validation_Set with a text a video, and its frames",
            got=str(root),
            fix=f"Put the frames below {' or '.join(_IMAGES)}, a folder a video",
        )

    def rows() -> Iterator[Row | Problem]:
        for text, split in _texts(root).items():
            frames = {path.stem: name for name, path in walk(images / text.stem, [])} if images else {}
            for number, label in enumerate(text_lines(text)[1:], 1):
                name = frames.get(f"{number:05d}")
                where = f"{text.name} line {number + 1}"
                if name is None:
                    yield Problem(f"{text.stem}/{number:05d}", f"{where}: its frame was not extracted")
                else:
                    whole = f"{images.name}/{text.stem}/{name}"
                    yield Row(where, whole, label.strip(), split, group=text.stem, clip=text.stem)

    return assemble(source, rows(), layout="affwild2", root=root, usual_map="affwild2", name="Aff-Wild2")


AFFWILD2 = Layout(lambda source: is_folder_with(*_IMAGES)(source) and bool(_texts(source.path)), _read)
