"""Static Facial Expressions in the Wild: film frames in class folders.

SFEW 1 (Dhall et al. 2011): Angry, Disgust ... at the top, or in Set1 and Set2 (the strictly person-independent
protocol). SFEW 2.0 (EmotiW 2015): Train, Val and Test, whole frames or aligned faces; Test comes without labels.
Movies and clips come from the frames' names (`grouping.film_name`).
"""

from dataclasses import replace

from fer_core.datasets.base import Dataset
from fer_core.datasets.readers.layout import Layout, Source
from fer_core.errors import DataError

from .variants import chosen


def _read_sfew1(source: Source) -> Dataset:
    """Read SFEW 1: class folders with film-named frames, or raise DataError where most names are no film frames'."""
    if source.film_share <= 0.5:
        raise DataError(
            "SFEW's frames must be named Movie_HHMMSScc0_FFFFFFFF.png",
            got=f"{source.film_share:.0%} of the names in {source.path} are, such as {source.tree.samples[0].name}",
            fix="Use layout folder for other images in class folders",
        )
    return replace(source.tree, layout="sfew1")


def _read_sfew2(source: Source) -> Dataset:
    """Read SFEW 2.0: as SFEW 1, below Train, Val and Test, or raise DataError where no labelled frame is there."""
    if not _official_splits(source):
        raise DataError(
            "SFEW 2.0 must have Train and Val folders",
            got=f"none with a labelled frame in {source.path}",
            fix="Give the folder that holds them, or layout sfew1 for class folders alone",
        )
    return replace(chosen(source, _read_sfew1(source)), layout="sfew2")


def _official_splits(source: Source) -> bool:
    return any(split in ("train", "validation", "test") for _, split, _ in source.tree.tally)


SFEW1 = Layout(lambda source: source.film_share > 0.5, _read_sfew1)
SFEW2 = Layout(lambda source: source.film_share > 0.5 and _official_splits(source), _read_sfew2)
