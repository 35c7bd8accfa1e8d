"""A finished run's networks on crops: they vote as they were trained to, calibrated where the run says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_pipeline import Watcher, definition

from fer_core.artifacts import Artifacts
from fer_core.config import ProtocolConfig, TrainingConfig, TransferConfig
from fer_core.faces.extraction import read_crops
from fer_core.metrics import apply_temperature
from fer_core.pipeline import execute
from fer_core.predict import Predictor
from fer_core.settings import Settings, load


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load({"FER_HOME": str(tmp_path_factory.mktemp("home")), "FER_DEVICE": "cpu", "FER_THREADS": "1"})


RECIPES = {
    "paper": {},
    "flip and temperature": {"calibrate": True, "flip_at_test": True},
    "bf16": {"precision": "bf16"},
}


@pytest.mark.parametrize(
    ("backbone", "weights", "n", "recipe"),
    [
        ("efficientnet_lite0", "imagenet", 1, "paper"),
        ("efficientnet_lite0", "imagenet", 2, "flip and temperature"),
        ("resnet18", "none", 2, "paper"),
        ("resnet18", "none", 1, "bf16"),
    ],
)
def test_a_crop_of_training_gets_its_held_out_probabilities_to_the_bit(
    generated: Path, settings: Settings, backbone: str, weights: str, n: int, recipe: str
) -> None:
    config = definition(
        generated,
        model=TransferConfig(backbone=backbone, weights=weights, unfreeze=n),
        protocol=ProtocolConfig(name="stratified", folds=2),
        training=TrainingConfig(epochs=2, batch_size=8, **RECIPES[recipe]),
    )
    result = execute(config, Watcher(), settings)
    crops = read_crops(Artifacts(settings.artifacts).path("crops", config.crops_key()))
    predictor = Predictor.load(config.key(), config, settings)
    networks, names = predictor.networks, list(crops.used()["name"])
    for fold, network in enumerate(networks):
        predictor.networks = [network]
        held_out = result.predictions[result.predictions["fold"] == fold].sample(frac=1, random_state=fold)
        stored = held_out[[f"p{index}" for index in range(7)]].to_numpy(np.float32)
        found = predictor.classify(np.asarray(crops.images)[[names.index(name) for name in held_out["name"]]])
        assert np.array_equal([p for p, _, _ in found], stored)
        (alone,) = predictor.classify(np.asarray(crops.images)[[names.index(held_out["name"].iloc[0])]])
        assert np.array_equal(alone[0], stored[0])
        if network.temperature is not None:
            assert network.temperature == result.summary["temperatures"][fold]
            assert np.array_equal([c for _, _, c in found], apply_temperature(stored, network.temperature))
    assert (networks[0].temperature is None) == (recipe != "flip and temperature")


def test_without_a_temperature_nothing_is_called_calibrated(generated: Path, settings: Settings) -> None:
    config = definition(generated)
    execute(config, Watcher(), settings)
    predictor = Predictor.load(config.key(), config, settings)
    (faces,) = predictor.predict([np.full((90, 90, 3), 128, np.uint8)])
    assert faces[0].calibrated is None
    assert faces[0].to_dict()["calibrated"] is None
