"""What is wrong with a data set, said before any training."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal, get_args

from fer_core.config.run import CLASSES

from .base import Dataset, Problem, Progress, Sample, known_clips
from .file_records import ImageFacts, inspect_all
from .pictures.image_files import has_image_suffix
from .pictures.look_alikes import pairs
from .pictures.parts import part_of
from .readers.meanings.grouping import film_name
from .understood import Understood, understood

#: Short side in pixels below which no face can be found (MTCNN's smallest is 20), and below which few can.
TOO_SMALL = 20
SMALL = 48

#: Largest class over smallest from which the imbalance is a warning.
IMBALANCE = 3.0

#: Groups that a by-group protocol needs for the usual five folds.
FOLDS = 5

#: The share of images of one size from which those of another are odd.
USUAL = 0.9

_FRAME = re.compile(r"\w+_\d{9}_\d{8}\.\w+")

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing worth knowing, in words.

    Attributes:
        severity: 'error' makes figures wrong or loses images, 'warning' biases or weakens them, 'note' is said
            for completeness.
        code: which check found it, for programs.
        title: the finding in one line, with its count.
        detail: what it means and what to do.
        names: every image (or group, or clip) concerned.
    """

    severity: Severity
    code: str
    title: str
    detail: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class AuditReport:
    """A data set's figures and findings; the findings are sorted, errors first.

    Attributes:
        images: samples, readable or not.
        classes: images per class, zeros included.
        splits: split ('' for none) -> images per class.
        groups: number of known groups (movies, persons).
        clips: number of known clips.
        class_groups: known groups per class.
        unreadable: samples that can't be decoded.
        problems: files and rows that are no samples.
        duplicates: names of byte-identical files, a tuple a set.
        sizes: 'WxH' -> images, the commonest first.
        findings: everything worth knowing, in words.
        understood: how it was read: label map, spellings, groups, splits, what is left out.
    """

    name: str
    layout: str
    generated: bool
    images: int
    classes: dict[str, int]
    splits: dict[str, dict[str, int]]
    groups: int
    clips: int
    class_groups: dict[str, int]
    unreadable: tuple[Problem, ...]
    problems: tuple[Problem, ...]
    duplicates: tuple[tuple[str, ...], ...]
    sizes: dict[str, int]
    findings: tuple[Finding, ...]
    understood: Understood


def audit(
    dataset: Dataset,
    *,
    faces: Mapping[str, int] | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> AuditReport:
    """Decode every image once and report what is wrong; never raises for a bad file.

    Args:
        faces: how many faces a detection found in each image, where there was one.
        cache: a folder where facts are kept by size and time of each file; None keeps nothing.
    """
    facts = inspect_all(dataset.samples, cache=cache, progress=progress)
    samples = dataset.samples
    found, class_groups = understood(dataset, faces or {}), _class_groups(dataset)
    unreadable = [Problem(name, one.reason) for name, one in facts.items() if one.reason is not None]
    duplicates = _duplicates(samples, facts)
    findings = [
        *_files(dataset, unreadable, facts),
        *_copies(duplicates),
        *_look_alikes(samples, facts),
        *_straddling(samples),
        *_splitting(samples),
        *_reading(dataset, facts),
        *_balance(dataset),
        *_grouping(samples, class_groups),
    ]
    sizes = Counter(f"{one.width}x{one.height}" for one in facts.values() if one.reason is None)
    return AuditReport(
        name=dataset.name,
        layout=dataset.layout,
        generated=dataset.generated,
        images=len(samples),
        classes=dataset.class_counts(),
        splits=_splits(dataset),
        groups=len(set().union(*class_groups.values())),
        clips=found.clips,
        class_groups={name: len(known) for name, known in class_groups.items()},
        unreadable=tuple(unreadable),
        problems=dataset.problems,
        duplicates=tuple(tuple(sample.name for sample in same) for same in duplicates),
        sizes=dict(sizes.most_common()),
        findings=tuple(sorted(findings, key=lambda finding: get_args(Severity).index(finding.severity))),
        understood=found,
    )


def _splits(dataset: Dataset) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (label, split, _), images in dataset.tally.items():
        found.setdefault(split or "", dict.fromkeys(CLASSES, 0))[CLASSES[label]] += images
    return dict(sorted(found.items()))


def _class_groups(dataset: Dataset) -> dict[str, set[str]]:
    pairs = {(label, group) for label, _, group in dataset.tally if group}
    return {name: {group for label, group in pairs if label == index} for index, name in enumerate(CLASSES)}


def _duplicates(samples: Sequence[Sample], facts: Mapping[str, ImageFacts]) -> list[list[Sample]]:
    same: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if facts[sample.name].sha256:
            same[facts[sample.name].sha256].append(sample)
    return [found for found in same.values() if len(found) > 1]


def _files(
    dataset: Dataset, unreadable: Sequence[Problem], facts: Mapping[str, ImageFacts]
) -> Iterator[Finding]:
    if dataset.generated:
        detail = "No figure measured on them is evidence about real faces."
        yield Finding("note", "generated", "The images are drawn by a program", detail)
    names = [f"{problem.name} ({problem.reason})" for problem in unreadable]
    detail = "They stay in the list, are counted as unreadable in every run and never enter training."
    yield from _finding("error", "unreadable", names, "image", "can't be read", detail)
    names = [f"{problem.name} ({problem.reason})" for problem in dataset.problems]
    detail = "They are not part of the data set until the reason beside each is gone."
    yield from _finding("warning", "problems", names, "file", "left out", detail)
    short = {name: min(one.width, one.height) for name, one in facts.items() if one.reason is None}
    names = [name for name, side in short.items() if side < TOO_SMALL]
    detail = f"Their short side is under {TOO_SMALL} pixels, the smallest face the detector can find."
    yield from _finding("error", "tiny", names, "image", "too small for any face", detail)
    names = [name for name, side in short.items() if TOO_SMALL <= side < SMALL]
    detail = f"Their short side is under {SMALL} pixels, so that a crop has to be enlarged several times."
    yield from _finding("warning", "small", names, "small image", "", detail)


def _copies(duplicates: Sequence[Sequence[Sample]]) -> Iterator[Finding]:
    labels, splits, plain = [], [], []
    for same in duplicates:
        name = " = ".join(sample.name for sample in same)
        contradicts = len({sample.label for sample in same}) > 1
        leaks = len({sample.split for sample in same if sample.split}) > 1
        if contradicts:
            labels.append(name)
        if leaks:
            splits.append(name)
        if not contradicts and not leaks:
            plain.append(name)
    detail = "At least one of the labels is wrong; keep the right copy and delete the other."
    yield from _finding("error", "two_labels", labels, "image", "filed under two labels", detail)
    detail = "What is trained on is also tested on; keep one copy of each."
    yield from _finding("error", "two_splits", splits, "image", "copied into two splits", detail)
    detail = "Copies of one file may fall into training and validation of a random fold; keep one of each."
    yield from _finding("warning", "duplicates", plain, "set", "of byte-identical images", detail)


def _look_alikes(samples: Sequence[Sample], facts: Mapping[str, ImageFacts]) -> Iterator[Finding]:
    """Yield images of different splits that look the same and are no copies of each other."""
    known: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.split and facts[sample.name].dhash:
            known[sample.split].append(sample)
    looks = {split: [facts[one.name].dhash for one in found] for split, found in known.items()}
    names = [
        f"{one.name} = {other.name}"
        for first, second in combinations(sorted(known), 2)
        for one, other in ((known[first][a], known[second][b]) for a, b in pairs(looks[first], looks[second]))
        if facts[one.name].sha256 != facts[other.name].sha256
    ]
    detail = "What is trained on is all but tested on; look at both and keep one of each."
    yield from _finding(
        "warning", "look_alikes", names, "pair", "of nearly the same images in two splits", detail
    )


def _straddling(samples: Sequence[Sample]) -> Iterator[Finding]:
    clips = _in_several_splits((sample.clip, sample.split) for sample in samples)
    detail = "Frames of one shot are nearly the same image, so the splits leak into each other."
    yield from _finding("error", "clip_straddles", clips, "clip", "in several splits", detail)
    groups = _in_several_splits((sample.group, sample.split) for sample in samples)
    detail = "The same movie or person is on both sides: figures are not independent of who is seen."
    yield from _finding("warning", "group_straddles", groups, "group", "in several splits", detail)


def _splitting(samples: Sequence[Sample]) -> Iterator[Finding]:
    """Yield the folders whose images belong to no split while others do."""
    without = [sample for sample in samples if not sample.split]
    if without and len(without) < len(samples):
        folders = Counter(_place(sample.name) for sample in without)
        splits = sorted({sample.split for sample in samples if sample.split})
        detail = (
            f"Other images are of {', '.join(splits)}; these take no part where the data set's own splits count, and "
            "are mixed with all others elsewhere. Rename the folders, or list the images in a CSV."
        )
        names = [f"{folder or '.'} ({images})" for folder, images in folders.most_common()]
        yield from _finding("warning", "some_without_split", names, "folder", "of no known split", detail)


def _place(name: str) -> str:
    """Return the folder below which an image's own class folder lies."""
    folders = name.split("/")[:-1]
    return "/".join(folders[:1] if len(folders) > 1 else folders)


def _reading(dataset: Dataset, facts: Mapping[str, ImageFacts]) -> Iterator[Finding]:
    """Yield what is unusual in how the files were read: names, labels of a clip, sizes."""
    for remark in dataset.remarks:
        yield Finding("note", "reading", remark, "It is how the reader understood the data set.")
    names = [sample.name for sample in dataset.samples]
    odd = [one.name for one in dataset.samples if not part_of(one.path) and not has_image_suffix(one.name)]
    detail = "Their content says that they are images; they are read like all others."
    yield from _finding(
        "note", "odd_suffix", odd, "image", "whose name does not end as an image's does", detail
    )
    films = [name for name in names if film_name(name.rpartition("/")[2])]
    irregular = [name for name in films if not _FRAME.fullmatch(name.rpartition("/")[2])]
    detail = "They were joined to their movie and shot all the same."
    yield from _finding("note", "irregular_names", irregular, "film frame", "named irregularly", detail)
    clips: dict[str, set[str]] = defaultdict(set)
    for one, clip in zip(dataset.samples, known_clips(names, (s.clip for s in dataset.samples)), strict=True):
        clips[clip].add(CLASSES[one.label])
    mixed = [
        f"{clip} ({', '.join(sorted(found))})"
        for clip, found in sorted(clips.items())
        if clip and len(found) > 1
    ]
    detail = "Frames of one shot are nearly the same image, so that one of the labels may be wrong."
    yield from _finding("note", "clip_labels", mixed, "clip", "with several labels", detail)
    sizes = Counter((one.width, one.height) for one in facts.values() if one.reason is None)
    if sizes and (usual := sizes.most_common(1)[0])[1] >= USUAL * sizes.total():
        other = [
            name for name, one in facts.items() if one.reason is None and (one.width, one.height) != usual[0]
        ]
        what = f"not of {usual[0][0]}x{usual[0][1]} as all others"
        yield from _finding("note", "odd_sizes", other, "image", what, "They may come from elsewhere.")


def _in_several_splits(pairs: Iterable[tuple[str, str | None]]) -> list[str]:
    found: dict[str, set[str]] = defaultdict(set)
    for name, split in pairs:
        if name and split:
            found[name].add(split)
    return sorted(name for name, splits in found.items() if len(splits) > 1)


def _balance(dataset: Dataset) -> Iterator[Finding]:
    counts = dataset.class_counts()
    empty = [name for name, count in counts.items() if count == 0]
    detail = "A model can't learn them, and figures are over fewer than seven classes."
    yield from _finding("warning", "empty_class", empty, "class", "without an image", detail)
    present = {name: count for name, count in counts.items() if count}
    if present:
        low, high = min(present, key=present.__getitem__), max(present, key=present.__getitem__)
        if present[high] >= IMBALANCE * present[low]:
            title = f"Classes are unbalanced: {present[high]} of {high}, {present[low]} of {low}"
            detail = "Draw classes evenly in training and look at the balanced accuracy and macro F1."
            yield Finding("warning", "imbalance", title, detail, (high, low))


def _grouping(samples: Sequence[Sample], class_groups: Mapping[str, set[str]]) -> Iterator[Finding]:
    groups = sorted(set().union(*class_groups.values()))
    if not groups:
        detail = (
            "Each image counts as a group by itself, and one person may be on both sides of a fold. A CSV with a "
            "group column separates them, or a group pattern (Bring data, --group-pattern)."
        )
        yield Finding("note", "no_groups", "No movies or persons are known", detail)
        return
    names = [sample.name for sample in samples if not sample.group]
    detail = "Each counts as a group by itself."
    yield from _finding("warning", "unknown_group", names, "image", "of no known movie or person", detail)
    detail = f"A by-group protocol with {FOLDS} folds needs at least {FOLDS}."
    few = groups if len(groups) < FOLDS else []
    yield from _finding("warning", "few_groups", few, "group", "", detail)
    if len(groups) > 1 and all(len(found) <= 1 for found in class_groups.values()):
        detail = (
            "Each class is one group: they are no persons or movies. Look at the group pattern or column."
        )
        yield Finding(
            "warning", "groups_are_classes", "Groups are the same as classes", detail, tuple(groups)
        )
    scarce = [name for name, found in class_groups.items() if 0 < len(found) < FOLDS]
    detail = "Some folds of a by-group protocol will hold none of them."
    yield from _finding("note", "scarce_class", scarce, "class", f"from fewer than {FOLDS} groups", detail)


def _finding(
    severity: Severity, code: str, names: Sequence[str], thing: str, what: str, detail: str
) -> Iterator[Finding]:
    """Yield a finding titled by the number of names ('2 images can't be read'); none where there is no name."""
    if names:
        plural = thing + ("es" if thing.endswith("s") else "s")
        title = f"{len(names)} {thing if len(names) == 1 else plural} {what}".rstrip()
        yield Finding(severity, code, title, detail, tuple(names))
