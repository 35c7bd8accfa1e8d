"""What a layout is: how it is recognised on disk and what reads it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fer_core.config.reading import AS_IT_IS, Reading
from fer_core.datasets.base import Dataset, Problem
from fer_core.datasets.pictures.image_files import walk

from .image_folder import read_folder
from .meanings.grouping import film_name


@dataclass(frozen=True)
class Source:
    """Where a data set lies and how its labels and groups are to be read.

    Attributes:
        path: a folder or file.
        reading: what was declared.
    """

    path: Path
    reading: Reading = AS_IT_IS

    @cached_property
    def files(self) -> tuple[list[tuple[str, Path]], tuple[Problem, ...]]:
        """Name and path of every image below the folder, and what is wrong with others; walked once."""
        problems: list[Problem] = []
        return list(walk(self.path.absolute(), problems)), tuple(problems)

    @cached_property
    def tree(self) -> Dataset:
        """The path read as a tree of class folders, once however many layouts look at it."""
        return read_folder(self.path, self.reading, self.files if self.path.is_dir() else None)

    @cached_property
    def film_share(self) -> float:
        """The share of the tree's samples, 0 to 1, that are named as film frames are."""
        films = sum(film_name(sample.name.rpartition("/")[2]) is not None for sample in self.tree.samples)
        return films / len(self.tree)


@dataclass(frozen=True)
class Layout:
    """One layout of data set: `recognises` may raise DataError as `read` does."""

    recognises: Callable[[Source], bool]
    read: Callable[[Source], Dataset]
