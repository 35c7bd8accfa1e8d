"""Allowed folders: on a shared host, data sets, every image of them, feature tables and weights lie in these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fer_core.config.allowed_folders import RULE, inside
from fer_core.errors import DataError

from .base import Dataset, Problem


def within(dataset: Dataset, roots: Sequence[Path]) -> Dataset:
    """Return a data set without the images that links lead out of the folders; each becomes a problem.

    Raises:
        DataError: no image is left.
    """
    if not roots:
        return dataset
    real = [root.resolve() for root in roots]
    kept = tuple(sample for sample in dataset.samples if inside(sample.path, real))
    if dataset.samples and not kept:
        raise DataError(
            RULE.format(what="A data set"), got=f"{dataset.source}, whose images are all links out of it"
        )
    left = {sample.name for sample in dataset.samples} - {sample.name for sample in kept}
    problems = [Problem(name, "a link leads out of the allowed folders") for name in sorted(left)]
    return replace(dataset, samples=kept, problems=(*dataset.problems, *problems))
