"""A run from frames to figures, on real nets and a small generated set."""

import math
import shutil
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from pipeline_case import definition
from report_case import Recorder

from fer_core.config.reading import Reading
from fer_core.config.run import (
    CLASSES,
    FacesConfig,
    ProtocolConfig,
    TrainingConfig,
    TransferConfig,
)
from fer_core.config.settings import Settings, load
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.open import open_dataset
from fer_core.errors import Cancelled, DataError
from fer_core.evaluation.metrics.probabilities import COLUMNS
from fer_core.evaluation.protocols import draw
from fer_core.faces.crops_artifact import freeze_boxes
from fer_core.faces.extraction import read_crops, read_detections
from fer_core.runs.pipeline.engine import Engine
from fer_core.runs.pipeline.model_inputs import samples_table
from fer_core.runs.pipeline.run import execute, measure_leaks
from fer_core.storage.artifacts import Artifacts


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Share one home between the tests of this file, as runs of one installation do."""
    return load(home=tmp_path_factory.mktemp("home"), device="cpu", threads=1)


def test_a_run_validates_every_image_once_and_says_how(generated: Path, settings: Settings) -> None:
    config = definition(generated)
    watcher = Recorder()
    result = execute(config, watcher, settings)
    crops = read_crops(Artifacts(settings.artifacts).path("crops", config.crops_key()))

    assert sorted(result.predictions["name"]) == sorted(crops.table["name"])
    probabilities = result.predictions[list(COLUMNS)].to_numpy()
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    right = probabilities.argmax(axis=1) == result.predictions["label"]
    summary = result.summary
    assert summary["val_accuracy"] == pytest.approx(right.mean())
    low, high = summary["val_accuracy_interval"]
    assert low <= summary["val_accuracy"] <= high
    assert summary["missing_faces"] == (crops.table["status"] == "none").sum() > 0
    assert (summary["images"], summary["folds"], summary["unreadable"]) == (48, 2, 0)
    assert summary["leakage"]["group"] == 0
    assert len(watcher.epochs) == 4
    assert "48 images, 2 folds, on cpu, their heads side by side" in watcher.lines
    last = [record.train_loss for record in watcher.epochs if record.epoch == 2]
    assert summary["train_loss"] == pytest.approx(sum(last) / 2)
    assert result.environment["device"] == "cpu"
    assert sum(map(sum, summary["confusion"])) == 48


def test_another_setting_uses_the_same_crops(generated: Path, settings: Settings) -> None:
    execute(definition(generated), Recorder(), settings)
    watcher = Recorder()
    model = TransferConfig(backbone="efficientnet_lite0", unfreeze=2)
    execute(definition(generated, model=model), watcher, settings)
    assert "detecting faces" not in watcher.names()
    assert "cutting crops" not in watcher.names()
    assert "activations" in watcher.names()
    assert "48 images, 2 folds, on cpu" in watcher.lines, "whole blocks train a fold at a time"


def test_a_run_that_was_cut_off_goes_on(generated: Path, settings: Settings) -> None:
    config = definition(generated, training=TrainingConfig(epochs=3, batch_size=8))
    with pytest.raises(Cancelled):
        execute(config, Recorder(cancel_at="train"), settings)
    interrupted = execute(config, Recorder(), settings)
    assert interrupted.summary["folds"] == 2
    assert len(interrupted.predictions) == 48


def test_whole_frames_look_for_no_face(generated: Path, settings: Settings) -> None:
    config = definition(generated, faces=FacesConfig(extract=False))
    watcher = Recorder()
    summary = execute(config, watcher, settings).summary
    assert summary["missing_faces"] is None
    assert summary["images"] == 48
    assert "detecting faces" not in watcher.names()


def test_a_drawn_box_costs_one_image(generated: Path, settings: Settings, tmp_path: Path) -> None:
    before = definition(generated, faces=FacesConfig(no_face="manual"))
    execute(before, Recorder(), settings)
    artifacts = Artifacts(settings.artifacts)
    table = read_crops(artifacts.path("crops", before.crops_key())).table
    name = table[table["status"] == "none"].iloc[0]["name"]
    faces = FacesConfig(
        no_face="manual", manual_boxes=freeze_boxes(artifacts, {name: (60.0, 40.0, 190.0, 200.0)})
    )
    after = definition(generated, faces=faces)
    watcher = Recorder()
    found = execute(after, watcher, settings)
    steps = [step for step in watcher.steps if step[0] not in ("loading the network", "train")]
    assert steps == [("cutting crops", 1, 1), ("activations", 1, 1)]

    alone = load(home=tmp_path / "alone", device="cpu", threads=1)
    freeze_boxes(Artifacts(alone.artifacts), {name: (60.0, 40.0, 190.0, 200.0)})
    watcher = Recorder()
    assert execute(after, watcher, alone).predictions.equals(found.predictions)
    assert ("activations", 48, 48) in watcher.steps


def test_dropped_frames_are_counted(generated: Path, settings: Settings) -> None:
    config = definition(generated, faces=FacesConfig(no_face="drop"))
    summary = execute(config, Recorder(), settings).summary
    assert summary["dropped"] > 0
    assert summary["images"] == 48 - summary["dropped"] == summary["validated"]


def test_unreadable_frames_are_counted_and_the_rest_trains(awkward: Path, settings: Settings) -> None:
    protocol = ProtocolConfig(name="stratified", folds=2)
    result = execute(definition(awkward, protocol=protocol), Recorder(), settings)
    assert result.summary["unreadable"] == 1
    assert result.summary["images"] == 51
    assert not result.predictions["name"].str.contains("truncated").any()


def test_a_data_set_that_changed_is_refused(generated: Path, settings: Settings, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(generated, copy)
    config = definition(copy)
    victim = sorted(copy.glob("happy/*.png"))[0]
    victim.write_bytes(sorted(copy.glob("sad/*.png"))[0].read_bytes())
    with pytest.raises(DataError, match="Submit the run again"):
        execute(config, Recorder(), settings)


def test_the_reshuffle_measures_its_own_leak(generated: Path, settings: Settings) -> None:
    protocol = ProtocolConfig(name="reshuffle", folds=2)
    training = TrainingConfig(epochs=6, batch_size=8)
    summary = execute(
        definition(generated, protocol=protocol, training=training), Recorder(), settings
    ).summary
    assert summary["leakage"]["image"] > 0.5
    assert summary["validated"] < summary["images"]
    assert math.isfinite(summary["over_epochs"]["val_loss"])


def test_a_detector_trained_on_the_same_data_is_counted_as_a_leak(generated: Path, tmp_path: Path) -> None:
    artifacts, dataset = Artifacts(tmp_path), open_dataset(generated)
    movies = sorted({sample.group for sample in dataset.samples})
    about = {
        "data": {"fingerprint": data_config(dataset).fingerprint, "name": "films", "generated": False},
        "training_groups": movies[:1],
    }
    artifacts.ensure("detectors", "a" * 16, about, lambda folder: None)
    config = definition(generated, faces=FacesConfig(detector="a" * 16))
    used = samples_table(dataset).assign(status="found")
    groups, clips = list(used["group"]), list(used["clip"])
    labels = used["label"].to_numpy(copy=True)
    folds = draw(config.protocol, labels, groups, clips, list(used["split"]))

    found = measure_leaks(config, used, folds, artifacts)
    assert found["detector_data"] == "films"
    assert found["leakage"]["detector"] == groups.count(movies[0]) / len(groups) > 0
    plain = measure_leaks(definition(generated), used, folds, artifacts)
    assert "detector_data" not in plain
    assert plain["leakage"] == found["leakage"] | {"detector": None}

    # An image's own name stands for its clip where none is known: it has no relatives to look for.
    alone = measure_leaks(config, used.assign(clip=used["name"]), folds, artifacts)["leakage"]
    assert alone["clip"] is None
    assert alone["group"] == found["leakage"]["group"]

    artifacts.delete("detectors", "a" * 16)
    about["data"]["fingerprint"] = "f" * 16
    artifacts.ensure("detectors", "a" * 16, about, lambda folder: None)
    elsewhere = measure_leaks(config, used, folds, artifacts)
    assert (elsewhere["detector_data"], elsewhere["leakage"]["detector"]) == ("films", None)


def test_classes_keep_their_order() -> None:
    assert CLASSES == ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def test_a_recipe_says_what_it_chose_and_what_that_is_worth(generated: Path, settings: Settings) -> None:
    recipe = {"calibrate": True, "selection": "best_on_validation", "precision": "auto", "schedule": "cosine"}
    protocol = ProtocolConfig(name="stratified", folds=2)
    config = definition(
        generated, protocol=protocol, training=TrainingConfig(epochs=3, batch_size=8, **recipe)
    )
    result = execute(config, Recorder(), settings)
    summary = result.summary
    assert (summary["selection"], summary["optimistic"]) == ("best_on_validation", True)
    assert all(1 <= epoch <= 3 for epoch in summary["selected_epochs"])
    assert all(temperature > 0 for temperature in summary["temperatures"])
    assert len(summary["temperatures"]) == 2
    assert summary["micro_batch"] == 8
    assert summary["calibrated"]["log_loss"] > 0
    assert result.environment["precision"] == "float32"
    assert "head alone" in result.environment["precision_reason"]
    plain = execute(definition(generated), Recorder(), settings).summary
    assert (plain["selection"], plain["optimistic"], plain["selected_epochs"]) == ("last", False, [2, 2])
    assert "temperatures" not in plain


class Blind(Engine):
    """An engine that must not look for faces."""

    def detect(self, *_: object) -> NoReturn:
        raise AssertionError("faces were looked for again")


def test_excluded_frames_are_left_out_and_the_others_faces_and_boxes_kept(
    generated: Path, settings: Settings
) -> None:
    whole, artifacts = definition(generated), Artifacts(settings.artifacts)
    names = [sample.name for sample in open_dataset(generated).samples]
    drawn = freeze_boxes(artifacts, {names[0]: (10.0, 10.0, 90.0, 90.0), names[5]: (10.0, 10.0, 90.0, 90.0)})
    faces = whole.faces.model_copy(update={"no_face": "manual", "manual_boxes": drawn})
    execute(whole.model_copy(update={"goal": "faces"}), Recorder(), settings)
    reading = Reading(exclude=(names[0], names[1]))
    data = data_config(open_dataset(generated, reading=reading))
    config = whole.model_copy(update={"data": data, "faces": faces})
    assert config.data.whole == whole.data
    assert len({config.key(), whole.model_copy(update={"faces": faces}).key()}) == 2
    result = execute(config, Recorder(), settings, Blind())
    assert sorted(set(names) - set(result.predictions["name"])) == [names[0], names[1]]
    status = result.predictions.set_index("name")["face_status"]
    assert status[names[5]] == "manual"
    before = read_detections(artifacts.open("detections", whole.detections_key()))
    after = read_detections(artifacts.open("detections", config.detections_key()))
    assert {name: found.to_dict() for name, found in after.items()} == {
        name: found.to_dict() for name, found in before.items() if name not in reading.exclude
    }
