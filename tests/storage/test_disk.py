"""What goes when the disk gets tight, and what never does: by table, and on a home with trained runs."""

import errno
import json
import logging
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cli_case import at_home
from filelock import FileLock
from report_case import Recorder
from sqlalchemy import text
from worker_case import config, execute

from fer_core.cli.main import main
from fer_core.config.settings import load
from fer_core.runs.jobs import worker
from fer_core.runs.jobs.queue import claim, submit
from fer_core.runs.jobs.worker import run_worker
from fer_core.runs.pipeline.run import execute as pipeline_execute
from fer_core.storage import disk
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.database import StoreBusyError
from fer_core.storage.disk import GRACE_SECONDS, Needed, Stored, choose, collect, needed, stored
from fer_core.storage.store import Store

NOW = 1_000_000.0
OLD = NOW - 10 * GRACE_SECONDS
NEEDS = Needed(frozenset({"run"}), frozenset({"seen", "busy", "found"}), frozenset({"busy"}))


def age(artifacts: Artifacts, kind: str = "*", seconds: float = 2 * GRACE_SECONDS) -> None:
    """Let artifacts seem unused for so long."""
    then = time.time() - seconds
    for path in [*artifacts.root.glob(f"{kind}/*/**/*"), *artifacts.root.glob(f"{kind}/*")]:
        os.utime(path, (then, then))


@pytest.mark.parametrize(
    ("one", "goes"),
    [
        (Stored("runs", "run", 1, OLD), False),
        (Stored("runs", "gone", 1, OLD), True),
        (Stored("crops", "seen", 1, OLD), False),
        (Stored("crops", "unnamed", 1, OLD), True),
        (Stored("detections", "found", 1, OLD), False),
        (Stored("detections", "unnamed", 1, OLD), True),
        (Stored("activations", "a", 1, OLD, crops="seen"), True),
        (Stored("activations", "a", 1, OLD, crops="busy"), False),
        (Stored("activations", "half", 1, OLD), True),
        (Stored("descriptors", "d", 1, OLD, crops="seen"), True),
        (Stored("descriptors", "d", 1, OLD, crops="busy"), False),
        (Stored("neighbours", "run", 1, OLD), True),
        (Stored("boxes", "b", 1, OLD), False),
        (Stored("detectors", "d", 1, OLD), False),
        (Stored("of-a-later-version", "x", 1, OLD), False),
        (Stored("activations", "a", 1, NOW - GRACE_SECONDS + 1, crops="seen"), False),
        (Stored("activations", "a", 1, NOW - GRACE_SECONDS, crops="seen"), True),
    ],
)
def test_what_may_go(one: Stored, goes: bool) -> None:
    assert choose([one], NEEDS, now=NOW) == ([one] if goes else [])


def test_the_longest_unused_go_first_and_no_more_than_needed() -> None:
    rows = [Stored("activations", name, 10, OLD + number) for number, name in enumerate("abc")]
    kept = Stored("runs", "run", 100, OLD - 1)
    for limit, wanted in [(130, ""), (129, "a"), (120, "a"), (119, "ab"), (1, "abc"), (None, "abc")]:
        assert [one.key for one in choose([*reversed(rows), kept], NEEDS, now=NOW, limit=limit)] == list(
            wanted
        )
    days = NOW - (OLD + 1)
    assert [one.key for one in choose(rows, NEEDS, now=NOW, age=days)] == ["a", "b"]


def test_a_definition_that_cannot_be_read_spares_all_faces_and_when_active_what_was_computed() -> None:
    crops, computed = Stored("crops", "unnamed", 1, OLD), Stored("activations", "a", 1, OLD, crops="seen")
    ended = Needed(frozenset({"run"}), frozenset(), frozenset(), unread=True)
    assert choose([crops, computed], ended, now=NOW) == [computed]
    assert choose([crops, computed], replace(ended, active=frozenset({"run"})), now=NOW) == []


def test_what_runs_rest_on_is_read_from_the_database(store: Store) -> None:
    done, works, waits = config(1), config(2), config(3)
    submit(store, done)
    run_worker(load(), until_idle=True, poll=0.01, execute=execute)
    submit(store, works)
    assert claim(store, "another", lease_seconds=60) is not None
    submit(store, waits)
    found = needed(store)
    assert found.runs == {one.key() for one in (done, works, waits)}
    assert found.faces == {
        key for one in (done, works, waits) for key in (one.crops_key(), one.detections_key())
    }
    assert found.active == {one.crops_key() for one in (works, waits)}
    assert not found.unread
    later = text("UPDATE runs SET config = :other WHERE id = :id")
    store.write(
        lambda connection: connection.execute(later, {"other": '{"data": {"later": 1}}', "id": done.key()})
    )
    assert needed(store).unread


@pytest.fixture
def home(shared_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a home with a finished run, long unused."""
    copy = tmp_path / "copy"
    shutil.copytree(shared_home, copy)
    shutil.rmtree(copy / "artifacts" / "neighbours", ignore_errors=True)  # of tests that looked for some
    at_home(monkeypatch, copy)
    age(Artifacts(copy / "artifacts"))
    return copy


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_shown_run_survives_and_what_went_is_made_again_with_the_same_figures(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artifacts, store = Artifacts(home / "artifacts"), Store(home / "fer.sqlite")
    (run,) = store.runs()
    before = {kind: files(artifacts.root / kind) for kind in ("runs", "crops", "activations")}
    assert all(before.values())
    size = {kind: sum(map(len, found.values())) for kind, found in before.items()}

    assert main(["clean", "--dry-run", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {use["kind"]: use["bytes"] for use in document["kinds"]} == size
    assert document["collected"] == size["activations"]
    assert artifacts.keys("activations")

    assert main(["clean", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kinds"] == document["kinds"]
    assert files(artifacts.root / "activations") == {}
    for kind in ("runs", "crops"):
        assert files(artifacts.root / kind) == before[kind]

    settings = load()
    shutil.rmtree(artifacts.path("runs", run.id))
    report = Recorder()
    report.log = lambda text: None  # type: ignore[method-assign]
    again = pipeline_execute(run.config, report, settings)
    assert files(artifacts.root / "activations") == before["activations"]
    shown = store.predictions(run.id)
    mine = again.predictions.sort_values(["seed", "fold", "name"])[list(shown)].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, shown, check_dtype=False, check_exact=True)
    store.close()


def test_the_table_says_what_remains_above_a_limit(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clean", "--limit", "1kB", "--older-than", "0.01"]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0].split() == ["kind", "artifacts", "bytes", "collectable", "collected"]
    assert next(line for line in lines if line.startswith("crops")).endswith("0 Bytes")
    assert "more than 1.0 kB: runs need them" in printed.err
    assert not Artifacts(home / "artifacts").keys("activations")


@pytest.mark.parametrize("wrong", [["--limit", "much"], ["--older-than", "-1"], ["--older-than", "nan"]])
def test_wrong_bounds_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clean", *wrong]) == 2
    assert wrong[0] in capsys.readouterr().err


def put(artifacts: Artifacts, kind: str, key: str, about: dict[str, object] | None = None) -> Path:
    return artifacts.ensure(
        kind, key, about or {}, lambda folder: np.save(folder / "array.npy", np.zeros(1000))
    )


def test_half_made_and_half_deleted_ones_go_too_and_those_of_known_runs_stay(
    artifacts: Artifacts, store: Store
) -> None:
    known = config(1).key()
    submit(store, config(1))
    lefts = [("runs", known), ("runs", "unknown"), ("activations", "dead")]
    for kind, key in lefts:
        folder = artifacts.root / kind / f".{key}.partial"
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"1234")
    (artifacts.root / "crops" / ".old.deleted-0123abcd").mkdir(parents=True)
    assert {(one.kind, one.key) for one in stored(artifacts)} == {*lefts, ("crops", "old")}
    assert sum(use.collected for use in collect(artifacts, store)) == 0, "all are new"
    age(artifacts)
    collect(artifacts, store)
    assert [path.name for path in artifacts.root.glob("*/.*")] == [f".{known}.partial"]


def test_what_a_run_takes_up_or_makes_meanwhile_stays(artifacts: Artifacts) -> None:
    uses = (artifacts.open, artifacts.has, lambda *place: artifacts.ensure(*place, {}, lambda _: None))
    for number, use in enumerate(uses):
        put(artifacts, "activations", str(number))
        age(artifacts, "activations")
        assert use("activations", str(number))
        assert not artifacts.discard("activations", str(number)), "it is in use now"
    tried: list[bool] = []
    artifacts.ensure("crops", "made", {}, lambda _: tried.append(artifacts.discard("crops", "made")))
    assert tried == [False]
    age(artifacts)
    artifacts.read_config("activations", "0")
    assert artifacts.discard("activations", "0"), "to read its config is no use"
    assert not artifacts.has("activations", "0")


def test_a_run_that_starts_while_its_artifact_is_deleted_gets_it(
    monkeypatch: pytest.MonkeyPatch, artifacts: Artifacts
) -> None:
    put(artifacts, "activations", "a")
    age(artifacts)
    deleting, rmtree = threading.Event(), shutil.rmtree

    def slow(folder: Path, **more: bool) -> None:
        deleting.set()
        time.sleep(0.3)
        rmtree(folder, **more)

    monkeypatch.setattr(shutil, "rmtree", slow)
    collector = threading.Thread(target=artifacts.discard, args=("activations", "a"))
    collector.start()
    assert deleting.wait(5)
    folder = put(artifacts, "activations", "a")
    assert np.load(folder / "array.npy").shape == (1000,)
    collector.join()
    assert artifacts.keys("activations") == ["a"]


def test_taking_up_and_deleting_at_the_same_instant_never_takes_a_file_away(artifacts: Artifacts) -> None:
    start = threading.Barrier(3)

    def take() -> bool:
        start.wait()
        return (put(artifacts, "activations", "a") / "array.npy").is_file()

    def drop() -> bool:
        start.wait()
        return artifacts.discard("activations", "a")

    with ThreadPoolExecutor(3) as threads:
        for _ in range(25):
            put(artifacts, "activations", "a")
            age(artifacts)
            first, second, dropped = [threads.submit(what) for what in (take, take, drop)]
            assert first.result(30)
            assert second.result(30)
            dropped.result(30)  # else it may delete in the next round


def test_a_worker_keeps_below_the_limit_and_says_when_it_cannot(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, store: Store
) -> None:
    monkeypatch.setenv("FER_DISK_LIMIT", "20kB")
    settings = load()
    artifacts, one = Artifacts(settings.artifacts), config(1)
    for kind, key in [
        ("activations", "a"),
        ("runs", one.key()),
        ("crops", one.crops_key()),
        ("runs", "unknown"),
    ]:
        put(artifacts, kind, key)
    age(artifacts)
    submit(store, one)
    caplog.set_level(logging.INFO, logger="fer_core")
    run_worker(settings, until_idle=True, poll=0.01, execute=execute)
    assert not artifacts.keys("activations")
    assert artifacts.keys("crops") == [one.crops_key()]
    assert set(artifacts.keys("runs")) == {one.key(), "unknown"}, "another database's run, perhaps"
    assert "collected 8." in caplog.text
    assert "more than FER_DISK_LIMIT (20.0 kB)" in caplog.text


def test_a_worker_that_waits_collects_too_and_outlives_what_hinders_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FER_DISK_LIMIT", "1")
    settings, stop, calls = load(), threading.Event(), []
    put(Artifacts(settings.artifacts), "activations", "a")
    age(Artifacts(settings.artifacts))
    plain = disk.collect

    def hindered(*given: object, **more: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            raise StoreBusyError("The database must answer", got="a lock")
        stop.set()
        return plain(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(disk, "collect", hindered)
    monkeypatch.setattr(worker, "COLLECT_SECONDS", 0.01)
    run_worker(settings, poll=0.01, stop=stop, execute=execute)
    assert "could not be collected" in caplog.text
    assert not Artifacts(settings.artifacts).keys("activations")


def test_a_store_that_may_only_be_read_is_opened_and_kept(
    monkeypatch: pytest.MonkeyPatch, artifacts: Artifacts
) -> None:
    put(artifacts, "crops", "a")
    age(artifacts)

    def forbidden(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(artifacts.root / "crops"))

    monkeypatch.setattr(FileLock, "acquire", forbidden)
    monkeypatch.setattr(os, "utime", forbidden)
    assert artifacts.open("crops", "a").is_dir()
    assert not artifacts.discard("crops", "a")
    assert artifacts.keys("crops") == ["a"]
