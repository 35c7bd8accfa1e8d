"""What is wrong with a data set, said before any training."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from fer_core.config.run import CLASSES

from .base import Dataset, Sample, known_clips
from .images import ImageFacts, inspect_all

#: Short side in pixels below which no face can be found (MTCNN's smallest is 20), and below which few can.
TOO_SMALL = 20
SMALL = 48

#: Largest class over smallest from which the imbalance is a warning.
IMBALANCE = 3.0

#: Groups that a by-group protocol needs for the usual five folds.
FOLDS = 5

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

    def sentence(self, limit: int = 5) -> str:
        """Return title, detail and up to `limit` names as running text."""
        text = f"{self.title}. {self.detail}"
        if not self.names:
            return text
        shown = ", ".join(self.names[:limit])
        more = len(self.names) - limit
        return f"{text} {shown}{f' and {more} more' if more > 0 else ''}"


@dataclass(frozen=True)
class AuditReport:
    """A data set's figures and findings; the findings are sorted, errors first.

    Attributes:
        images: samples, readable or not.
        classes: images per class, zeros included.
        splits: split ('' for none) -> images per class.
        groups: number of known groups (movies, persons); images of no known group are not counted.
        clips: number of known clips; an image of which none is known is not counted.
        class_groups: known groups per class.
        unreadable: (name, reason) of samples that can't be decoded.
        problems: (name, reason) of files and rows that are no samples.
        duplicates: names of byte-identical files, a tuple a set.
        sizes: 'WxH' -> images, the commonest first.
        findings: everything worth knowing, in words.
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
    unreadable: tuple[tuple[str, str], ...]
    problems: tuple[tuple[str, str], ...]
    duplicates: tuple[tuple[str, ...], ...]
    sizes: dict[str, int]
    findings: tuple[Finding, ...]

    def count(self, severity: Severity) -> int:
        """Return the number of findings of a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values, all names included."""
        plain: dict[str, Any] = asdict(self)
        plain["unreadable"] = [{"name": name, "reason": reason} for name, reason in self.unreadable]
        plain["problems"] = [{"name": name, "reason": reason} for name, reason in self.problems]
        plain["duplicates"] = [list(names) for names in self.duplicates]
        plain["findings"] = [asdict(finding) | {"names": list(finding.names)} for finding in self.findings]
        return plain


def audit(
    dataset: Dataset, *, cache: Path | None = None, progress: Callable[[int, int], None] | None = None
) -> AuditReport:
    """Decode every image once and report what is wrong; never raises for a bad file.

    Args:
        cache: a folder where facts are kept by size and time of each file; None keeps nothing.
        progress: called with (files done, files in all); may raise to stop.
    """
    facts = inspect_all(dataset.samples, cache=cache, progress=progress)
    samples = dataset.samples
    names = [sample.name for sample in samples]
    groups = {sample.group for sample in samples if sample.group}
    duplicates = _duplicates(samples, facts)
    findings = [
        *_files(dataset, facts),
        *_copies(samples, duplicates),
        *_straddling(samples),
        *_balance(dataset),
        *_grouping(samples),
    ]
    order: tuple[Severity, ...] = ("error", "warning", "note")
    sizes = Counter(f"{one.width}x{one.height}" for one in facts.values() if one.reason is None)
    return AuditReport(
        name=dataset.name,
        layout=dataset.layout,
        generated=dataset.generated,
        images=len(samples),
        classes=dataset.class_counts(),
        splits=_splits(samples),
        groups=len(groups),
        clips=len(set(known_clips(names, (sample.clip for sample in samples))) - {""}),
        class_groups={name: len(found) for name, found in _class_groups(samples).items()},
        unreadable=tuple((name, one.reason) for name, one in facts.items() if one.reason is not None),
        problems=tuple((problem.name, problem.reason) for problem in dataset.problems),
        duplicates=tuple(tuple(sample.name for sample in same) for same in duplicates),
        sizes=dict(sizes.most_common()),
        findings=tuple(sorted(findings, key=lambda finding: order.index(finding.severity))),
    )


def _splits(samples: Sequence[Sample]) -> dict[str, dict[str, int]]:
    counts = Counter((sample.split or "", sample.label) for sample in samples)
    return {
        split: {name: counts[split, index] for index, name in enumerate(CLASSES)}
        for split in sorted({split for split, _ in counts})
    }


def _class_groups(samples: Sequence[Sample]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {name: set() for name in CLASSES}
    for sample in samples:
        if sample.group:
            found[CLASSES[sample.label]].add(sample.group)
    return found


def _duplicates(samples: Sequence[Sample], facts: Mapping[str, ImageFacts]) -> list[list[Sample]]:
    same: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if facts[sample.name].sha256:
            same[facts[sample.name].sha256].append(sample)
    return [found for found in same.values() if len(found) > 1]


def _files(dataset: Dataset, facts: Mapping[str, ImageFacts]) -> Iterator[Finding]:
    if dataset.generated:
        yield Finding(
            "note",
            "generated",
            "The images are drawn by a program",
            "No figure measured on them is evidence about real faces.",
        )
    unreadable = [f"{name} ({one.reason})" for name, one in facts.items() if one.reason is not None]
    if unreadable:
        detail = "They stay in the list, are counted as unreadable in every run and never enter training."
        yield Finding(
            "error", "unreadable", f"{_count(unreadable, 'image')} can't be read", detail, tuple(unreadable)
        )
    if dataset.problems:
        names = tuple(f"{problem.name} ({problem.reason})" for problem in dataset.problems)
        detail = "They are not part of the data set until the reason beside each is gone."
        yield Finding("warning", "problems", f"{_count(names, 'file')} left out", detail, names)
    short = {name: min(one.width, one.height) for name, one in facts.items() if one.reason is None}
    tiny = tuple(name for name, side in short.items() if side < TOO_SMALL)
    if tiny:
        detail = f"Their short side is under {TOO_SMALL} pixels, the smallest face the detector can find."
        yield Finding("error", "tiny", f"{_count(tiny, 'image')} too small for any face", detail, tiny)
    small = tuple(name for name, side in short.items() if TOO_SMALL <= side < SMALL)
    if small:
        detail = f"Their short side is under {SMALL} pixels, so that a crop has to be enlarged several times."
        yield Finding("warning", "small", _count(small, "small image"), detail, small)


def _copies(samples: Sequence[Sample], duplicates: Sequence[Sequence[Sample]]) -> Iterator[Finding]:
    def names(sets: Iterable[Sequence[Sample]]) -> tuple[str, ...]:
        return tuple(" = ".join(sample.name for sample in same) for same in sets)

    labels, splits, plain = [], [], []
    for same in duplicates:
        contradicts = len({sample.label for sample in same}) > 1
        leaks = len({sample.split for sample in same if sample.split}) > 1
        if contradicts:
            labels.append(same)
        if leaks:
            splits.append(same)
        if not contradicts and not leaks:
            plain.append(same)
    if labels:
        detail = "At least one of the labels is wrong; keep the right copy and delete the other."
        title = f"{_count(labels, 'image')} filed under two labels"
        yield Finding("error", "two_labels", title, detail, names(labels))
    if splits:
        detail = "What is trained on is also tested on; keep one copy of each."
        title = f"{_count(splits, 'image')} copied into two splits"
        yield Finding("error", "two_splits", title, detail, names(splits))
    if plain:
        detail = (
            "Copies of one file may fall into training and validation of a random fold; keep one of each."
        )
        title = f"{_count(plain, 'set')} of byte-identical images"
        yield Finding("warning", "duplicates", title, detail, names(plain))


def _straddling(samples: Sequence[Sample]) -> Iterator[Finding]:
    clips = _in_several_splits((sample.clip, sample.split) for sample in samples)
    if clips:
        detail = "Frames of one shot are nearly the same image, so the splits leak into each other."
        yield Finding("error", "clip_straddles", f"{_count(clips, 'clip')} in several splits", detail, clips)
    groups = _in_several_splits((sample.group, sample.split) for sample in samples)
    if groups:
        detail = "The same movie or person is on both sides: figures are not independent of who is seen."
        yield Finding(
            "warning", "group_straddles", f"{_count(groups, 'group')} in several splits", detail, groups
        )


def _in_several_splits(pairs: Iterable[tuple[str, str | None]]) -> tuple[str, ...]:
    found: dict[str, set[str]] = defaultdict(set)
    for name, split in pairs:
        if name and split:
            found[name].add(split)
    return tuple(sorted(name for name, splits in found.items() if len(splits) > 1))


def _balance(dataset: Dataset) -> Iterator[Finding]:
    counts = dataset.class_counts()
    empty = tuple(name for name, count in counts.items() if count == 0)
    if empty:
        detail = "A model can't learn them, and figures are over fewer than seven classes."
        yield Finding("warning", "empty_class", f"{_count(empty, 'class')} without an image", detail, empty)
    present = {name: count for name, count in counts.items() if count}
    if present:
        low, high = min(present, key=present.__getitem__), max(present, key=present.__getitem__)
        if present[high] >= IMBALANCE * present[low]:
            title = f"Classes are unbalanced: {present[high]} of {high}, {present[low]} of {low}"
            detail = "Draw classes evenly in training and look at the balanced accuracy and macro F1."
            yield Finding("warning", "imbalance", title, detail, (high, low))


def _grouping(samples: Sequence[Sample]) -> Iterator[Finding]:
    unknown = tuple(sample.name for sample in samples if not sample.group)
    groups = {sample.group for sample in samples if sample.group}
    if not groups:
        detail = (
            "Each image counts as a group of its own, and one person may be on both sides of a fold. A CSV with a "
            "group column tells them apart, or --group-pattern on the command line."
        )
        yield Finding("note", "no_groups", "No movies or persons are known", detail)
        return
    if unknown:
        title = f"{_count(unknown, 'image')} of no known movie or person"
        yield Finding("warning", "unknown_group", title, "Each counts as a group of its own.", unknown)
    if len(groups) < FOLDS:
        detail = f"A by-group protocol with {FOLDS} folds needs at least {FOLDS}."
        yield Finding("warning", "few_groups", _count(groups, "group"), detail, tuple(sorted(groups)))
    scarce = tuple(name for name, found in _class_groups(samples).items() if 0 < len(found) < FOLDS)
    if scarce:
        title = f"{_count(scarce, 'class')} from fewer than {FOLDS} groups"
        detail = "Some folds of a by-group protocol will hold none of them."
        yield Finding("note", "scarce_class", title, detail, scarce)


def _count(things: Iterable[Any], word: str) -> str:
    number = len(list(things))
    plural = word + ("es" if word.endswith("s") else "s")
    return f"{number} {word if number == 1 else plural}"
