"""What runs on a GPU, under a pretended one: tensors say `cuda:0`, hold CPU data, and refuse what CUDA refuses.

Held is that nothing is refused, that the results are the CPU's, and how often a frame, a pass or an answer waits for
the device. On a card, `TEST_DEVICE=cuda:0 make test` runs the device-bound tests themselves.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from facenet_pytorch.models.mtcnn import ONet, RNet
from pipeline_case import definition
from report_case import Recorder

from fer_core import ROOT
from fer_core.config import settings as settings_module
from fer_core.config.comparators import BdnnConfig
from fer_core.config.run import CLASSES, FacesConfig, ProtocolConfig, TrainingConfig, TransferConfig
from fer_core.datasets.images import load_rgb
from fer_core.faces.finetuning.finetuned import FineTuneConfig
from fer_core.faces.finetuning.samples import NEGATIVE, PART, POSITIVE, Refiner, StageSamples
from fer_core.faces.finetuning.train import train_stage
from fer_core.faces.mtcnn.detector import MTCNN
from fer_core.learning.inputs import prefix
from fer_core.learning.inputs.transforms import to_input
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.networks.reproducible import deterministic
from fer_core.learning.networks.transfer import build
from fer_core.prediction.predictor import Predictor
from fer_core.runs.pipeline.run import execute

CUDA = torch.device("cuda:0")
PRETENDED = ROOT.parent / "shared" / "gpu" / "pretend_cuda.py"
pytestmark = pytest.mark.skipif(
    not PRETENDED.exists(), reason="needs shared/gpu/pretend_cuda.py beside the repository"
)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Pretend that there is a GPU, on which a pass holds two images, and demand that it refused nothing."""
    spec = importlib.util.spec_from_file_location("pretend_cuda", PRETENDED)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.chdir(ROOT)
    monkeypatch.setitem(sys.modules, "pretend_cuda", module)
    spec.loader.exec_module(module)
    monkeypatch.setitem(prefix.CHUNK, "cuda", 2)
    card = SimpleNamespace(name="Pretended", total_memory=80 << 30, major=9, minor=0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    with module.pretend():
        yield module
    torch.__future__.set_overwrite_module_params_on_conversion(False)
    assert not module.PROBLEMS
    assert not module.NOKERNEL


def waits(cuda: ModuleType) -> int:
    """Return how often the host waited for the device, or the device for a copy from ordinary memory."""
    return sum(
        count
        for (kind, *_), count in cuda.LOG.items()
        if kind.startswith(("D2H", "H2D pageable", "H2D of CPU", "sync"))
    )


#: Operations that make a tensor of what is there already: the device has nothing to do.
VIEWS = ["view", "_unsafe_view", "select", "slice", "permute", "t", "expand", "unsqueeze", "split_with_sizes"]


def launches(cuda: ModuleType) -> int:
    """Return how many operations the device was given."""
    return sum(count for name, count in cuda.OPS.items() if name.removeprefix("aten::") not in VIEWS)


@pytest.mark.parametrize("sizes", [1, 16])
def test_detection_finds_the_cpus_faces_and_hardly_waits(
    sizes: int, generated: Path, cuda: ModuleType
) -> None:
    frames = [load_rgb(path) for path in sorted(generated.rglob("*.png"))[:16]]
    frames = [frame[k % sizes :, (k % sizes) * 3 :] for k, frame in enumerate(frames)]
    detector = MTCNN("cuda:0")
    cuda.clear()
    there = detector.detect(frames)
    assert waits(cuda) <= 5  # for candidates, twice; for the answers of P-, R- and O-Net
    assert launches(cuda) < 40 * len(frames)
    here = MTCNN("cpu").detect(frames)
    assert sum(map(len, here)) > 8
    for one, other in zip(there, here, strict=True):
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-3)
        for stage in ("pnet", "rnet", "onet"):
            assert len(getattr(one.trace, stage).boxes) == len(getattr(other.trace, stage).boxes)
        np.testing.assert_allclose(one.trace.best, other.trace.best, atol=1e-5)
        np.testing.assert_array_equal(one.trace.best_boxes, other.trace.best_boxes)


@pytest.mark.parametrize(
    "backbone", sorted({*BACKBONES} - {"vgg16"})
)  # whose weights alone take seconds to draw
def test_each_backbone_passes_its_prefix_and_trains_its_head(backbone: str, cuda: ModuleType) -> None:
    chain = build(TransferConfig(backbone=backbone, weights="none"), None)
    crops = np.random.default_rng(0).integers(0, 256, (2, 160, 160, 3)).astype(np.uint8)
    with torch.no_grad():
        here = chain.prefix("fc")(to_input(crops, chain.row))
    there = chain.to(CUDA)
    entering = prefix.forward(there.prefix("fc"), to_input(crops, chain.row, CUDA))
    torch.testing.assert_close(entering.cpu(), here, rtol=1e-4, atol=1e-5)
    head = there.suffix("fc").train().requires_grad_(True)
    with deterministic(CUDA, one_thread=True):
        torch.nn.functional.cross_entropy(head(entering), torch.tensor([0, 1]).to(CUDA)).backward()
    assert all(bool(value.grad.abs().sum() > 0) for value in head.parameters())


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory, generated: Path) -> Path:
    """Return a data set of two generated frames a class."""
    folder = tmp_path_factory.mktemp("few")
    for label in CLASSES:
        (folder / label).mkdir()
        for frame in sorted((generated / label).glob("*.png"))[:2]:
            shutil.copy(frame, folder / label)
    return folder


def test_a_run_trains_and_its_networks_answer_as_on_a_cpu(
    few: Path, tmp_path: Path, cuda: ModuleType
) -> None:
    config = definition(
        few,
        model=TransferConfig(backbone="efficientnet_lite0", unfreeze=2),
        training=TrainingConfig(epochs=1, batch_size=8),
        protocol=ProtocolConfig(name="stratified", folds=2),
    )
    on = {device: settings_module.load(home=tmp_path, device=device) for device in ("cuda", "cpu")}
    assert execute(config, Recorder(), on["cuda"]).environment["gpu"] == "Pretended"
    frames = [load_rgb(path) for path in sorted(few.rglob("*.png"))[:4]]
    predictors = {device: Predictor.load(config.key(), config, settings) for device, settings in on.items()}
    predictors["cuda"].predict(frames[:1], explain=True, nearest=2)
    cuda.clear()
    found = predictors["cuda"].predict(frames, explain=True, nearest=2)
    assert waits(cuda) <= 12  # five of them in detection, whose four frames are looked at together
    for there, here in zip(found, predictors["cpu"].predict(frames), strict=True):
        assert there
        for face, same in zip(there, here, strict=True):
            np.testing.assert_allclose(face.probabilities, same.probabilities, atol=1e-3)
    meets_few_lengths(predictors["cuda"], np.stack([faces[0].crop for faces in found] * 3))


def meets_few_lengths(predictor: Predictor, crops: np.ndarray) -> None:
    """Demand that 1 to 12 faces are passes of few lengths, with the answers that each gets beside others."""
    lengths: set[int] = set()
    predictor.prefix.register_forward_pre_hook(lambda _, given: lengths.add(len(given[0])))
    every = predictor.classify(crops)
    for count in range(1, len(crops) + 1):
        found = predictor.classify(crops[:count])
        for (one, *_), (other, *_) in zip(found, every[:count], strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4)
        if count % 5 == 0:
            maps = predictor.explain(crops[:count], ["happy"] * count)
            assert maps is not None
            assert len(maps) == len(predictor.nearest(crops[:count], 1)) == count
    assert lengths <= {1, 2, 4, 8, 16, 32}


def test_a_bdnn_trains_and_waits_once_an_epoch(few: Path, tmp_path: Path, cuda: ModuleType) -> None:
    settings, waited = settings_module.load(home=tmp_path, device="cuda"), {}
    for epochs in (3, 8):
        config = definition(
            few,
            model=BdnnConfig(epochs=epochs),
            faces=FacesConfig(extract=False),
            protocol=ProtocolConfig(name="stratified", folds=2),
        )
        cuda.clear()
        assert len(execute(config, Recorder(), settings).predictions) == 14
        waited[epochs] = waits(cuda)
    assert waited[8] - waited[3] <= 8 - 3


@pytest.mark.parametrize(("stage", "side"), [("rnet", 24), ("onet", 48)])
def test_a_detector_is_fine_tuned(stage: Refiner, side: int, cuda: ModuleType) -> None:
    rng = np.random.default_rng(0)
    crops = torch.from_numpy(rng.integers(0, 256, (8, 3, side, side)).astype(np.uint8))
    kinds = torch.tensor([NEGATIVE, PART, POSITIVE, POSITIVE] * 2)
    samples = StageSamples(crops, kinds, torch.rand(8, 4), torch.rand(8, 10))
    curves = []
    for device in ("cpu", "cuda:0"):
        nets = torch.nn.ModuleDict({"rnet": RNet(), "onet": ONet()}).to(device)
        config = FineTuneConfig(epochs=2, batch_size=8)
        curves.append(train_stage(nets, stage, samples.to(device), config, np.random.default_rng(0)))
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-4)
