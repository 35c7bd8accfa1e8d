"""A finished run's networks on crops: they vote as they were trained to, calibrated where the run says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_pipeline import Watcher, definition

from fer_core.artifacts import Artifacts
from fer_core.config import ProtocolConfig, TrainingConfig
from fer_core.faces.extraction import read_crops
from fer_core.metrics import apply_temperature
from fer_core.pipeline import execute
from fer_core.predict import Predictor
from fer_core.settings import Settings, load


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load({"FER_HOME": str(tmp_path_factory.mktemp("home")), "FER_DEVICE": "cpu", "FER_THREADS": "1"})


def test_votes_are_those_of_training_with_flip_and_temperature(generated: Path, settings: Settings) -> None:
    recipe = TrainingConfig(epochs=2, batch_size=8, calibrate=True, flip_at_test=True)
    config = definition(generated, protocol=ProtocolConfig(name="stratified", folds=2), training=recipe)
    result = execute(config, Watcher(), settings)
    crops = read_crops(Artifacts(settings.artifacts).path("crops", config.crops_key()))
    predictor = Predictor.load(config.key(), config, settings)
    assert predictor.temperatures == pytest.approx(result.summary["temperatures"])

    both = predictor.temperatures, predictor.suffixes
    held_out = result.predictions[result.predictions["fold"] == 1]
    rows = [list(crops.used()["name"]).index(name) for name in held_out["name"]]
    predictor.temperatures, predictor.suffixes = both[0][1:], both[1][1:]
    expected = held_out[[f"p{index}" for index in range(7)]].to_numpy()
    found = predictor.classify(np.asarray(crops.images)[rows])
    assert np.allclose([p for p, _, _ in found], expected, atol=1e-4)
    calibrated = apply_temperature(expected, both[0][1])
    assert np.allclose([c for _, _, c in found], calibrated, atol=1e-3)


def test_without_a_temperature_nothing_is_called_calibrated(generated: Path, settings: Settings) -> None:
    config = definition(generated)
    execute(config, Watcher(), settings)
    predictor = Predictor.load(config.key(), config, settings)
    (faces,) = predictor.predict([np.full((90, 90, 3), 128, np.uint8)])
    assert faces[0].calibrated is None
    assert faces[0].to_dict()["calibrated"] is None
