"""Comparators through the pipeline: descriptors kept once, folds read back, held-out figures as for any run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_case import Recorder

from fer_core.config.comparators import (
    BdnnConfig,
    MlpConfig,
    PhogConfig,
    PixelsConfig,
    SvmConfig,
    TableConfig,
    descriptor_key,
)
from fer_core.config.run import CLASSES, FacesConfig, Model, ProtocolConfig, RunConfig
from fer_core.config.settings import load
from fer_core.datasets.base import Dataset
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.generated.table import generate_table
from fer_core.datasets.open import open_dataset
from fer_core.datasets.readers.feature_table import read_feature_table
from fer_core.errors import DataError
from fer_core.evaluation.metrics.probabilities import COLUMNS
from fer_core.learning.comparators.bdnn import parameter_count
from fer_core.learning.comparators.fitted import read_folds
from fer_core.learning.reporting import RunResult
from fer_core.runs.pipeline.run import run
from fer_core.runs.plans.comparison import inputs_of
from fer_core.storage.artifacts import Artifacts

WHOLE = FacesConfig(extract=False, size=32)
SMALL: dict[str, Any] = {"inputs": PixelsConfig(side=8), "hidden": (8, 6, 5), "epochs": 3}
SVM = SvmConfig(inputs=PixelsConfig(side=8), costs=(1.0,), gammas=(1.0,), inner_folds=2)


@pytest.fixture(scope="module")
def frames(generated: Path) -> Dataset:
    return open_dataset(generated)


def carry_out(
    dataset: Dataset, model: Model, artifacts: Artifacts, **more: Any
) -> tuple[RunConfig, RunResult, Recorder]:
    protocol = ProtocolConfig(name=more.pop("protocol", "group"), folds=2)
    config = RunConfig(data=data_config(dataset), faces=WHOLE, model=model, protocol=protocol, **more)
    report = Recorder()
    return config, run(config, dataset, artifacts, report, load()), report


@pytest.mark.parametrize(
    "model", [SVM, BdnnConfig(**SMALL), MlpConfig(**SMALL)], ids=lambda model: model.kind
)
def test_every_image_is_held_out_once_with_probabilities(
    frames: Dataset, model: Model, artifacts: Artifacts
) -> None:
    _, result, _ = carry_out(frames, model, artifacts)
    table = result.predictions
    assert sorted(table["name"]) == [sample.name for sample in frames.samples]
    shares = table[list(COLUMNS)].to_numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-5)
    right = shares.argmax(axis=1) == table["label"]
    assert result.summary["val_accuracy"] == pytest.approx(right.mean())
    assert result.summary["leakage"]["group"] == 0.0


def test_what_an_svm_does_not_measure_is_not_a_number(frames: Dataset, artifacts: Artifacts) -> None:
    config, result, report = carry_out(frames, SVM, artifacts)
    assert np.isnan([result.summary[name] for name in ("train_loss", "val_loss")]).all()  # stored as null
    assert 0 <= result.summary["train_accuracy"] <= 1
    assert result.summary["trainable"] is None
    assert report.epochs == []
    folds, names = read_folds(artifacts.open("runs", config.key()))
    assert {"C", "gamma", "components", "temperature"} == set(folds[0].note)
    assert names == [sample.name for sample in frames.samples]


def test_a_bdnn_leaves_epochs_of_both_directions_prototypes_and_distances(
    frames: Dataset, artifacts: Artifacts
) -> None:
    model = BdnnConfig(**SMALL)
    config, result, report = carry_out(frames, model, artifacts)
    assert len(report.epochs) == 2 * 3
    assert result.summary["trainable"] == parameter_count(model, 64)
    folds, _ = read_folds(artifacts.open("runs", config.key()))
    for one in folds:
        assert one.prototypes is not None
        assert one.prototypes.shape == (len(CLASSES), 64)
        assert one.distances is not None
        assert one.distances.shape == (len(one.indices), len(CLASSES))
        assert [record for record in report.epochs if record.fold == one.fold] == list(one.epochs)


def test_a_descriptor_is_computed_once_for_all_models(frames: Dataset, artifacts: Artifacts) -> None:
    inputs = PhogConfig()
    config, _, first = carry_out(frames, BdnnConfig(**SMALL | {"inputs": inputs}), artifacts)
    assert artifacts.has("descriptors", descriptor_key(config.crops_key(), inputs))
    _, _, second = carry_out(frames, MlpConfig(**SMALL | {"inputs": inputs}), artifacts)
    assert "phog descriptors" in first.names()
    assert "phog descriptors" not in second.names()


def test_a_finished_fit_is_read_not_repeated(frames: Dataset, artifacts: Artifacts) -> None:
    _, first, _ = carry_out(frames, BdnnConfig(**SMALL), artifacts)
    _, again, report = carry_out(frames, BdnnConfig(**SMALL), artifacts)
    assert report.epochs == []
    assert again.predictions.equals(first.predictions)


def test_a_sheet_is_a_data_set_of_its_own(tmp_path: Path, artifacts: Artifacts) -> None:
    path = generate_table(tmp_path / "sheet.xlsx", rows=84)
    dataset = open_dataset(path)
    assert dataset.layout == "table"
    assert (
        len(dataset) == len({sample.name for sample in dataset.samples}) == 84
    )  # the stem listed twice is two rows
    model = MlpConfig(**SMALL | {"inputs": inputs_of("table", path)})
    _, result, report = carry_out(dataset, model, artifacts)
    assert len(result.predictions) == 83  # one row lacks its PHOG figures
    assert any("1 rows of the table are left out" in line for line in report.lines)
    lpq = MlpConfig(**SMALL | {"inputs": inputs_of("table", path, "lpq")})
    assert len(carry_out(dataset, lpq, artifacts)[1].predictions) == 84


def test_a_sheet_beside_another_sheet_is_refused(tmp_path: Path, artifacts: Artifacts) -> None:
    dataset = open_dataset(generate_table(tmp_path / "sheet.xlsx", rows=84))
    other = generate_table(tmp_path / "other.xlsx", rows=42, seed=1)
    with pytest.raises(DataError, match="the very table"):
        carry_out(dataset, MlpConfig(**SMALL | {"inputs": inputs_of("table", other)}), artifacts)


def test_a_sheet_is_joined_to_images_by_stem(frames: Dataset, tmp_path: Path, artifacts: Artifacts) -> None:
    rng = np.random.default_rng(0)
    chosen = [sample for index, sample in enumerate(frames.samples) if index % 8]
    lines = [
        ",".join([Path(sample.name).stem, str(sample.label + 1), *(f"{x:.4f}" for x in rng.normal(size=10))])
        for sample in reversed(chosen)
    ]
    path = tmp_path / "sheet.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    model = MlpConfig(**SMALL | {"inputs": inputs_of("table", path)})
    config, result, report = carry_out(frames, model, artifacts, protocol="stratified")
    assert sorted(result.predictions["name"]) == sorted(sample.name for sample in chosen)
    assert not artifacts.has("crops", config.crops_key())  # no frame was opened
    assert any(f"{len(chosen)} of {len(frames)}" in line for line in report.lines)
    assert read_feature_table(path).fingerprint() == config.model.inputs.fingerprint  # type: ignore[union-attr]


def test_a_network_cannot_be_shown_a_sheet(tmp_path: Path, artifacts: Artifacts) -> None:
    dataset = open_dataset(generate_table(tmp_path / "sheet.xlsx", rows=84))
    with pytest.raises(DataError, match="no images"):
        carry_out(dataset, SVM, artifacts)


def test_a_sheet_that_changed_is_refused(tmp_path: Path, artifacts: Artifacts) -> None:
    path = generate_table(tmp_path / "sheet.csv", rows=84)
    dataset = open_dataset(path, layout="table")
    inputs = TableConfig(fingerprint="0" * 16, file=str(path))
    with pytest.raises(DataError, match="submitted"):
        carry_out(dataset, MlpConfig(**SMALL | {"inputs": inputs}), artifacts)
