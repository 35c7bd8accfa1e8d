"""A finished run's networks on crops: they vote as they were trained to, calibrated where the run says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_pipeline import Watcher, definition

from fer_core.config.run import CLASSES, ProtocolConfig, TrainingConfig, TransferConfig
from fer_core.config.settings import Settings, load
from fer_core.datasets.images import load_rgb
from fer_core.errors import NotFoundError
from fer_core.evaluation.metrics import apply_temperature
from fer_core.evaluation.metrics.probabilities import COLUMNS
from fer_core.faces.crops import Chosen, cut
from fer_core.faces.extraction import read_crops
from fer_core.prediction.answers import Prediction
from fer_core.prediction.predictor import Predictor
from fer_core.runs.pipeline.run import execute
from fer_core.storage.artifacts import Artifacts


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
        stored = held_out[list(COLUMNS)].to_numpy(np.float32)
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


def test_faces_are_boxed_cut_and_classified_as_one_by_one(generated: Path, settings: Settings) -> None:
    config = definition(generated)
    execute(config, Watcher(), settings)
    predictor = Predictor.load(config.key(), config, settings)
    images = [load_rgb(path) for path in sorted(generated.glob("happy/*.png"))[:3]]
    for image, faces in zip(images, predictor.predict(images), strict=True):
        for face in faces:
            ((probabilities, agreement, _),) = predictor.classify(face.crop[None])
            assert np.allclose(face.probabilities, probabilities, atol=1e-5)
            assert face.agreement == agreement
            if face.box is not None:
                chosen = Chosen("found", face.box, None, face.landmarks, 1)
                assert np.array_equal(face.crop, cut(image, chosen, config.faces))


def test_a_drawn_box_takes_the_place_of_detection(generated: Path, settings: Settings) -> None:
    config = definition(generated)
    execute(config, Watcher(), settings)
    predictor = Predictor.load(config.key(), config, settings)
    image = np.full((90, 120, 3), 128, np.uint8)
    image[20:60, 30:70] = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    ((face,),) = predictor.predict([image], boxes=[(30, 20, 70, 60)])
    assert face.status == "manual"
    part = Image.fromarray(image).crop((30, 20, 70, 60)).resize((160, 160), Image.Resampling.BILINEAR)
    assert np.array_equal(face.crop, np.asarray(part))


def test_unsure_is_said_below_the_threshold_and_by_calibrated_figures() -> None:
    own, scaled = np.array([0.5, 0.3, 0.2, 0, 0, 0, 0]), np.array([0.3, 0.35, 0.35, 0, 0, 0, 0])
    crop = np.zeros((160, 160, 3), np.uint8)
    raw = Prediction("found", None, None, None, crop, own, 1.0)
    assert (raw.label, raw.unsure(0.51), raw.unsure(0.5)) == (CLASSES[0], True, False)
    calibrated = Prediction("found", None, None, None, crop, own, 1.0, scaled)
    assert (calibrated.label, calibrated.confidence) == (CLASSES[1], 0.35)
    assert calibrated.unsure(0.4)


def test_an_unknown_fold_is_refused(generated: Path, settings: Settings) -> None:
    config = definition(generated)
    execute(config, Watcher(), settings)
    with pytest.raises(NotFoundError, match="It has"):
        Predictor.load(config.key(), config, settings).only(9, 9)
