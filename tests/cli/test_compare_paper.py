"""`compare --paper` and `train --model`: a whole comparison on tiny sets, and its one JSON document."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cli_case import at_home, run

from fer_core.cli.main import main
from fer_core.config.comparators import DHALL, SvmConfig
from fer_core.config.run import FacesConfig, TransferConfig
from fer_core.config.settings import load
from fer_core.datasets.base import Dataset
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.generated.table import generate_table
from fer_core.datasets.open import open_dataset
from fer_core.learning.networks.backbones import PACKAGED
from fer_core.learning.networks.naming import system
from fer_core.results.paper.reported import REPORTED
from fer_core.runs.plans.comparison import paper_plan


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    code, found = run(capsys, *arguments)
    assert code == 0
    return found


@pytest.fixture(autouse=True)
def _one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_home(monkeypatch, tmp_path / "home")


def test_images_go_through_the_same_folds_beside_the_paper(
    generated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("compare", "--paper", "--data", str(generated), "--epochs", "1", "--folds", "2")
    found = document(capsys, *arguments)
    systems = {row["system"]: row for row in found["systems"]}
    names = [name for name in systems if "whole frames" not in name]
    assert [name.split(" ")[0] for name in names] == ["BDNN", "MLP", "PHOG", "LPQ", "LPQ+PHOG"] + [
        names[-1].split(" ")[0]
    ] * 3
    assert all({"group", "stratified"} <= set(systems[name]) for name in names)
    assert all("reshuffle" in systems[name] for name in names[-3:])
    assert found["generated"]
    if found["backbone"] == PACKAGED:
        assert any("not on this host" in line for line in found["notes"])  # never silently
    assert {(run["protocol"], run["folds"]) for run in found["runs"]} == {
        ("group", 2),
        ("stratified", 2),
        ("reshuffle", 1),
    }
    assert len(found["figures"]) == len(REPORTED)
    spi = next(one for one in found["figures"] if one["protocol"] == "spi")
    assert (spi["here"], spi["verdict"]) == (None, "not run")
    assert "not divided into set1 and set2" in spi["words"]
    assert {one["verdict"] for one in found["statements"]} <= {
        "holds",
        "does not hold",
        "can't show: leaks",
        "within noise",
        "not run",
    }
    again = document(capsys, *arguments)
    assert all(run["cached"] for run in again["runs"])
    assert again["figures"] == found["figures"]


@pytest.fixture(scope="module")
def two_sets(generated: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Return the small set's frames in two sets of three movies each."""
    folder = tmp_path_factory.mktemp("sets") / "frames"
    shutil.copytree(generated, folder)
    frames = pd.read_csv(folder / "frames.csv")
    movies = sorted(frames["group"].unique())
    frames["split"] = np.where(frames["group"].isin(movies[::2]), "set1", "set2")
    frames.to_csv(folder / "frames.csv", index=False)
    return open_dataset(folder)


def test_the_plan_of_two_sets_has_spi_for_every_system(two_sets: Dataset) -> None:
    plan = paper_plan(two_sets, data_config(two_sets), FacesConfig(), load(), folds=2)
    assert "spi" not in plan.absent
    by_protocol = {
        name: [config.model for config in plan.configs if config.protocol.name == name]
        for name in ("spi", "group")
    }
    networks = [model for model in by_protocol["spi"] if isinstance(model, TransferConfig)]
    assert [model.unfreeze for model in networks] == [1, 2, 3]
    assert SvmConfig(inputs=DHALL["lpq+phog"]) in by_protocol["spi"]
    assert set(by_protocol["spi"]) <= set(by_protocol["group"])


@pytest.mark.parametrize(
    ("backbone", "chosen"), [(None, "resnet18"), ("efficientnet_lite0", "efficientnet_lite0")]
)
def test_random_weights_are_asked_for_and_named(two_sets: Dataset, backbone: str | None, chosen: str) -> None:
    plan = paper_plan(
        two_sets, data_config(two_sets), FacesConfig(), load(), folds=2, backbone=backbone, weights="none"
    )
    networks = {config.model for config in plan.configs if isinstance(config.model, TransferConfig)}
    assert {(model.backbone, model.weights) for model in networks} == {(chosen, "none")}
    assert (plan.backbone, plan.weights) == (chosen, "none")
    assert any("random weights, as asked" in line for line in plan.notes)
    assert {system(model).rpartition(", ")[2] for model in networks} == {"random weights"}


def test_a_sheet_leaves_out_what_needs_images_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = generate_table(tmp_path / "sheet.xlsx", rows=105)
    assert main(["compare", "--paper", "--data", str(path), "--folds", "3"]) == 0
    printed = capsys.readouterr()
    for name in (
        "BDNN (LPQ+PHOG components)",
        "MLP (LPQ+PHOG components)",
        "PHOG components + SVM",
        "LPQ components",
    ):
        assert name in printed.out
    assert "without images no network" in printed.out
    assert "43.7 %" in printed.out  # the published LPQ figure stands beside it


def test_one_protocol_alone_is_run_where_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(generate_table(tmp_path / "sheet.xlsx", rows=105))
    arguments = ("compare", "--paper", "--data", path, "--folds", "3", "--protocol")
    found = document(capsys, *arguments, "group")
    assert {run["protocol"] for run in found["runs"]} == {"group"}
    assert len(found["systems"]) == len(found["runs"]) == 7
    assert main([*arguments, "spi"]) == 2
    assert "set1 and set2" in capsys.readouterr().err


def test_a_table_is_read_as_features(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(generate_table(tmp_path / "sheet.xlsx", rows=84))
    options = ("--model", "svm", "--features", "table", "--table", path, "--folds", "2")
    rows = document(capsys, "train", "--data", path, *options)
    assert rows[0]["system"] == "LPQ+PHOG components + SVM"
    assert rows[0]["images"] == 83


def test_a_table_and_the_features_named_table_go_together(
    generated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--data", str(generated), "--model", "svm", "--features", "table"]) == 2
    assert "--table FILE" in capsys.readouterr().err


def test_only_a_transferred_network_predicts(generated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = document(
        capsys,
        "train",
        "--data",
        str(generated),
        "--model",
        "mlp",
        "--epochs",
        "1",
        "--folds",
        "2",
        "--no-faces",
    )
    assert main(["predict", "--run", rows[0]["run_id"], "photo.jpg"]) == 2
    assert "only a transferred network" in capsys.readouterr().err


def test_the_traps_of_a_sheet_are_reported_not_crashed_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = str(generate_table(tmp_path / "sheet.xlsx", rows=84))
    found = document(capsys, "data", "audit", "--data", sheet)
    reasons = " ".join(problem["reason"] for problem in found["problems"])
    assert found["rows"] == 84
    assert found["generated"]
    assert "'NaN'" in reasons
    assert "listed as" in reasons
    assert main(["data", "audit", "--data", sheet]) == 0
    assert "Generated figures: drawn by FER Lab, not measured on faces" in capsys.readouterr().out


def test_a_generated_sheet_is_written_by_a_command_and_never_over_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sheet.csv"
    arguments = ["data", "generate", "--table", str(path)]
    assert main(arguments) == 0
    assert "675 rows of generated figures (not measured on faces)" in capsys.readouterr().out
    written = path.read_bytes()
    assert main(arguments) == 2
    assert "a new file must be named" in capsys.readouterr().err
    assert path.read_bytes() == written
    assert main(["data", "generate", "--table", str(tmp_path / "sheet.ods")]) == 2
