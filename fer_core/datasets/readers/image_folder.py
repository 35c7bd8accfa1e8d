"""Any tree with a folder per class, with or without train/validation/test folders in it.

An image that can't become a sample is reported as a problem, never left out unseen.
"""

from collections import Counter
from functools import cache
from pathlib import Path, PurePosixPath

from fer_core.config.reading import AS_IT_IS, Reading
from fer_core.config.run import CLASSES
from fer_core.datasets.base import Dataset, Problem, Sample
from fer_core.datasets.pictures.image_files import walk
from fer_core.errors import DataError

from .meanings.grouping import groups_and_clips
from .meanings.labels import (
    LEFT_OUT,
    LabelMap,
    is_number,
    label_map,
    meaning,
    numbers_without_map,
    parse_split,
    plain,
)

#: The rule of every error about a path that leads to no data set.
PATH = "A data set's path must be a folder or a CSV file"

#: Name and path of each image of a folder, and what is wrong with other files.
Files = tuple[list[tuple[str, Path]], tuple[Problem, ...]]


def read_folder(root: Path, reading: Reading = AS_IT_IS, files: Files | None = None) -> Dataset:
    """Read a tree of images (`image_files.walk`) whose folders name classes and, maybe, splits.

    An image's class is the folder above it that names one, at whatever depth; its split likewise
    (`Train/Train_Aligned_Faces/Angry/x.png`). Folders of one or two digits are classes where a label map is declared
    and no folder above the image has a class's name. Group and clip come from film names or the group pattern
    (`grouping.groups_and_clips`); images of neither have the group "" and count as a group each.

    Args:
        files: what `image_files.walk` yielded and found wrong, where that is known.

    Raises:
        DataError: no such folder, no labelled image in it, numbered folders without a label map or of which most
            are not in it.
    """
    if not root.is_dir():
        raise DataError(PATH, got=str(root), fix="Check its spelling and that it exists")
    root, labels = root.absolute(), label_map(reading.label_map)
    problems: list[Problem] = [*files[1]] if files else []
    labelled: dict[str, tuple[Path, int, str | None]] = {}
    written: dict[str, str] = {}
    numbers: Counter[tuple[str, bool]] = Counter()  # images by numbered folder, and whether the map has it
    of_folder = cache(lambda above: _meaning(PurePosixPath(above).parts, labels))
    for name, path in files[0] if files else walk(root, problems):
        label, split, folder, reason = of_folder(name.rpartition("/")[0])
        if folder and is_number(folder):
            numbers[folder, labels is not None and folder in labels] += 1
        if label is None:
            problems.append(Problem(name, reason))
        else:
            labelled[name], written[name] = (path, label, split), folder
    unknown = [folder for folder, meant in numbers if not meant]
    if labels and unknown and 2 * len(unknown) >= len(numbers):
        raise DataError(
            f"Most numbered folders must be labels of the map {labels}",
            got=f"{len(unknown)} of {len(numbers)} in {root} that are not: {', '.join(unknown[:5])}",
            fix="They may be folders of storage or of persons: give the list with the labels, or another layout",
        )
    if labels is None and sum(numbers.values()) > len(labelled):
        raise numbers_without_map(str(root), next(iter(numbers))[0])
    if not labelled:
        raise _nothing_labelled(root, problems)
    names = sorted(labelled)
    samples = tuple(
        Sample(name, *labelled[name], group, clip, written[name])
        for name, (group, clip) in zip(names, groups_and_clips(names, reading.group_pattern), strict=True)
    )
    return Dataset(
        name=root.resolve().name or str(root),
        source=str(root),
        layout="folder",
        root=root,
        samples=samples,
        problems=tuple(sorted(problems, key=lambda problem: problem.name)),
        label_map=labels.name if labels else None,
    )


def _meaning(folders: tuple[str, ...], labels: LabelMap | None) -> tuple[int | None, str | None, str, str]:
    """Return class and split that the folders above an image name, the folder that does, and why none does."""
    splits = {split: folder for folder in folders if (split := parse_split(folder))}
    if len(splits) > 1:
        return None, None, "", f"its folders name two splits ({' and '.join(splits.values())})"
    split = next(iter(splits), None)
    others = [folder for folder in folders if not parse_split(folder)]
    said = {folder: meaning(folder, labels) for folder in others}
    classes = {
        found: folder for folder, found in said.items() if isinstance(found, int) and not is_number(folder)
    }
    if len(classes) > 1:
        return None, None, "", f"its folders name two classes ({' and '.join(classes.values())})"
    if classes:
        label, folder = next(iter(classes.items()))
        return label, split, folder, ""
    # Numbers count only where no folder has a name: a person's number is no class, nor is a sequence's 001.
    numbers = [folder for folder in others if is_number(folder) and len(folder) <= (2 if labels else 1)]
    if numbers:
        found = said[numbers[-1]]
        if isinstance(found, int):
            return found, split, numbers[-1], ""
        return None, None, numbers[-1], found
    left = next((folder for folder in others if plain(folder) in LEFT_OUT), None)
    if left or (others and others[-1] == folders[-1]):
        return None, None, left or "", str(said[left or others[-1]])
    if split == "test":
        return None, None, "", "a test image without a label: it lies in no class's folder"
    return None, None, "", "it lies in no class's folder"


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
