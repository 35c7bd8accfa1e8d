"""Each published recogniser is fed and read as its source does: recomputed in NumPy, and held to photographs.

The files themselves are too large to stand here. What goes wrong silently is not in them but in how they are fed: so
a small network stands in for each, whose answer turns on each pixel's place, colour and scale, and each label's place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_case import stand_in
from PIL import Image

from fer_core import ROOT
from fer_core.config.run import CLASSES
from fer_core.config.settings import Settings, load
from fer_core.learning.networks import onnx_files
from fer_core.learning.networks.onnx_files import KNOWN
from fer_core.learning.networks.recognisers import Recogniser, named
from fer_core.prediction.recognition import Recognition
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.shared_artifacts import artifacts_of

#: Where a test run looks for weights: the tests' own state folder has none.
WEIGHTS = load().weights_dir


def hsemotion(image: np.ndarray) -> np.ndarray:
    """Follow `preprocess` of hsemotion-onnx 0.3.1, `hsemotion_onnx/facial_emotions.py`, for an RGB image."""
    x = image / 255
    x[..., 0] = (x[..., 0] - 0.485) / 0.229
    x[..., 1] = (x[..., 1] - 0.456) / 0.224
    x[..., 2] = (x[..., 2] - 0.406) / 0.225
    return x.transpose(2, 0, 1)


def ferplus(image: np.ndarray) -> np.ndarray:
    """Follow the model zoo's example of FER+: gray (Pillow's 'L', ITU-R 601-2), values as they are."""
    return (image @ [0.299, 0.587, 0.114])[None]


def opencv_zoo(image: np.ndarray) -> np.ndarray:
    """Follow `_preprocess` of OpenCV Zoo's `facial_fer_model.py`, for an image that is RGB already."""
    return ((image / 255 - 0.5) / 0.5).transpose(2, 0, 1)


#: Name -> (how its source feeds it, its outputs in the source's words, size).
SOURCES: dict[str, tuple[Any, str, int]] = {
    "hsemotion_b0_8": (hsemotion, "Anger Contempt Disgust Fear Happiness Neutral Sadness Surprise", 224),
    "hsemotion_b2_7": (hsemotion, "Anger Disgust Fear Happiness Neutral Sadness Surprise", 260),
    "ferplus": (ferplus, "neutral happiness surprise sadness anger disgust fear contempt", 64),
    "opencv_mobilefacenet": (opencv_zoo, "angry disgust fearful happy neutral sad surprised", 112),
}
MEANT = {
    **dict.fromkeys(("anger", "angry"), "angry"),
    **dict.fromkeys(("fear", "fearful"), "fear"),
    **dict.fromkeys(("happiness", "happy"), "happy"),
    **dict.fromkeys(("sadness", "sad"), "sad"),
    **dict.fromkeys(("surprise", "surprised"), "surprise"),
    **{"disgust": "disgust", "neutral": "neutral"},
}


def mistaken(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return settings that are wrong in one way each, and that a file of this shape would be accepted with."""
    labels = list(settings["labels"])
    wrong = [{"labels": labels[1:] + labels[:1]}, {"labels": labels[::-1]}, {"std": (1.0,)}, {"mean": (0.1,)}]
    if "contempt=-" in labels:
        wrong.append({"labels": [one.replace("=-", "=disgust") for one in labels]})
    return wrong + [{"channels": "bgr"}] * (settings["channels"] == "rgb")


@pytest.mark.parametrize("name", KNOWN)
def test_each_is_fed_and_read_as_its_source_does(name: str, tmp_path: Path) -> None:
    feed, words, size = SOURCES[name]
    outputs, rng = words.lower().split(), np.random.default_rng(3)
    image = rng.integers(0, 256, (size, size, 3), np.uint8)
    x = feed(image.astype(np.float64))
    across = (rng.normal(size=size) / size).astype(np.float32)
    weights = rng.normal(size=(len(x) * size, len(outputs))).astype(np.float32)
    logits = (x @ across.astype(np.float64)).reshape(-1) @ weights
    weights *= np.float32(2 / np.abs(logits).max())  # so that no class takes all
    logits *= 2 / np.abs(logits).max()
    shares = dict.fromkeys(CLASSES, 0.0)
    for word, logit in zip(outputs, logits, strict=True):
        if word != "contempt":
            shares[MEANT[word]] += np.exp(logit)
    expected = np.array(list(shares.values())) / sum(shares.values())

    file = stand_in(tmp_path / "stand-in.onnx", weights, across)
    store = Artifacts(tmp_path / "kept")

    def said(settings: dict[str, Any]) -> np.ndarray:
        onnx_files.add(file, store, name="it", **settings)
        (answer,) = Recogniser.load(named("it", store)[0], None, store, "cpu").answer(image[None])
        return answer

    assert np.abs(said(KNOWN[name].settings) - expected).max() < 1e-5
    for wrong in mistaken(KNOWN[name].settings):
        assert np.abs(said(KNOWN[name].settings | wrong) - expected).max() > 1e-3, wrong


def test_the_docs_name_each_with_its_file() -> None:
    assert set(SOURCES) == set(KNOWN)
    lines = (ROOT / "docs" / "recognisers.md").read_text().splitlines()
    for name, row in KNOWN.items():
        (told,) = [line for line in lines if line.startswith(f"| `{name}` ")]
        assert f"`{row.file}`" in told


@pytest.mark.parametrize("name", KNOWN)
def test_each_calls_most_smiles_happy_and_most_plain_faces_neutral(
    name: str, photos: list[Path], settings: Settings
) -> None:
    if not (WEIGHTS / KNOWN[name].file).is_file():
        pytest.skip(f"{KNOWN[name].file} is not in {WEIGHTS}: curl -Lo {KNOWN[name].file} {KNOWN[name].url}")
    onnx_files.fetch(name, artifacts_of(settings), WEIGHTS)
    recognition = Recognition.named(name, settings)
    chosen = photos[::5]
    images = [np.asarray(Image.open(path).convert("RGB")) for path in chosen]
    answers = [faces[0].label for faces in recognition.predict(images)]
    for label in ("happy", "neutral"):
        own = [said == label for said, path in zip(answers, chosen, strict=True) if path.parent.name == label]
        assert np.mean(own) > 0.5
