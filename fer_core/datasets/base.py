"""What every data set is: an ordered list of samples with labels, splits and groups, and a fingerprint."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ..config import CLASSES


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of a data set.

    Attributes:
        name: path inside the data set, with forward slashes; the image's identity there.
        path: the file.
        label: index into `CLASSES`.
        split: 'train', 'validation', 'test', 'set1', 'set2', or None where the data set has none.
        group: what must not straddle a fold: the movie or the person.
        clip: frames of one shot: movie and time stamp; the name itself where nothing is known.
    """

    name: str
    path: Path
    label: int
    split: str | None = None
    group: str = ""
    clip: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that is part of the folder but not of the samples, and why (never dropped unseen)."""

    name: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """A data set as found on disk; its samples are sorted by name.

    Attributes:
        name: what people call it (the folder's or file's name, 'Generated faces').
        source: the path given, or 'demo'.
        layout: 'sfew1', 'sfew2', 'folder', 'csv' or 'generated'.
        root: the folder that sample names are relative to.
        samples: labelled images, readable or not: what is unreadable shows in the audit and when decoded.
        problems: files left out of the samples (no label, unknown class), each with its reason.
        generated: True when the images were drawn by this project.
    """

    name: str
    source: str
    layout: str
    root: Path
    samples: tuple[Sample, ...]
    problems: tuple[Problem, ...] = field(default=())
    generated: bool = False

    def __len__(self) -> int:
        return len(self.samples)

    def class_counts(self) -> dict[str, int]:
        """Return the number of samples per class, in the order of `CLASSES`, zeros included."""
        counts = Counter(sample.label for sample in self.samples)
        return {name: counts[index] for index, name in enumerate(CLASSES)}
