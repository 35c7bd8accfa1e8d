"""A fingerprint follows the content and nothing else."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from trees import plant

from fer_core.config.reading import Reading
from fer_core.datasets.base import Dataset
from fer_core.datasets.fingerprint import data_config, fingerprint
from fer_core.datasets.readers.image_folder import read_folder

NAMES = ["happy/a.png", "sad/b.png", "sad/c.png"]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return read_folder(plant(tmp_path / "data", NAMES))


def test_it_is_the_hash_of_names_labels_groups_and_contents(dataset: Dataset) -> None:
    rows = [
        [s.name, s.label, s.split, s.group, s.clip, hashlib.sha256(s.path.read_bytes()).hexdigest()]
        for s in dataset.samples
    ]
    text = json.dumps({"samples": rows, "version": 1}, separators=(",", ":"))
    assert fingerprint(dataset) == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_place_order_times_and_name_play_no_part(dataset: Dataset, tmp_path: Path) -> None:
    elsewhere = tmp_path / "far" / "away"
    shutil.copytree(dataset.root, elsewhere)
    os.utime(elsewhere / NAMES[0], (1, 1))
    copied = read_folder(elsewhere)
    shuffled = replace(copied, name="other", layout="csv", samples=copied.samples[::-1], problems=())
    assert fingerprint(dataset) == fingerprint(copied) == fingerprint(shuffled)


@pytest.mark.parametrize(
    "change",
    [
        lambda sample: replace(sample, label=0),
        lambda sample: replace(sample, split="train"),
        lambda sample: replace(sample, group="Movie"),
        lambda sample: replace(sample, clip="Movie_1"),
        lambda sample: replace(sample, name="happy/z.png"),
    ],
)
def test_any_change_of_meaning_changes_it(dataset: Dataset, change: Callable[..., object]) -> None:
    changed = replace(dataset, samples=(change(dataset.samples[0]), *dataset.samples[1:]))
    assert fingerprint(changed) != fingerprint(dataset)


def test_any_change_of_content_changes_it(dataset: Dataset, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = fingerprint(dataset, cache=cache)
    path = dataset.samples[1].path
    whole, kept = path.read_bytes(), path.stat()
    path.write_bytes(whole[:-1] + b"x")
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))  # a copy that keeps size and time
    changed = fingerprint(dataset, cache=cache)
    path.unlink()
    missing = fingerprint(dataset, cache=cache)
    assert len({first, changed, missing}) == 3
    path.write_bytes(whole)
    assert fingerprint(dataset, cache=cache) == fingerprint(dataset) == first
    assert fingerprint(replace(dataset, samples=dataset.samples[:2])) not in {first, changed, missing}


def test_the_description_for_a_run(dataset: Dataset) -> None:
    config = data_config(replace(dataset, reading=Reading(label_map="ours")))
    assert (config.source, config.layout, config.name) == (str(dataset.root), "folder", "data")
    assert (config.images, config.reading.label_map, config.fingerprint) == (3, "ours", fingerprint(dataset))
