"""What is published of a run says which frames it left out, and holds the data set as it is."""

from contextlib import closing
from pathlib import Path

import pytest
from cli_case import at_home, run

from fer_core.datasets.open import open_dataset
from fer_core.results.sharing.published import read_published
from fer_core.storage.store import Store


def test_a_published_run_says_which_frames_it_left_out(
    generated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_home(monkeypatch, tmp_path / "home")
    names = [sample.name for sample in open_dataset(generated).samples]
    svm = ("train", "--data", str(generated), "--model", "svm", "--features", "pixels", "--no-faces")
    code, rows = run(capsys, *svm, "--folds", "2", "--exclude", names[0], names[1])
    assert code == 0
    (row,) = rows if isinstance(rows, list) else [rows]
    assert run(capsys, "publish", "--run", row["run_id"], "-o", str(tmp_path / "demo"))[0] == 0

    with closing(Store(tmp_path / "demo" / "fer.sqlite", read_only=True)) as store:
        (kept,) = store.runs()
    assert (kept.id, kept.config.data.excluded) == (row["run_id"], (names[0], names[1]))
    (data,) = read_published(tmp_path / "demo").data.values()
    assert sorted(sample.name for sample in data.samples) == sorted(names)
