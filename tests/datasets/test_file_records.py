"""What is known of files is computed once, kept by size and times, and lost at no cost but time."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from trees import plant

from fer_core.datasets.base import Sample
from fer_core.datasets.file_records import Record, file_records, inspect_all
from fer_core.datasets.fingerprint import fingerprint
from fer_core.datasets.readers.image_folder import read_folder

NAMES = [f"sad/{index}.png" for index in range(6)]


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    return list(read_folder(plant(tmp_path / "data", NAMES)).samples)


class Reader:
    """Hashes files and remembers which."""

    def __init__(self, **more: str) -> None:
        self.read: list[str] = []
        self.more = more

    def __call__(self, path: Path) -> Record:
        self.read.append(path.name)
        data = path.read_bytes() if path.exists() else b""
        return {"sha256": hashlib.sha256(data).hexdigest() if data else "", **self.more}


def test_only_what_changed_is_computed_again(samples: list[Sample], tmp_path: Path) -> None:
    cache, reader, steps = tmp_path / "cache", Reader(), []
    first = file_records(
        samples, reader, needs=("sha256",), cache=cache, progress=lambda *step: steps.append(step)
    )
    assert list(first) == NAMES
    assert len(reader.read) == 6
    assert (steps[0], steps[-1]) == ((0, 6), (6, 6))
    assert file_records(samples, reader, needs=("sha256",), cache=cache) == first
    assert len(reader.read) == 6

    path, kept = samples[2].path, samples[2].path.stat()
    changed = bytearray(path.read_bytes())
    changed[-20] ^= 1  # same size, and the old time put back
    path.write_bytes(bytes(changed))
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    second = file_records(samples, reader, needs=("sha256",), cache=cache)
    assert reader.read[6:] == ["2.png"]
    assert second[NAMES[2]] != first[NAMES[2]]


def test_different_computations_share_what_they_know(samples: list[Sample], tmp_path: Path) -> None:
    cache, wide, plain = tmp_path / "cache", Reader(width="8"), Reader()
    file_records(samples[:4], plain, needs=("sha256",), cache=cache)
    found = file_records(samples, wide, needs=("sha256", "width"), cache=cache)
    assert {record["width"] for record in found.values()} == {"8"}
    assert file_records(samples, plain, needs=("sha256",), cache=cache) == found
    assert (len(wide.read), len(plain.read)) == (6, 4)


def test_what_the_audit_has_read_spares_the_fingerprint(samples: list[Sample], tmp_path: Path) -> None:
    dataset, cache = read_folder(tmp_path / "data"), tmp_path / "cache"
    inspect_all(dataset.samples, cache=cache)
    (file,) = cache.iterdir()
    kept = [
        [path, stamp, record | {"sha256": "0" * 64}] for path, stamp, record in json.loads(file.read_text())
    ]
    file.write_text(json.dumps(kept))
    assert fingerprint(dataset, cache=cache) != fingerprint(dataset)  # it took the hashes that are kept


def test_a_damaged_or_forbidden_cache_costs_only_time(samples: list[Sample], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = file_records(samples, Reader(), needs=("sha256",), cache=cache)
    (file,) = cache.iterdir()
    for text in ("", "[1, 2", "{}", '[["a"]]', "[[1, 2, 3]]"):
        file.write_text(text)
        assert file_records(samples, Reader(), needs=("sha256",), cache=cache) == first
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder would be")
    assert file_records(samples, Reader(), needs=("sha256",), cache=blocked) == first


def test_what_was_stopped_keeps_what_it_has(samples: list[Sample], tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        file_records(samples, Reader(), needs=("sha256",), cache=tmp_path / "cache", progress=stop)
    (file,) = (tmp_path / "cache").iterdir()
    assert len(json.loads(file.read_text())) == 3


def test_files_that_could_not_be_read_are_never_kept(samples: list[Sample], tmp_path: Path) -> None:
    data = samples[0].path.read_bytes()
    samples[0].path.unlink()
    assert inspect_all(samples, cache=tmp_path / "cache")[NAMES[0]].reason == "no such file"
    samples[0].path.mkdir()
    assert inspect_all(samples, cache=tmp_path / "cache")[NAMES[0]].reason == "a folder, not a file"
    samples[0].path.rmdir()
    samples[0].path.write_bytes(data)
    assert inspect_all(samples, cache=tmp_path / "cache")[NAMES[0]].reason is None
