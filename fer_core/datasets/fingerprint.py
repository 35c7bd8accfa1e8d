"""The identity of a data set: what it holds, wherever it lies."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from fer_core.config.regular_files import opened
from fer_core.config.run import DataConfig, digest
from fer_core.errors import DataError

from .base import Dataset, Progress
from .file_records import file_records
from .pictures.parts import part_of, stored

#: Part of every fingerprint; raised when what it covers changes.
VERSION = 1


def fingerprint(dataset: Dataset, *, cache: Path | None = None, progress: Progress | None = None) -> str:
    """Return the data set's identity: 16 hex digits over names, labels, splits, groups, clips and contents.

    The folder it lies in, the order the file system lists it in, file times and what people call it play no
    part. A sample whose file can't be read counts as such: once it can, the fingerprint is another.

    `cache` and `progress` are as `file_records` takes them.
    """
    records = file_records(dataset.samples, _hash, needs=("sha256",), cache=cache, progress=progress)
    rows = [
        [sample.name, sample.label, sample.split, sample.group, sample.clip, records[sample.name]["sha256"]]
        for sample in sorted(dataset.samples, key=lambda sample: sample.name)
    ]
    return digest({"version": VERSION, "samples": rows})


def data_config(
    dataset: Dataset, *, cache: Path | None = None, progress: Progress | None = None
) -> DataConfig:
    """Describe a data set for a run's definition; `cache` and `progress` as `fingerprint` takes them."""
    whole = replace(dataset, samples=(*dataset.samples, *dataset.excluded))
    return DataConfig(
        fingerprint=fingerprint(dataset, cache=cache, progress=progress),
        source=dataset.source,
        layout=dataset.layout,
        reading=dataset.reading,
        name=dataset.name,
        images=len(dataset),
        generated=dataset.generated,
        of=fingerprint(whole, cache=cache, progress=progress) if dataset.excluded else "",
    )


def _hash(path: Path) -> dict[str, Any]:
    try:
        if part_of(path):
            return {"sha256": hashlib.sha256(stored(path)).hexdigest()}
        with opened(path) as file:
            return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    except (OSError, DataError):
        return {"sha256": ""}
