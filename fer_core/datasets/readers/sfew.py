"""Static Facial Expressions in the Wild: film frames in class folders.

SFEW 1 (Dhall et al. 2011): Angry, Disgust ... at the top, or in Set1 and Set2 (the strictly person-independent
protocol). SFEW 2.0 (EmotiW 2015): Train, Val and Test, whole frames or aligned faces; Test comes without labels.
Movies and clips come from the frames' names (`grouping.film_name`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fer_core.datasets.base import Dataset
from fer_core.errors import DataError

from .grouping import film_name
from .image_folder import read_folder


def read_sfew1(root: Path, *, label_codes: str | None = None, group_pattern: str | None = None) -> Dataset:
    """Read SFEW 1: class folders with film-named frames.

    Raises:
        DataError: as `read_folder`; or most names are no film frames'.
    """
    return _film_named(
        read_folder(root, label_codes=label_codes, group_pattern=group_pattern, layout="sfew1")
    )


def read_sfew2(root: Path, *, label_codes: str | None = None, group_pattern: str | None = None) -> Dataset:
    """Read SFEW 2.0: Train, Val and Test folders, class folders below them, film-named frames.

    Raises:
        DataError: as `read_folder`; most names are no film frames'; no labelled frame is in such a folder.
    """
    dataset = read_folder(root, label_codes=label_codes, group_pattern=group_pattern, layout="sfew2")
    if not official_splits(dataset):
        raise DataError(
            "SFEW 2.0 must have Train and Val folders",
            got=f"none with a labelled frame in {root}",
            fix="Give the folder that holds them, or layout sfew1 for class folders alone",
        )
    return _film_named(dataset)


def recognise(dataset: Dataset) -> Dataset:
    """Return a tree read as plain folders under the layout that it shows: sfew1, sfew2 or folder."""
    if film_share(dataset) <= 0.5:
        return dataset
    return replace(dataset, layout="sfew2" if official_splits(dataset) else "sfew1")


def film_share(dataset: Dataset) -> float:
    """Return the share of samples, 0 to 1, that are named as film frames are."""
    films = sum(film_name(sample.name.rpartition("/")[2]) is not None for sample in dataset.samples)
    return films / max(len(dataset), 1)


def official_splits(dataset: Dataset) -> set[str]:
    """Return which of train, validation and test the samples are in."""
    return {sample.split for sample in dataset.samples if sample.split in ("train", "validation", "test")}


def _film_named(dataset: Dataset) -> Dataset:
    share = film_share(dataset)
    if share <= 0.5:
        raise DataError(
            "SFEW's frames must be named Movie_HHMMSScc0_FFFFFFFF.png",
            got=f"{share:.0%} of the names in {dataset.root} are, such as {dataset.samples[0].name}",
            fix="Use layout folder for other images in class folders",
        )
    return dataset
