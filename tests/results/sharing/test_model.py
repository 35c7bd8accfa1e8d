"""A run as a model: ONNX agrees with what predicts here, the card says what the figures rest on."""

import hashlib
import json
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fer_core.cli.main import main
from fer_core.config.run import CLASSES, TransferConfig
from fer_core.config.settings import Settings
from fer_core.errors import ConfigError, StoreError
from fer_core.learning.inputs.transforms import to_input
from fer_core.learning.networks.transfer import build
from fer_core.prediction.predictor import Predictor
from fer_core.results.sharing import model as exported
from fer_core.results.sharing.model import export_model, write_onnx
from fer_core.results.sharing.report import markdown
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def lab(shared_home: Path) -> tuple[Store, Artifacts, Settings, str]:
    store = Store(shared_home / "fer.sqlite")
    settings = Settings(home=shared_home, weights_dir=shared_home / "weights", device="cpu")
    return store, Artifacts(shared_home / "artifacts"), settings, store.runs(status=["done"])[0].id


@pytest.fixture(scope="module")
def folder(lab: tuple[Store, Artifacts, Settings, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model with a file a network, written by the command."""
    target = tmp_path_factory.mktemp("models") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_HOME", str(lab[2].home))
        assert main(["export-model", "--run", lab[3], "-o", str(target), "--onnx", "folds", "--json"]) == 0
    return target


def faces(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 160, 160, 3), dtype=np.uint8)


def run_onnx(path: Path, images: torch.Tensor) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"faces": images.numpy()})[0])


def test_onnx_predicts_as_the_predictor_does(
    lab: tuple[Store, Artifacts, Settings, str], folder: Path, tmp_path: Path
) -> None:
    store, artifacts, settings, run_id = lab
    (one,) = export_model(store, artifacts, settings, run_id, tmp_path / "ensemble")
    assert one.difference <= 1e-4
    predictor = Predictor.load(run_id, store.run(run_id).config, settings)
    crops = faces(5)
    expected = np.stack([probabilities for probabilities, *_ in predictor.classify(crops)])
    images = to_input(crops, predictor.row)
    np.testing.assert_allclose(run_onnx(tmp_path / "ensemble" / "model.onnx", images), expected, atol=1e-4)
    parts = [run_onnx(path, images) for path in sorted(folder.glob("*.onnx"))]
    assert len(parts) == 2
    np.testing.assert_allclose(np.mean(parts, axis=0), expected, atol=1e-4)


def test_config_and_safetensors_rebuild_the_networks(
    lab: tuple[Store, Artifacts, Settings, str], folder: Path
) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["classes"] == list(CLASSES)
    for name, digest in config["sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    chain = build(TransferConfig(backbone=config["backbone"], weights="none"), None)
    whole = load_file(folder / "prefix.safetensors") | load_file(folder / "seed0-fold0.safetensors")
    chain.load_state_dict(whole)
    images = to_input(faces(2), chain.row)
    with torch.inference_mode():
        expected = chain(images).softmax(1).numpy()
    np.testing.assert_allclose(run_onnx(folder / "seed0-fold0.onnx", images), expected, atol=1e-4)
    assert config["run"]["data"]["source"] == ""


def test_the_card_says_what_it_rests_on(lab: tuple[Store, Artifacts, Settings, str], folder: Path) -> None:
    run = lab[0].run(lab[3])
    card = (folder / "README.md").read_text()
    low, high = run.summary["val_accuracy_interval"]
    for words in (
        "Trained on generated faces",
        "synthetic-data",
        f"95 % interval {100 * low:.1f} – {100 * high:.1f} %",
        "2 folds, seed 0",
        "leak",
        "opset 18",
        "article 5(1)(f)",
        run.data,
        run.environment["commit"],
    ):
        assert words in card, words
    assert str(run.config.data.source) not in card
    code = card.split("```python\n")[1].split("```")[0]
    compile(code, "card", "exec")


def test_names_stay_text_in_the_card() -> None:
    assert markdown("<img src=x>\n# [a](b) | *c*") == r"&lt;img src=x&gt; \# \[a\]\(b\) \| \*c\*"


def test_a_file_that_differs_is_not_written(
    lab: tuple[Store, Artifacts, Settings, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exported, "TOLERANCE", -1.0)
    store, artifacts, settings, run_id = lab
    with pytest.raises(StoreError, match="must give PyTorch's probabilities"):
        export_model(store, artifacts, settings, run_id, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_whoever_may_read_one_file_may_read_all(folder: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert any(name.endswith(".safetensors") for name in modes)
    assert set(modes.values()) == {modes["config.json"]}


def test_an_existing_folder_is_left_alone(
    lab: tuple[Store, Artifacts, Settings, str], tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(StoreError, match="new or empty"):
        export_model(*lab, tmp_path, onnx="none")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_without_the_packages_the_error_names_the_command(
    lab: tuple[Store, Artifacts, Settings, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"pip install -r requirements-onnx\.txt"):
        export_model(*lab, tmp_path / "model")
    assert export_model(*lab, tmp_path / "model", onnx="none") == []
    assert not list((tmp_path / "model").glob("*.onnx"))


@pytest.mark.parametrize("side", [32])
def test_mirrored_networks_average_both_images(side: int, tmp_path: Path) -> None:
    from fer_core.results.sharing.networks import Ensemble

    torch.manual_seed(0)
    prefix = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten())
    suffixes = [torch.nn.Linear(4 * 30 * 30, 7) for _ in range(2)]
    network = Ensemble(prefix, suffixes, flip=True)
    write_onnx(network, side, tmp_path / "model.onnx")
    images = torch.randn(2, 3, side, side)
    with torch.no_grad():
        votes = [one(prefix(some)).softmax(1) for some in (images, images.flip(3)) for one in suffixes]
    np.testing.assert_allclose(
        run_onnx(tmp_path / "model.onnx", images), torch.stack(votes).mean(0).numpy(), atol=1e-4
    )
