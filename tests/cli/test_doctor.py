"""`doctor` says what a host has, and what to do where something is amiss."""

import json
import shutil
import socket
import sqlite3
import time
from pathlib import Path

import pytest

from fer_core.cli.main import main
from fer_core.storage.store import Store


def examined(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, dict[str, str]]]:
    code = main(["doctor", "--json", *options])
    return code, {one["what"]: one for one in json.loads(capsys.readouterr().out)}


def test_a_home_with_runs_and_a_taken_port(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FER_HOME", str(trained))
    monkeypatch.setenv("FER_DEVICE", "cpu")
    done = Store(trained / "fer.sqlite", read_only=True).counts()["done"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, found = examined(capsys, "--port", port)
        assert code == 1
        assert "serve --port" in found["port"]["do"]
        assert main(["doctor", "--port", port]) == 1
        assert "to do  port" in capsys.readouterr().out
    assert f"{done} done" in found["database"]["found"]
    for what in ("device", "weights", "database", "clock", "state folder"):
        assert found[what]["do"] == "", what
    assert examined(capsys, "--port", port)[1]["port"]["do"] == ""


def test_a_clock_that_is_behind_the_newest_run(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = shutil.copytree(trained, tmp_path / "home")
    with sqlite3.connect(home / "fer.sqlite") as connection:
        connection.execute("UPDATE runs SET created = ?", (time.time() + 3600,))
    connection.close()
    monkeypatch.setenv("FER_HOME", str(home))
    assert "set it" in examined(capsys)[1]["clock"]["do"]


def test_what_is_lacking_comes_with_what_to_do_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"HOME": str(tmp_path / "none"), "DEMO": "1", "DEVICE": "cuda:99"}.items():
        monkeypatch.setenv(f"FER_{name}", value)
    code, found = examined(capsys)
    assert code == 1
    assert "demo --prepare" in found["database"]["do"]
    assert "FER_DEVICE" in found["device"]["do"]
    assert not (tmp_path / "none").exists()
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "fer.sqlite").write_bytes(b"no database" * 100)
    assert "Move it away" in examined(capsys)[1]["database"]["do"]
