"""A feature table as a data set: rows instead of images, whose frames are not at hand."""

from collections import Counter

from fer_core.config.run import CLASSES
from fer_core.datasets.base import GENERATED_MOVIE, TABLE_LAYOUT, Dataset, Sample

from .feature_table import FeatureTable, read_feature_table
from .layout import Layout, Source
from .meanings.grouping import groups_and_clips

LAYOUT = TABLE_LAYOUT


def row_names(table: FeatureTable) -> list[str]:
    """Return a name a row that no other has: a stem listed under two labels gets the label behind it."""
    counts = Counter(table.stems)
    return [
        f"{name} ({CLASSES[int(label)]})" if counts[stem] > 1 else name
        for name, stem, label in zip(table.names, table.stems, table.labels, strict=True)
    ]


def _read_table_rows(source: Source) -> Dataset:
    """Read a sheet of LPQ and PHOG components as a data set; its films are the groups, its labels are 1-7.

    It counts as generated when all its rows are of movies that this project invented.
    """
    path = source.path
    table = read_feature_table(path)
    names = [name.replace("\\", "/") for name in table.names]
    known = groups_and_clips(names, source.reading.group_pattern)
    samples = [
        Sample(name, path.absolute(), int(label), None, group, clip)
        for name, label, (group, clip) in zip(row_names(table), table.labels, known, strict=True)
    ]
    samples.sort(key=lambda sample: sample.name)
    drawn = all(group.startswith(GENERATED_MOVIE) for group, _ in groups_and_clips(names))
    return Dataset(
        path.name, str(path.absolute()), LAYOUT, path.parent, tuple(samples), table.problems, drawn
    )


TABLE = Layout(lambda source: source.path.suffix.lower() == ".xlsx", _read_table_rows)
