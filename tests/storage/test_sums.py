"""A flipped bit, a lost or an emptied file is noticed when an artifact is opened, and made good where it can be."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_core.errors import StoreError
from fer_core.storage import sums
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.shared_artifacts import SharedArtifacts

KEY = "0123456789abcdef"
FILES = ("deep/values.bin", "table.jsonl")


def build(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / FILES[0]).write_bytes(bytes(range(256)) * 40)
    (folder / FILES[1]).write_text("{}\n")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES = {"changed": flip, "empty": empty, "missing": Path.unlink}


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    made = Artifacts(tmp_path / "artifacts")
    made.ensure("crops", KEY, {"size": 160}, build)
    made.open("crops", KEY)
    return made


@pytest.mark.parametrize("name", [*FILES, "config.json"])
@pytest.mark.parametrize("how", DAMAGES)
def test_damage_is_named_and_the_artifact_is_made_again(artifacts: Artifacts, name: str, how: str) -> None:
    folder = artifacts.path("crops", KEY)
    DAMAGES[how](folder / name)
    if (name, how) == ("config.json", "missing"):
        assert not artifacts.has("crops", KEY)
    else:
        assert sums.damage(folder) == {name: how}
        with pytest.raises(StoreError, match=f"crops/{KEY}/{name}: {how}"):
            artifacts.open("crops", KEY)
    assert not artifacts.whole("crops", KEY)
    assert artifacts.ensure("crops", KEY, {"size": 160}, build) == folder
    assert artifacts.whole("crops", KEY)
    assert (folder / FILES[0]).read_bytes() == bytes(range(256)) * 40


@pytest.mark.parametrize("change", [flip, empty])
def test_damaged_sums_are_no_excuse(artifacts: Artifacts, change: Callable[[Path], None]) -> None:
    change(artifacts.path("crops", KEY) / sums.SUMS)
    with pytest.raises(StoreError, match="python -m fer_core check"):
        artifacts.open("crops", KEY)


def test_what_was_made_without_sums_is_taken_as_it_is(artifacts: Artifacts) -> None:
    (artifacts.path("crops", KEY) / sums.SUMS).unlink()
    flip(artifacts.path("crops", KEY) / FILES[0])
    assert artifacts.open("crops", KEY) == artifacts.path("crops", KEY)


def test_an_opened_artifact_is_read_again_only_where_size_or_time_changed(artifacts: Artifacts) -> None:
    path = artifacts.path("crops", KEY) / FILES[0]
    before = path.stat()
    flip(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert artifacts.open("crops", KEY), "sizes and times are as they were"
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    with pytest.raises(StoreError, match="changed"):
        artifacts.open("crops", KEY)


def test_noting_a_use_is_no_change(artifacts: Artifacts) -> None:
    os.utime(artifacts.path("crops", KEY) / "config.json", (1e9, 1e9))
    assert artifacts.open("crops", KEY) == artifacts.path("crops", KEY)


def test_sha256sum_reads_the_sums(artifacts: Artifacts) -> None:
    command = ["sha256sum", "--check", "--strict", "--quiet", sums.SUMS]
    assert subprocess.run(command, cwd=artifacts.path("crops", KEY), check=False).returncode == 0


def test_a_damaged_copy_is_downloaded_again_and_a_damaged_original_refused(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/bucket"
    SharedArtifacts(tmp_path / "one", url).ensure("crops", KEY, {}, build)
    other = SharedArtifacts(tmp_path / "other", url)
    flip(other.open("crops", KEY) / FILES[0])
    assert (other.open("crops", KEY) / FILES[0]).read_bytes() == bytes(range(256)) * 40
    flip(tmp_path / "bucket" / "crops" / KEY / FILES[0])
    empty(tmp_path / "other" / "crops" / KEY / FILES[0])
    with pytest.raises(StoreError, match=r"values\.bin: changed"):
        other.open("crops", KEY)
