"""Places that can't be used and names that are no text: one sentence before any work, and nothing is lost."""

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from cli_case import at_home

from fer_core.cli.main import main
from fer_core.storage.store import Store

#: A Latin-1 name, as an old archive unpacks it.
ODD = b"caf\xe9"


@pytest.fixture
def home(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    at_home(monkeypatch, trained)
    return trained


@pytest.fixture
def run_id(home: Path) -> str:
    return Store(home / "fer.sqlite").runs(status=["done"])[0].id


def odd(folder: Path, ending: str) -> Path:
    try:
        path = folder / os.fsdecode(ODD + ending.encode())
        path.touch()
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    return path


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/none", "/sys/none"])
@pytest.mark.parametrize("command", [["jobs"], ["data", "generate"], ["worker", "--until-idle"]])
def test_a_home_that_cannot_be_one_is_refused_in_a_sentence(
    place: str,
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("kept")
    monkeypatch.setenv("FER_HOME", str(tmp_path / place))
    assert main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "FER_HOME must be a folder" in line
    assert (tmp_path / "file").read_text() == "kept"


def test_a_home_whose_name_is_no_text_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FER_HOME", str(tmp_path / os.fsdecode(ODD)))
    assert main(["jobs"]) == 2
    assert "not valid UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize("target", ["file/x", "/proc/x", "/sys/x", "a" * 300])
@pytest.mark.parametrize(
    "command",
    [
        ["predict", "none.png", "--csv"],
        ["predict", "none.png", "--annotated"],
        ["predict", "none.png", "--explain"],
        ["report", "-o"],
        ["export", "-o"],
        ["export-model", "--onnx", "none", "-o"],
        ["predictions", "-o"],
    ],
)
def test_what_cannot_be_written_is_said_before_work_starts(
    target: str,
    command: list[str],
    run_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fer_core.prediction.loading.answerer", pytest.fail)
    monkeypatch.setattr("fer_core.results.sharing.report.report", pytest.fail)
    assert main([*command, target, "--run", run_id]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert ("Not a directory" in line) == target.startswith("file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_is_there_stays_until_the_new_file_is_whole(
    run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(self: Path, text: str, **_: object) -> int:
        self.write_bytes(text[:1000].encode())
        raise OSError(28, "No space left on device")

    page = tmp_path / "run.html"
    page.write_text("the one before")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        assert main(["report", "--run", run_id, "-o", str(page)]) == 2
    assert "No space left" in capsys.readouterr().err
    assert page.read_text() == "the one before"
    assert list(tmp_path.iterdir()) == [page]
    assert main(["report", "--run", run_id, "-o", str(page)]) == 0
    assert page.read_text().startswith("<!doctype html>")


def test_predictions_made_before_the_disk_was_full_are_kept(
    run_id: str,
    generated: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    images = [str(path) for path in sorted(generated.glob("*/*.png"))[:3]]
    written: list[Path] = []

    def one_fits(self: Path, data: bytes) -> int:
        written.append(self)
        if len(written) > 1:
            raise OSError(28, "No space left on device")
        return len(data)

    monkeypatch.setattr(Path, "write_bytes", one_fits)
    options = ["--csv", str(tmp_path / "faces.csv"), "--annotated", str(tmp_path / "boxed")]
    assert main(["predict", *images, "--run", run_id, *options]) == 2
    assert images[0] in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "faces.csv")["image"].unique().tolist() == images[:2]


def test_files_of_any_name_are_predicted(
    run_id: str, generated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = odd(tmp_path, ".png")
    shutil.copy(next(generated.glob("*/*.png")), path)
    table, boxed = tmp_path / os.fsdecode(ODD + b".csv"), tmp_path / os.fsdecode(ODD)
    given = [str(path), "--csv", str(table), "--annotated", str(boxed)]
    assert main(["predict", *given, "--run", run_id]) == 0
    assert "caf\N{REPLACEMENT CHARACTER}.png" in capsys.readouterr().out
    assert main(["predict", *given, "--run", run_id, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1
    assert pd.read_csv(table)["image"].str.endswith("caf\N{REPLACEMENT CHARACTER}.png").any()
    assert main(["predict", str(tmp_path), "--run", run_id]) == 1
    assert "caf\N{REPLACEMENT CHARACTER}.png: its name is not valid UTF-8" in capsys.readouterr().out
    assert main(["report", "--run", run_id, "-o", str(boxed / os.fsdecode(ODD + b".html"))]) == 0


def test_names_that_are_no_text_are_refused_where_they_are_stored(
    run_id: str, generated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = tmp_path / os.fsdecode(ODD)
    shutil.copytree(generated, faces)
    weights, table = odd(tmp_path, ".pth"), odd(tmp_path, ".csv")
    assert main(["data", "generate", "--table", str(tmp_path / "plain.csv")]) == 0
    shutil.copy(tmp_path / "plain.csv", table)
    for command in (
        ["train", "--data", str(faces)],
        ["data", "audit", "--data", str(faces)],
        ["train", "--data", str(generated), "--backbone", "efficientnet_lite0", "--weights", str(weights)],
        ["train", "--data", str(generated), "--model", "svm", "--features", "table", "--table", str(table)],
        ["predict", str(weights), "--run", os.fsdecode(ODD)],
    ):
        capsys.readouterr()
        assert main(command) == 2, command
        assert "must be valid UTF-8" in capsys.readouterr().err, command
