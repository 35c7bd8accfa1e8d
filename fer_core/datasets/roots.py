"""Allowed folders: on a shared host, data sets, every image of them, feature tables and weights lie in these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import DataError
from ..settings import load
from .base import Dataset, Problem

RULE = "{what} must lie in a folder that this installation allows (FER_DATA_ROOTS)"


def require_inside(path: Path, roots: Sequence[Path] | None = None, *, what: str = "A data set") -> None:
    """Check that a path, links and '..' followed, lies in one of the folders; no folders allow any.

    Args:
        roots: the settings' unless given.
        what: what lies there, for the message.

    Raises:
        DataError: it doesn't. The message doesn't say whether anything is there.
    """
    roots = load().data_roots if roots is None else roots
    if roots and not _inside(path, [root.resolve() for root in roots]):
        raise DataError(
            RULE.format(what=what), got=str(path), fix="Move it there, or ask whoever runs this installation"
        )


def within(dataset: Dataset, roots: Sequence[Path]) -> Dataset:
    """Return a data set without the images that links lead out of the folders; each becomes a problem.

    Raises:
        DataError: no image is left.
    """
    if not roots:
        return dataset
    real = [root.resolve() for root in roots]
    kept = tuple(sample for sample in dataset.samples if _inside(sample.path, real))
    if dataset.samples and not kept:
        raise DataError(
            RULE.format(what="A data set"), got=f"{dataset.source}, whose images are all links out of it"
        )
    left = {sample.name for sample in dataset.samples} - {sample.name for sample in kept}
    problems = [Problem(name, "a link leads out of the allowed folders") for name in sorted(left)]
    return replace(dataset, samples=kept, problems=(*dataset.problems, *problems))


def _inside(path: Path, roots: Sequence[Path]) -> bool:
    place = path.resolve()
    return any(place.is_relative_to(root) for root in roots)
