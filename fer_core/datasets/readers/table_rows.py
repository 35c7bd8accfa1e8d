"""A feature table as a data set of its own: rows in place of images, for whom no frames are at hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from fer_core.config.run import CLASSES
from fer_core.datasets.base import GENERATED_MOVIE, TABLE_LAYOUT, Dataset, Sample

from .feature_table import FeatureTable, read_feature_table
from .grouping import groups_and_clips

LAYOUT = TABLE_LAYOUT


def row_names(table: FeatureTable) -> list[str]:
    """Return a name a row that no other has: a stem listed under two labels gets the label behind it."""
    counts = Counter(table.stems)
    return [
        f"{name} ({CLASSES[int(label)]})" if counts[stem] > 1 else name
        for name, stem, label in zip(table.names, table.stems, table.labels, strict=True)
    ]


def read_table_rows(
    path: Path, *, label_codes: str | None = None, group_pattern: str | None = None
) -> Dataset:
    """Read a sheet of LPQ and PHOG components as a data set; its films are the groups.

    It counts as generated when all its rows are of movies that this project made up.

    Args:
        path: .xlsx or .csv, as `feature_table.read_feature_table` takes them.
        label_codes: not asked for: a sheet's labels are 1-7.
        group_pattern: finds the group in a row's name where it is no film frame's.

    Raises:
        DataError: the sheet can't be read.
    """
    table = read_feature_table(path)
    known = groups_and_clips([name.replace("\\", "/") for name in table.names], group_pattern)
    samples = [
        Sample(name, path.absolute(), int(label), None, group, clip)
        for name, label, (group, clip) in zip(row_names(table), table.labels, known, strict=True)
    ]
    samples.sort(key=lambda sample: sample.name)
    drawn = all(group.startswith(GENERATED_MOVIE) for group in table.groups)
    return Dataset(
        path.name, str(path.absolute()), LAYOUT, path.parent, tuple(samples), table.problems, drawn
    )
