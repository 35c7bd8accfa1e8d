"""Any tree with a folder per class, with or without train/validation/test folders in it.

What counts as an image: every file with an image's extension (`grouping.IMAGE_SUFFIXES`), readable or not.
Other files (Thumbs.db, notes, landmark files) and everything whose name begins with a dot, or lies in
`__MACOSX`, is no part of the data set. An image that can't become a sample is reported as a problem, never left
out unseen.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

from fer_core.config.run import CLASSES
from fer_core.datasets.base import Dataset, Problem, Sample, readable
from fer_core.errors import DataError

from .grouping import IMAGE_SUFFIXES, groups_and_clips
from .labels import is_number, parse_label

#: Folder names (and cells of a CSV) that name a split, case aside.
SPLITS: dict[str, str] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "set1": "set1",
    "set2": "set2",
}

#: Words that may follow a split in a folder's name: Train_Aligned_Faces, Val_Aligned_Faces_new, 'test set'.
_FILLERS = frozenset(
    {
        *("aligned", "data", "face", "faces", "frame", "frames", "image", "images"),
        *("img", "imgs", "new", "original", "set", "sfew"),
    }
)


def read_folder(root: Path, *, label_codes: str | None = None, group_pattern: str | None = None) -> Dataset:
    """Read a tree of images whose folders name classes and, maybe, splits.

    An image's class is the folder above it that names one, at whatever depth; its split likewise
    (`Train/Train_Aligned_Faces/Angry/x.png`). Group and clip come from film names or `group_pattern`
    (`grouping.groups_and_clips`); images of neither have the group "" and count as a group each.

    Args:
        root: the folder.
        label_codes: '0-6' or '1-7' where folders are numbered.
        group_pattern: a regular expression that finds the group in a sample's name.

    Raises:
        DataError: no such folder, no labelled image in it, numbered folders without `label_codes`.
    """
    if not root.is_dir():
        raise DataError(
            "A data set's path must be a folder or a CSV file",
            got=str(root),
            fix="Check its spelling and that it exists",
        )
    root = root.absolute()
    problems: list[Problem] = []
    labelled: dict[str, tuple[Path, int, str | None]] = {}
    meaning = cache(lambda above: _meaning(PurePosixPath(above).parts, label_codes))
    for name, path in _walk(root, "", (_identity(root),), problems):
        if name != (shown := readable(name)):
            problems.append(Problem(shown, "its name is not valid UTF-8; rename it"))
            continue
        label, split, reason = meaning(name.rpartition("/")[0])
        if label is None:
            problems.append(Problem(name, reason))
        else:
            labelled[name] = (path, label, split)
    if not labelled:
        raise _nothing_labelled(root, problems)
    names = sorted(labelled)
    samples = tuple(
        Sample(name, *labelled[name], group, clip)
        for name, (group, clip) in zip(names, groups_and_clips(names, group_pattern), strict=True)
    )
    return Dataset(
        name=root.resolve().name or str(root),
        source=str(root),
        layout="folder",
        root=root,
        samples=samples,
        problems=tuple(sorted(problems, key=lambda problem: problem.name)),
    )


def parse_split(text: str) -> str | None:
    """Return the split that a folder's name or a cell means, None if it means none."""
    words = [word for word in re.split(r"[\W_]+", text.strip().casefold()) if word]
    if len(words) >= 2 and words[0] == "set" and words[1] in ("1", "2"):  # 'Set 1'
        words[:2] = ["set" + words[1]]
    if not words or not _FILLERS.issuperset(words[1:]):
        return None
    return SPLITS.get(words[0])


def _walk(
    folder: Path, prefix: str, above: tuple[tuple[int, int], ...], problems: list[Problem]
) -> Iterator[tuple[str, Path]]:
    """Yield name and path of every image file below a folder, links to other folders followed.

    What can't be looked into, dead links and special files with an image's name go to `problems`.

    Args:
        prefix: the folder's name inside the data set, with a slash behind it.
        above: the identities of the folder and those above it, into which no link is followed.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        problems.append(Problem(readable(prefix) or ".", f"folder can't be read: {error.strerror}"))
        return
    for entry in entries:
        name, path = prefix + entry.name, folder / entry.name
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        try:
            leads_on = entry.is_dir()
        except OSError as error:  # a link onto itself
            problems.append(Problem(readable(name), f"can't be looked at: {error.strerror}"))
            continue
        if leads_on:
            identity = _identity(path)
            if identity in above:
                problems.append(Problem(readable(name) + "/", "a link to a folder above it"))
            else:
                yield from _walk(path, name + "/", (*above, identity), problems)
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            if entry.is_file():
                yield name, path
            else:
                problems.append(
                    Problem(readable(name), "a dead link" if entry.is_symlink() else "not a regular file")
                )


def _identity(folder: Path) -> tuple[int, int]:
    facts = folder.stat()
    return facts.st_dev, facts.st_ino


def _meaning(folders: tuple[str, ...], codes: str | None) -> tuple[int | None, str | None, str]:
    """Return the class and split that the folders above an image name, and why they name no class."""
    splits = {split: folder for folder in folders if (split := parse_split(folder))}
    if len(splits) > 1:
        return None, None, f"its folders name two splits ({' and '.join(splits.values())})"
    split = next(iter(splits), None)
    others = [folder for folder in folders if not parse_split(folder)]
    named = [(parse_label(folder), folder) for folder in others if not is_number(folder)]
    labels = {label: folder for label, folder in named if label is not None}
    if len(labels) > 1:
        return None, None, f"its folders name two classes ({' and '.join(labels.values())})"
    if labels:
        return next(iter(labels)), split, ""
    # Numbers count only where no folder has a name: a person's number is no class.
    numbers = [folder for folder in others if is_number(folder) and (codes or len(folder) == 1)]
    if numbers:
        label = parse_label(numbers[-1], codes=codes)
        return label, split, f"folder {numbers[-1]!r} is outside the codes {codes}"
    if others and others[-1] == folders[-1]:
        return None, None, f"folder {others[-1]!r} names none of the classes {', '.join(CLASSES)}"
    if split == "test":
        return None, None, "a test image without a label: it lies in no class's folder"
    return None, None, "it lies in no class's folder"


def _nothing_labelled(root: Path, problems: list[Problem]) -> DataError:
    tables = sorted(path.name for path in root.glob("*.csv"))
    fix = "Sort the images into such folders or list them in a CSV"
    got = f"no labelled image in {root}"
    if problems:
        got += f" ({len(problems)} without, such as {problems[0].name}: {problems[0].reason})"
    return DataError(
        f"A data set's folder must hold folders named after the classes {', '.join(CLASSES)}",
        got=got,
        fix=f"Give the path of {tables[0]} instead" if tables else fix,
    )
