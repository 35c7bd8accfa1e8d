"""FER Lab in Python: data in, tables out, and they agree with the run."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from trees import plant

from fer_core import api
from fer_core.cli.main import main
from fer_core.config.run import CLASSES
from fer_core.results.sharing.tables import TABLES


@pytest.fixture
def run(shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FER_HOME", str(shared_home))
    monkeypatch.setenv("FER_DEVICE", "cpu")
    return str(api.results()["run_id"].iloc[0])


def test_a_data_set_is_opened_and_audited(generated: Path) -> None:
    data = api.dataset(generated)
    assert len(data) == 48
    assert api.audit(data).understood.images == 48


def test_tables_of_a_run_agree_with_it(run: str) -> None:
    found, parts, features = api.predictions(run), api.splits(run), api.features(run)
    row = api.results().set_index("run_id").loc[run]
    assert found["correct"].mean() == pytest.approx(row["val_accuracy"])
    np.testing.assert_allclose(found[list(CLASSES)].sum(axis=1), 1, atol=1e-5)
    held = parts[parts["part"] == "validation"]
    assert set(zip(held["fold"], held["image"], strict=True)) == set(
        zip(found["fold"], found["image"], strict=True)
    )
    assert set(parts.groupby(["fold"]).size()) == {48}
    trained = features.set_index(["fold", "image"])["trained"].to_dict()
    assert all(
        trained[fold, image] == (part == "train")
        for fold, image, part in parts[["fold", "image", "part"]].values
    )
    lengths = np.linalg.norm(features.filter(regex=r"^f\d+$").to_numpy(dtype=float), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-3)


def test_a_run_is_recalled_predicts_and_is_a_torch_dataset(run: str, generated: Path) -> None:
    data = api.dataset(generated)
    again = api.train(
        data,
        backbone="efficientnet_lite0",
        protocol="stratified",
        folds=2,
        epochs=2,
        faces={"extract": False},
    )
    assert again == run
    faces = api.torch_dataset(run)
    image, label = faces[0]
    assert (len(faces), tuple(image.shape), int(label) in range(7)) == (48, (3, 160, 160), True)
    answered = api.predict(run, [data.samples[0].path])
    assert answered[list(CLASSES)].iloc[0].sum() == pytest.approx(1, abs=1e-5)


def test_tables_are_written_by_commands(
    run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for command, ending in (("predictions", "csv"), ("splits", "parquet"), ("features", "parquet")):
        path = tmp_path / f"{command}.{ending}"
        assert main([command, "--run", run, "-o", str(path), "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        table = pd.read_csv(path) if ending == "csv" else pd.read_parquet(path)
        assert (document["rows"], document["file"]) == (len(table), str(path))
    monkeypatch.setitem(TABLES, "features", pytest.fail)  # what can't be written is said before work starts
    assert main(["features", "--run", run, "-o", str(tmp_path / "x.xls")]) == 2
    assert ".csv or .parquet" in capsys.readouterr().err
    (tmp_path / f"fer-{run}-features.csv").mkdir()
    monkeypatch.chdir(tmp_path)
    assert main(["features", "--run", run]) == 2
    assert "Is a directory" in capsys.readouterr().err


def test_predictions_on_ferplus_say_how_many_annotators_agreed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_DEVICE", "cpu")
    columns = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    lines = [f"Usage,Image name,{columns}"]
    for number in range(12):
        votes = [0] * 10
        votes[number % 2], votes[2] = 8, number % 3
        lines.append(f"Training,{number:02}.png,{','.join(map(str, votes))}")
    folder = plant(tmp_path / "set", [f"FER2013Train/{number:02}.png" for number in range(12)])
    (folder / "fer2013new.csv").write_text("\n".join(lines), encoding="utf-8")
    options = {"unfreeze": 1, "protocol": "stratified", "folds": 2, "epochs": 1, "faces": {"extract": False}}
    run = api.train(api.dataset(folder), backbone="mini_xception", weights="none", **options)
    table = api.predictions(run)
    shares = {f"FER2013Train/{number:02}.png": 8 / (8 + number % 3) for number in range(12)}
    assert table.set_index("image")["agreement"].to_dict() == pytest.approx(shares)
    folder.rename(tmp_path / "elsewhere")
    assert api.predictions(run)["agreement"].isna().all()
