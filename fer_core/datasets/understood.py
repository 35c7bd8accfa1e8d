"""What was understood of a data set, before anything trains on it: the command line, JSON and pages show the same.

A wrong label map is seen at a glance here: each label as it is written, what it was taken for, how many images have
it, and one of them to look at.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fer_core.config.run import CLASSES

from .base import Dataset, known_clips


@dataclass(frozen=True, slots=True)
class LabelRead:
    """A label as it is written, the class it was taken for, the images that have it, and one of them by name."""

    written: str
    meaning: str
    images: int
    sample: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why images or rows are no samples, how many, and the first of them."""

    reason: str
    images: int
    example: str


@dataclass(frozen=True)
class Understood:
    """A data set as it was understood.

    Attributes:
        layout: how it was read.
        declared: what was declared of it, by the fields of `Reading`.
        images: samples.
        label_map: its name, or '' where labels are names.
        labels: by class, each spelling.
        samples: a sample's name by class.
        groups: the images of each known movie or person, the most first.
        clips: known ones.
        agreement: the mean share of annotators that gave the label; 1 where the data set doesn't say.
        splits: split ('' for none) -> images.
        faces: number of faces -> readable images in which a detection found so many; empty before one.
        left_out: by reason, the most first.
        remarks: what else should be known of how it was read.
    """

    name: str
    source: str
    layout: str
    declared: dict[str, str]
    images: int
    label_map: str
    labels: tuple[LabelRead, ...]
    samples: dict[str, str]
    groups: dict[str, int]
    clips: int
    agreement: float
    splits: dict[str, int]
    faces: dict[int, int]
    left_out: tuple[LeftOut, ...]
    remarks: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """Yield it as lines for people, the label map first."""
        yield f"layout {self.layout}" + "".join(f", {key} {value}" for key, value in self.declared.items())
        yield f"labels by the map {self.label_map}" if self.label_map else "labels by their names"
        for one in self.labels:
            yield f"  {one.written or one.meaning} = {one.meaning}: {one.images}, such as {one.sample}"
        if set(self.splits) - {""}:
            shown = (f"{split or 'none'} {images}" for split, images in self.splits.items())
            yield f"splits: {', '.join(shown)}"
        if self.groups:
            most = ", ".join(f"{group} ({images})" for group, images in list(self.groups.items())[:3])
            yield f"groups (movies or persons): {len(self.groups)}, most images: {most}; clips: {self.clips}"
        if self.faces:
            shown = (f"{number or 'none'} in {images}" for number, images in self.faces.items())
            yield f"faces per frame: {', '.join(shown)}"
        if self.agreement < 1:
            yield f"annotators agree: {self.agreement:.0%} on average"
        yield from self.remarks
        for left in self.left_out:
            yield f"left out: {left.images}, {left.reason}, such as {left.example}"


def understood(dataset: Dataset, faces: Mapping[str, int] = MappingProxyType({})) -> Understood:
    """Return what was understood of a data set; `faces` is how many a detection found, by the image's name."""
    samples = dataset.samples
    written: Counter[tuple[int, str]] = Counter((one.label, one.written) for one in samples)
    first: dict[tuple[int, str], str] = {}
    for one in samples:
        first.setdefault((one.label, one.written), one.name)
    left: dict[str, list[str]] = {}
    for problem in dataset.problems:
        reason = re.sub(r"^\S* ?(?:line|row) \d+: ", "", problem.reason)
        left.setdefault(reason, []).append(problem.name)
    clips = known_clips((one.name for one in samples), (one.clip for one in samples))
    return Understood(
        name=dataset.name,
        source=dataset.source,
        layout=dataset.layout,
        declared=dataset.reading.declared(),
        images=len(dataset),
        label_map=dataset.label_map or "",
        labels=tuple(
            LabelRead(text, CLASSES[label], images, first[label, text])
            for (label, text), images in sorted(written.items())
        ),
        samples={CLASSES[label]: name for (label, _), name in sorted(first.items(), reverse=True)},
        groups=dict(Counter(one.group for one in samples if one.group).most_common()),
        clips=len(set(clips) - {""}),
        agreement=sum(one.agreement for one in samples) / max(len(dataset), 1),
        splits=dict(sorted(Counter(one.split or "" for one in samples).items())),
        faces=dict(sorted(Counter(faces.values()).items())),
        left_out=tuple(
            LeftOut(reason, len(names), names[0])
            for reason, names in sorted(left.items(), key=lambda item: -len(item[1]))
        ),
        remarks=dataset.remarks,
    )
