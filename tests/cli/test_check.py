"""`check` names what is damaged and how it is had again; an empty database beside artifacts deletes nothing."""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cli_case import at_home, run

from fer_core.cli.main import main
from fer_core.errors import StoreError
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.disk import collect
from fer_core.storage.store import Store
from fer_core.storage.sums import SUMS


@pytest.fixture
def home(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a home with two runs on cut faces."""
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    at_home(monkeypatch, copy)
    monkeypatch.setenv("FER_EXECUTOR", "inline")
    return copy


def checked(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    return run(capsys, "check", *options)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def largest(folder: Path) -> Path:
    return max(folder.rglob("*"), key=lambda path: path.stat().st_size)


def test_a_flipped_bit_in_each_kind_is_named_and_made_again_to_the_byte(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artifacts, store = Artifacts(home / "artifacts"), Store(home / "fer.sqlite")
    runs = store.runs(status=["done"])
    before = {one.id: store.predictions(one.id) for one in runs}
    kinds = sorted(path.name for path in artifacts.root.iterdir() if path.is_dir())
    assert {"activations", "crops", "detections", "runs"} <= set(kinds)
    files = {kind: largest(artifacts.path(kind, artifacts.keys(kind)[0])) for kind in kinds}
    whole = {kind: path.read_bytes() for kind, path in files.items()}
    for path in files.values():
        flip(path)
    code, found = checked(capsys)
    assert code == 1
    assert {one["kind"]: one["files"] for one in found["damaged"]} == {
        kind: {path.name: "changed"} for kind, path in files.items()
    }
    assert all(one["again"] for one in found["damaged"])
    code, found = checked(capsys, "--repair")
    assert (code, len(found["repaired"])) == (0, len(kinds))
    code, found = checked(capsys)
    assert (code, found["damaged"], found["summed"]) == (0, [], 0)
    assert found["artifacts"] == len(list(home.glob("artifacts/*/*/config.json"))) >= 5
    assert main(["check"]) == 0
    assert "none damaged" in capsys.readouterr().out
    for kind, path in files.items():
        assert kind == "runs" or not path.exists() or path.read_bytes() == whole[kind]
    assert store.run(files["runs"].parent.name).attempts == 2
    for one in runs:
        assert store.run(one.id).status == "done"
        pd.testing.assert_frame_equal(store.predictions(one.id), before[one.id])
    store.close()


def test_networks_that_are_gone_and_those_of_imported_runs(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = Store(home / "fer.sqlite").runs(status=["done"])[0].id
    file, other = tmp_path / "run.zip", tmp_path / "other"
    assert main(["export", "--run", run_id, "-o", str(file)]) == 0
    shutil.rmtree(home / "artifacts" / "runs" / run_id)
    _, found = checked(capsys)
    (one,) = found["damaged"]
    assert (one["key"], one["files"], one["run"]) == (run_id, {"": "missing"}, run_id)
    monkeypatch.setenv("FER_HOME", str(other))
    assert main(["import", str(file)]) == 0
    flip(largest(other / "artifacts" / "runs" / run_id))
    code, found = checked(capsys, "--repair")
    assert (code, found["repaired"]) == (1, [])
    assert [one["again"] for one in found["damaged"]] == ["import its archive again"]
    assert main(["export", "--run", run_id, "-o", str(tmp_path / "no.zip")]) == 2
    assert not (tmp_path / "no.zip").exists()
    assert main(["import", str(file)]) == 0
    assert checked(capsys)[0] == 0


def test_what_was_made_before_there_were_sums_is_summed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = list(home.glob(f"artifacts/*/*/{SUMS}"))
    for path in paths:
        path.unlink()
    assert checked(capsys)[1]["summed"] == len(paths)
    flip(largest(paths[0].parent))
    code, found = checked(capsys)
    assert (code, found["summed"], len(found["damaged"])) == (1, 0, 1)


def test_a_damaged_database_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(home / "fer.sqlite") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with (home / "fer.sqlite").open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096 * 6)
    for command in (["check"], ["compare"], ["jobs"]):
        assert main(command) == 2
        assert "database must be whole" in capsys.readouterr().err


def test_a_database_that_was_lost_is_missed_and_nothing_is_deleted_on_its_word(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artifacts = Artifacts(home / "artifacts")
    before = sorted(artifacts.root.rglob("*"))
    for path in home.glob("fer.sqlite*"):
        path.unlink()
    for command in (["clean"], ["check", "--repair"], ["compare"], ["worker", "--until-idle"]):
        assert main(command) == 2
        assert "Put a copy of the database back" in capsys.readouterr().err
    store = Store(home / "fer.sqlite")
    with pytest.raises(StoreError, match="must know the runs"):
        collect(artifacts, store)
    store.close()
    assert sorted(artifacts.root.rglob("*")) == before
    artifacts.root.rename(home / "old")
    assert main(["compare"]) == 0
