"""A finished run's networks on crops: they vote as they were trained to, calibrated where the run says so."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from run_case import finished

from fer_core.config.run import ProtocolConfig, TrainingConfig, TransferConfig
from fer_core.config.settings import Settings, load
from fer_core.datasets.images import load_rgb
from fer_core.errors import NotFoundError
from fer_core.evaluation.metrics import apply_temperature
from fer_core.evaluation.metrics.probabilities import COLUMNS
from fer_core.faces.crops import Chosen, cut
from fer_core.faces.extraction import read_crops
from fer_core.prediction.predictor import FILLED, Predictor
from fer_core.storage.artifacts import Artifacts


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load(home=tmp_path_factory.mktemp("home"), device="cpu", threads=1)


@pytest.fixture(scope="module")
def predictor(generated: Path, settings: Settings) -> Predictor:
    config, _ = finished(generated, settings, protocol=ProtocolConfig(name="group", folds=2))
    return Predictor.load(config.key(), config, settings)


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
    config, result = finished(
        generated,
        settings,
        model=TransferConfig(backbone=backbone, weights=weights, unfreeze=n),
        training=TrainingConfig(epochs=2, batch_size=8, **RECIPES[recipe]),
    )
    crops = read_crops(Artifacts(settings.artifacts).path("crops", config.crops_key()))
    predictor = Predictor.load(config.key(), config, settings)
    networks, names = predictor.networks, list(crops.used()["name"])
    for fold, network in enumerate(networks):
        alone = predictor.only(network.seed, network.fold)
        held_out = result.predictions[result.predictions["fold"] == fold].sample(frac=1, random_state=fold)
        stored = held_out[list(COLUMNS)].to_numpy(np.float32)
        asked = np.asarray(crops.images)[[names.index(name) for name in held_out["name"]]]
        found = alone.classify(np.resize(asked, (max(FILLED, len(asked)), *asked.shape[1:])))[: len(asked)]
        assert np.array_equal([p for p, _, _ in found], stored)
        (single,) = alone.classify(asked[:1])
        np.testing.assert_allclose(single[0], stored[0], atol=0.05 if recipe == "bf16" else 1e-5)
        if network.temperature is not None:
            assert network.temperature == result.summary["temperatures"][fold]
            assert np.array_equal([c for _, _, c in found], apply_temperature(stored, network.temperature))
        else:
            assert {c for _, _, c in found} == {None}
    assert (networks[0].temperature is None) == (recipe != "flip and temperature")


def test_faces_are_boxed_cut_and_classified_as_one_by_one(generated: Path, predictor: Predictor) -> None:
    images = [load_rgb(path) for path in sorted(generated.glob("happy/*.png"))[:3]]
    for image, faces in zip(images, predictor.predict(images), strict=True):
        for face in faces:
            ((probabilities, agreement, _),) = predictor.classify(face.crop[None])
            assert np.allclose(face.probabilities, probabilities, atol=1e-5)
            assert face.agreement == agreement
            if face.box is not None:
                chosen = Chosen("found", face.box, None, face.landmarks, 1)
                assert np.array_equal(face.crop, cut(image, chosen, predictor.config.faces))


def test_of_a_crowd_the_largest_faces_are_answered_and_a_frame_without_one_says_why(
    generated: Path, settings: Settings, predictor: Predictor
) -> None:
    frame = load_rgb(sorted(generated.glob("happy/*.png"))[0])
    small = np.asarray(Image.fromarray(frame).resize((frame.shape[1] // 2, frame.shape[0] // 2)))
    crowd = np.zeros((frame.shape[0], 2 * frame.shape[1], 3), np.uint8)
    crowd[:, : frame.shape[1]] = frame
    crowd[: small.shape[0], frame.shape[1] : frame.shape[1] + small.shape[1]] = small
    bounded = Predictor.load(predictor.config.key(), predictor.config, settings).bounded(1)
    ((*every,), (*few,)) = predictor.look([crowd])[0], bounded.look([crowd])[0]
    assert len(few) == 1 < len(every)
    assert few[0].box == pytest.approx(every[0].box, abs=1e-3)
    ((without,),) = bounded.predict([np.full((90, 90, 3), 128, np.uint8)])
    assert without.box is None
    assert without.trace is not None
    assert without.trace.failure() is not None


def test_a_drawn_box_takes_the_place_of_detection(predictor: Predictor) -> None:
    image = np.full((90, 120, 3), 128, np.uint8)
    image[20:60, 30:70] = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    ((face,),) = predictor.predict([image], boxes=[(30, 20, 70, 60)])
    assert face.status == "manual"
    part = Image.fromarray(image).crop((30, 20, 70, 60)).resize((160, 160), Image.Resampling.BILINEAR)
    assert np.array_equal(face.crop, np.asarray(part))


def test_an_unknown_fold_is_refused(predictor: Predictor) -> None:
    with pytest.raises(NotFoundError, match="It has"):
        predictor.only(9, 9)
