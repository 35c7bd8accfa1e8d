"""Artifacts shared through an object store: fsspec's memory and local file systems stand for S3."""

import errno
import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from fer_core.config.settings import load
from fer_core.errors import ConfigError, NotFoundError, StoreError
from fer_core.storage.artifacts import CONFIG, Artifacts
from fer_core.storage.shared_artifacts import SharedArtifacts, artifacts_of
from fer_core.storage.sums import SUMS


@pytest.fixture(params=["memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield "memory://bucket/fer" if request.param == "memory" else f"file://{tmp_path}/bucket"
    fsspec.filesystem("memory").store.clear()


def host(tmp_path: Path, name: str, url: str) -> SharedArtifacts:
    return SharedArtifacts(tmp_path / name, url)


def build(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "values.npy").write_bytes(bytes(range(256)))
    (folder / "table.jsonl").write_text("{}\n")


def never(_: Path) -> None:
    raise AssertionError("it is there already")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_one_host_makes_another_opens_byte_for_byte(tmp_path: Path, url: str) -> None:
    one, other = host(tmp_path, "one", url), host(tmp_path, "other", url)
    made = one.ensure("crops", "k1", {"b": 1, "a": [2]}, build)
    assert other.has("crops", "k1")
    assert other.keys("crops") == ["k1"]
    assert other.read_config("crops", "k1") == {"a": [2], "b": 1}
    assert not (tmp_path / "other").exists(), "nothing was downloaded for that"
    assert contents(other.open("crops", "k1")) == contents(made)
    assert set(contents(made)) == {"deep/values.npy", "table.jsonl", CONFIG, SUMS}
    assert other.ensure("crops", "k1", {"b": 1, "a": [2]}, never) == tmp_path / "other" / "crops" / "k1"
    assert contents(Artifacts(tmp_path / "other").open("crops", "k1")) == contents(made)


def test_config_goes_up_last_and_a_cut_off_upload_is_done_later(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = host(tmp_path, "one", url), host(tmp_path, "other", url)
    files, sent = fsspec.core.url_to_fs(url)[0], []
    put = files.put_file

    def breaks(source: str, target: str) -> None:
        sent.append(target)
        if target.endswith("table.jsonl"):
            raise OSError(errno.ECONNRESET, "connection reset")
        put(source, target)

    monkeypatch.setattr(files, "put_file", breaks)
    with pytest.raises(StoreError, match="FER_ARTIFACTS_URL"):
        one.ensure("crops", "k1", {}, build)
    assert not any(name.endswith(CONFIG) for name in sent)
    assert not other.has("crops", "k1"), "half an upload is none"
    with pytest.raises(NotFoundError):
        other.open("crops", "k1")
    monkeypatch.setattr(files, "put_file", put)
    one.ensure("crops", "k1", {}, never)
    assert contents(other.open("crops", "k1")) == contents(one.open("crops", "k1"))


def test_a_cut_off_download_leaves_nothing_that_looks_whole(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = host(tmp_path, "one", url), host(tmp_path, "other", url)
    made = one.ensure("crops", "k1", {}, build)
    files = fsspec.core.url_to_fs(url)[0]
    get = files.get_file

    def breaks(source: str, target: str) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(errno.ECONNRESET, "connection reset")

    monkeypatch.setattr(files, "get_file", breaks)
    with pytest.raises(StoreError, match="must answer"):
        other.open("crops", "k1")
    assert not list((tmp_path / "other").glob("crops/k1"))
    monkeypatch.setattr(files, "get_file", get)
    assert contents(other.open("crops", "k1")) == contents(made)


def test_a_copy_that_was_let_go_is_downloaded_again(tmp_path: Path, url: str) -> None:
    one, other = host(tmp_path, "one", url), host(tmp_path, "other", url)
    made = one.ensure("crops", "k1", {"a": 1}, build)
    for read in (other.open, other.read_config):
        os.utime(other.open("crops", "k1") / CONFIG, (1.0, 1.0))
        assert other.discard("crops", "k1")
        assert read("crops", "k1")
    assert contents(other.open("crops", "k1")) == contents(made)


def test_deleting_deletes_everywhere_that_is_asked_later(tmp_path: Path, url: str) -> None:
    one, other = host(tmp_path, "one", url), host(tmp_path, "other", url)
    one.ensure("crops", "k1", {}, build)
    assert other.delete("crops", "k1"), "it never was on this host"
    assert not other.has("crops", "k1")
    assert not other.keys("crops")
    assert one.has("crops", "k1"), "the maker's copy stays until it is deleted there"
    assert one.delete("crops", "k1")
    assert not one.delete("crops", "k1")


def test_the_settings_choose(tmp_path: Path) -> None:
    plain = artifacts_of(load(home=tmp_path))
    assert type(plain) is Artifacts
    shared = artifacts_of(load(home=tmp_path, artifacts_url="memory://bucket/fer"))
    assert isinstance(shared, SharedArtifacts)
    assert shared.root == plain.root == tmp_path / "artifacts"
    assert pickle.loads(pickle.dumps(shared)).url == "memory://bucket/fer", "tasks carry it along"
    with pytest.raises(ConfigError, match="FER_ARTIFACTS_URL"):
        SharedArtifacts(tmp_path, "nosuch://bucket/fer")
    with pytest.raises(StoreError, match="letters, digits"):
        shared.keys("../crops")
