"""The command line as scripts meet it: one JSON document on standard output, exit codes, errors that help."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cli_case import run

from fer_core.cli.main import COMMANDS, app, main

pytestmark = pytest.mark.usefixtures("in_shared")

TRAIN_KEYS = {
    *("run_id", "status", "cached", "train_accuracy", "val_accuracy", "val_accuracy_interval"),
    *("train_loss", "val_loss", "folds", "images", "missing_faces", "seconds"),
}


def train(capsys: pytest.CaptureFixture[str], data: Path, *more: str) -> tuple[int, list[dict]]:
    arguments = ["train", "--data", str(data), "--backbone", "efficientnet_lite0", "--protocol", "group"]
    arguments += ["--folds", "2", "--epochs", "2", "--batch-size", "8", "--unfreeze", "1,2", *more]
    code, rows = run(capsys, *arguments)
    assert isinstance(rows, list)
    return code, rows


def test_train_prints_a_row_per_setting_and_answers_from_the_cache(
    capsys: pytest.CaptureFixture[str], generated: Path
) -> None:
    code, rows = train(capsys, generated)
    assert code == 0
    assert [row["unfreeze"] for row in rows] == [1, 2]
    for row in rows:
        assert row.keys() >= TRAIN_KEYS
        assert (row["status"], row["cached"], row["folds"], row["images"]) == ("done", False, 2, 48)
        low, high = row["val_accuracy_interval"]
        assert 0 <= low <= row["val_accuracy"] <= high <= 1
        assert row["generated"]
        assert not row["leaks"]
    code, again = train(capsys, generated)
    assert code == 0
    assert all(row["cached"] for row in again)
    assert [{**row, "cached": False} for row in again] == rows


def test_detached_training_starts_a_worker_or_says_how_to(
    capsys: pytest.CaptureFixture[str], generated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[object] = []
    monkeypatch.setattr("fer_core.runs.jobs.executors.launch", launched.append)
    monkeypatch.setenv("FER_HOME", str(tmp_path / "home"))
    arguments = ["train", "--data", str(generated), "--backbone", "efficientnet_lite0", "--detach"]
    assert main(arguments) == 0
    shown = capsys.readouterr()
    assert "queued" in shown.out
    assert "Carried out by a worker on" in shown.err
    assert len(launched) == 1
    monkeypatch.setenv("FER_EXECUTOR", "inline")
    assert main(arguments) == 0
    assert "python -m fer_core worker" in capsys.readouterr().err
    assert len(launched) == 1


def test_compare_lists_what_was_trained_best_first(
    capsys: pytest.CaptureFixture[str], generated: Path
) -> None:
    _, trained = train(capsys, generated)
    code, rows = run(capsys, "compare", "--data", str(generated))
    assert code == 0
    assert isinstance(rows, list)
    assert {row["run_id"] for row in rows} == {row["run_id"] for row in trained}
    accuracies = [row["val_accuracy"] for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert main(["compare", "--data", str(generated)]) == 0
    table = capsys.readouterr().out
    assert "val_accuracy" in table
    assert "%" in table
    assert main(["compare", "--protocol", "spi"]) == 0
    assert "No finished training" in capsys.readouterr().out
    assert main(["compare", "--protocol", "groups"]) == 2
    shown = capsys.readouterr()
    assert "groups" in shown.err
    assert "reshuffle" in shown.err
    assert shown.out == ""


def test_predict_gives_probabilities_per_face_and_names_bad_images(
    capsys: pytest.CaptureFixture[str], generated: Path, tmp_path: Path
) -> None:
    _, rows = train(capsys, generated)
    good = sorted(generated.glob("happy/*.png"))[0]
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    code, found = run(capsys, "predict", "--run", rows[0]["run_id"], str(good), str(bad))
    assert code == 1
    assert isinstance(found, list)
    assert found[0]["error"] is None
    assert sum(found[0]["faces"][0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert found[1]["faces"] == []
    assert found[1]["image"] == str(bad)
    assert "not an image" in found[1]["error"]

    (tmp_path / "empty").mkdir()
    assert main(["predict", "--run", rows[0]["run_id"], str(tmp_path / "empty")]) == 2
    assert "there must be an image" in capsys.readouterr().err

    archive, table = tmp_path / "more.zip", tmp_path / "faces.csv"
    with zipfile.ZipFile(archive, "w") as writer:
        writer.write(good, "=one.png")
        writer.writestr("notes.txt", "no picture, as in a folder")
    options = ["--fold", "0.1", "--nearest", "2", "--csv", str(table), "--annotated", str(tmp_path / "boxed")]
    options += ["--explain", str(tmp_path / "maps"), str(generated / "sad"), str(archive)]
    code, found = run(capsys, "predict", "--run", rows[0]["run_id"], *options)
    assert code == 0
    assert isinstance(found, list)
    assert (
        len(found) == len(list((tmp_path / "boxed").iterdir())) == len(list(generated.glob("sad/*.png"))) + 1
    )
    faces = [face for row in found for face in row["faces"]]
    assert all(len(face["neighbours"]) == 2 for face in faces)
    assert len(list((tmp_path / "maps").iterdir())) == len(faces)
    lines = table.read_text().splitlines()
    assert len(lines) == 1 + len(faces)
    assert lines[-1].startswith("'=one.png,")


def test_faces_prints_counts_and_a_row_an_image(capsys: pytest.CaptureFixture[str], generated: Path) -> None:
    code, document = run(capsys, "faces", "--data", str(generated))
    assert code == 0
    assert isinstance(document, dict)
    assert sum(document["counts"].values()) == len(document["images"]) == 48
    for row in document["images"]:
        assert row.keys() >= {"path", "status", "box", "probability", "landmarks"}
        assert (row["box"] is None) == (row["status"] == "none")


def test_weights_that_are_not_here_fail_with_the_way_out(
    capsys: pytest.CaptureFixture[str], generated: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("fer_core.learning.networks.weights.can_download", lambda *_: False)
    code, rows = run(capsys, "train", "--data", str(generated), "--unfreeze", "1", "--epochs", "1")
    assert code == 1
    assert isinstance(rows, list)
    assert rows[0]["status"] == "failed"
    assert "FER_WEIGHTS_DIR" in rows[0]["error"]
    assert "efficientnet_lite0" in rows[0]["error"]


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_folds_that_can_t_be_drawn_are_refused_before_a_face_is_cut(
    capsys: pytest.CaptureFixture[str], generated: Path, command: str
) -> None:
    assert main([command, "--data", str(generated), "--protocol", "spi", "--json"]) == 2
    assert "every image in set1 or set2" in json.loads(capsys.readouterr().out)["error"]
    assert run(capsys, "compare", "--data", str(generated), "--protocol", "spi")[1] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--data", "/no/such/folder"], "/no/such/folder"),
        (["train", "--unfreeze", "4"], "unfreeze"),
        (["train", "--unfreeze", "one"], "whole numbers"),
        (["train", "--backbone", "alexnet"], "alexnet"),
        (["train", "--weights", "/no/such/file.pth"], "/no/such/file.pth"),
        (["train", "--seeds", "-1"], "seeds"),
        (["train", "--augment", "zoom=2"], "zoom"),
        (["train", "--class-weights"], "need no weights"),
        (["predict", "--run", "feedfeedfeedfeed", "x.png"], "feedfeedfeedfeed"),
    ],
)
def test_requests_that_cannot_be_carried_out_exit_with_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main([*arguments, "--json"]) == 2
    captured = capsys.readouterr()
    assert said in json.loads(captured.out)["error"]
    assert said in captured.err


@pytest.mark.parametrize("words", [words for words, *_ in COMMANDS])
def test_every_command_explains_itself_and_its_options(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words.split(), "--help"]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 4
    for argument in app.parse_commands(words)[1][-1].assemble_argument_collection(parse_docstring=True):
        shown = argument.parameter.help or argument.get_choices() or argument.field_info.default
        assert shown is not None or argument.children, argument.name


def test_help_loads_neither_torch_nor_pandas() -> None:
    code = "import sys; from fer_core.cli.main import main; main(['--help']); "
    code += "print(sorted({'torch', 'pandas'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.endswith("[]\n")
    assert "reproduce" in found.stdout


@pytest.mark.parametrize(
    "wrong", [[], ["data"], ["trian"], ["train", "--epoch", "3"], ["predict", "--run", "x"]]
)
def test_a_wrong_line_is_refused_with_2(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(wrong) == 2
    shown = capsys.readouterr()
    assert "usage" in shown.out.lower() or "fer_core: " in shown.err


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("FER Lab ")
