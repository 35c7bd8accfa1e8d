"""An artifact is whole or not there, also when its writer dies."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from fer_core import ROOT
from fer_core.datasets.base import Sample
from fer_core.errors import Cancelled, NotFoundError, StoreError
from fer_core.faces.extraction import write_detections
from fer_core.learning.training import checkpoints
from fer_core.storage.artifacts import Artifacts, free_bytes, require_room
from fer_core.storage.sums import SUMS

KEY = "0123456789abcdef"


def write(text: str = "done") -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        (folder / "data.txt").write_text(text)

    return build


def fail(error: BaseException) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise error

    return build


def never(folder: Path) -> None:
    raise AssertionError("built again")


def left(artifacts: Artifacts) -> list[str]:
    return sorted(path.name for path in (artifacts.root / "crops").iterdir())


def test_made_once_then_found(artifacts: Artifacts) -> None:
    assert not artifacts.has("crops", KEY)
    assert not artifacts.root.exists()
    folder = artifacts.ensure("crops", KEY, {"size": 160}, write())
    assert folder == artifacts.path("crops", KEY) == artifacts.root / "crops" / KEY
    assert artifacts.has("crops", KEY)
    assert artifacts.open("crops", KEY) == folder
    assert artifacts.read_config("crops", KEY) == {"size": 160}
    assert json.loads((folder / "config.json").read_text()) == {"size": 160}
    assert artifacts.ensure("crops", KEY, {"size": 160}, never) == folder
    assert artifacts.keys("crops") == [KEY]
    assert artifacts.keys("activations") == []
    assert artifacts.size("crops", KEY) == sum(path.stat().st_size for path in folder.iterdir())
    assert left(artifacts) == [KEY]


@pytest.mark.parametrize("error", [ValueError("no"), Cancelled(), KeyboardInterrupt()])
def test_a_failed_build_leaves_nothing_and_can_be_repeated(
    artifacts: Artifacts, error: BaseException
) -> None:
    with pytest.raises(type(error)):
        artifacts.ensure("crops", KEY, {}, fail(error))
    with pytest.raises(TypeError):
        artifacts.ensure("crops", KEY, {"no JSON": object()}, write())
    assert left(artifacts) == []
    folder = artifacts.ensure("crops", KEY, {}, write())
    assert sorted(path.name for path in folder.iterdir()) == [SUMS, "config.json", "data.txt"]


def test_resuming_goes_on_with_what_is_there(artifacts: Artifacts) -> None:
    seen: list[str] = []

    def build(folder: Path) -> None:
        lines = folder / "lines"
        seen.append(lines.read_text() if lines.exists() else "")
        with lines.open("a") as file:
            file.write("x")
        if len(seen) < 3:
            raise Cancelled

    for _ in range(2):
        with pytest.raises(Cancelled):
            artifacts.ensure("crops", KEY, {}, build, resume=True)
    assert not artifacts.has("crops", KEY)
    folder = artifacts.ensure("crops", KEY, {}, build, resume=True)
    assert seen == ["", "x", "xx"]
    assert (folder / "lines").read_text() == "xxx"
    assert left(artifacts) == [KEY]


def test_many_threads_make_it_once(artifacts: Artifacts) -> None:
    built: list[int] = []
    start = threading.Barrier(6)

    def build(folder: Path) -> None:
        built.append(1)
        time.sleep(0.05)
        (folder / "data.txt").write_text("done")

    def work(_: int) -> str:
        start.wait()
        return (artifacts.ensure("crops", KEY, {}, build) / "data.txt").read_text()

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(work, range(6))) == ["done"] * 6
    assert built == [1]
    assert left(artifacts) == [KEY]


def test_a_waiting_writer_takes_over_from_one_that_failed(artifacts: Artifacts) -> None:
    entered, release = threading.Event(), threading.Event()

    def slow(folder: Path) -> None:
        entered.set()
        release.wait(30)
        raise ValueError("in the middle")

    with ThreadPoolExecutor(1) as other:
        first = other.submit(artifacts.ensure, "crops", KEY, {}, slow)
        assert entered.wait(30)
        folder = artifacts.ensure("crops", KEY, {}, write("second"), waiting=release.set)
        with pytest.raises(ValueError, match="in the middle"):
            first.result(30)
    assert (folder / "data.txt").read_text() == "second"


def test_a_lock_file_removed_while_it_is_taken_is_taken_again(
    artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    flock = fcntl.flock

    def race(handle: int, how: int) -> None:
        if how & fcntl.LOCK_EX:
            if not taken:  # the last holder lets go between opening and locking
                (artifacts.root / "crops" / f".{KEY}.lock").unlink()
            taken.append(handle)
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", race)
    artifacts.ensure("crops", KEY, {}, write())
    assert len(taken) == 2
    assert left(artifacts) == [KEY]


def test_waiting_can_be_given_up(artifacts: Artifacts) -> None:
    def give_up() -> None:
        raise Cancelled

    def build(folder: Path) -> None:
        with ThreadPoolExecutor(1) as other, pytest.raises(Cancelled):
            other.submit(artifacts.ensure, "crops", KEY, {}, never, waiting=give_up).result(30)

    artifacts.ensure("crops", KEY, {}, build)


CHILD = """
import sys, time
from pathlib import Path
from fer_core.storage.artifacts import Artifacts

def build(folder):
    (folder / "half").write_text("x")
    print("building", flush=True)
    time.sleep(600)

Artifacts(Path(sys.argv[1])).ensure("crops", sys.argv[2], {}, build)
"""


def test_a_killed_writer_frees_the_key_and_leaves_nothing_that_looks_done(artifacts: Artifacts) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(artifacts.root), KEY], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "building\n"
    other = "fedcba9876543210"
    artifacts.ensure("crops", other, {}, write())
    assert artifacts.keys("crops") == [other], "nothing looks done before it is"
    assert not artifacts.path("crops", KEY).exists()
    assert not artifacts.discard("crops", KEY), "a live writer's work is not to be touched"
    with pytest.raises(StoreError, match="while it is made"):
        artifacts.delete("crops", KEY)
    child.send_signal(signal.SIGKILL)
    child.wait(30)
    child.stdout.close()
    assert not artifacts.has("crops", KEY)
    assert f".{KEY}.partial" in left(artifacts)
    folder = artifacts.ensure("crops", KEY, {}, write())
    assert sorted(path.name for path in folder.iterdir()) == [SUMS, "config.json", "data.txt"]
    assert left(artifacts) == [KEY, other]


def test_what_is_missing_or_damaged_says_so(artifacts: Artifacts) -> None:
    for read in (artifacts.open, artifacts.read_config):
        with pytest.raises(NotFoundError, match=f"crops artifact.*no {KEY}"):
            read("crops", KEY)
    assert artifacts.size("crops", KEY) == 0
    folder = artifacts.ensure("crops", KEY, {}, write())
    for text in ("{", "[]"):
        (folder / "config.json").write_text(text)
        with pytest.raises(StoreError, match=r"config\.json"):
            artifacts.read_config("crops", KEY)


@pytest.mark.parametrize("word", ["", ".", "..", "../x", "a/b", ".hidden", "a b", "x\0", "a.b"])
def test_keys_cannot_leave_the_folder(artifacts: Artifacts, word: str) -> None:
    with pytest.raises(StoreError, match="letters, digits"):
        artifacts.path("crops", word)
    with pytest.raises(StoreError, match="letters, digits"):
        artifacts.path(word, KEY)


def test_a_place_that_cannot_be_written_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("a file where the folder would be")
    with pytest.raises(StoreError, match="FER_HOME"):
        Artifacts(tmp_path / "artifacts").ensure("crops", KEY, {}, write())


def test_a_home_that_may_not_be_made_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbid(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "home"))

    monkeypatch.setattr(Path, "mkdir", forbid)
    with pytest.raises(StoreError, match="FER_HOME"):
        Artifacts(tmp_path / "home" / "artifacts").ensure("crops", KEY, {}, write())


def test_a_margin_of_the_disk_is_left_to_the_database(
    artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_core.storage.artifacts.MARGIN", free_bytes(artifacts.root) + (1 << 40))
    with pytest.raises(StoreError, match=r"room to write .* on the disk of .*; got .* free\. Free some"):
        artifacts.ensure("crops", KEY, {}, never)
    assert left(artifacts) == []
    half = [json.dumps({"name": "a"}) + "\n"]
    with pytest.raises(StoreError, match="room to write"):
        write_detections([Sample("a", Path("a"), 0)], artifacts.root, lambda _: [half])
    with pytest.raises(StoreError, match="room to write"):
        checkpoints.write(artifacts.root / "fold", {"a": torch.zeros(2)}, {})
    assert not (artifacts.root / "fold").exists()
    monkeypatch.undo()
    with pytest.raises(StoreError, match="room to write"):
        require_room(artifacts.root, free_bytes(artifacts.root))
    artifacts.ensure("crops", KEY, {}, write())
    assert free_bytes(artifacts.root / "not" / "there") > 0


def test_a_full_disk_says_so_and_a_builders_own_errors_pass(artifacts: Artifacts) -> None:
    with pytest.raises(StoreError, match="full disk"):
        artifacts.ensure("crops", KEY, {}, fail(OSError(28, os.strerror(28))))
    with pytest.raises(PermissionError):
        artifacts.ensure("crops", KEY, {}, fail(PermissionError(13, "Permission denied", "/else.png")))
    assert left(artifacts) == []
