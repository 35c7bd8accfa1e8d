import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from report_case import Recorder
from safetensors.torch import load_file
from training_case import (
    CPU,
    SIDE,
    PlainFold,
    crops_and_labels,
    fit,
    outcome,
    run_config,
    small_chain,
    two_folds,
)

from fer_core import ROOT
from fer_core.config.run import RunConfig
from fer_core.errors import Cancelled, ConfigError, StoreError, TrainingError
from fer_core.learning.inputs.prefix import forward
from fer_core.learning.inputs.transforms import to_input
from fer_core.learning.inputs.views import Inputs
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.networks.reproducible import seeded
from fer_core.learning.networks.transfer import (
    BUILDERS,
    Blocks,
    Chain,
    ClassToken,
    Tokens,
    derived_seed,
    reset_head,
)
from fer_core.learning.reporting import FoldResult
from fer_core.learning.training.loop import train
from fer_core.learning.training.recipe import cut_batches, draw_order

VGG16 = BUILDERS["vgg16"]

Forward = Callable[[Chain, torch.Tensor, RunConfig], torch.Tensor]


def plain_forward(chain: Chain, images: torch.Tensor, _: RunConfig) -> torch.Tensor:
    """Send a batch through the whole network at once, as a tutorial does."""
    return chain(images)


def full_forward(chain: Chain, images: torch.Tensor, config: RunConfig) -> torch.Tensor:
    """Send a batch through the whole network, its frozen part in passes of one size."""
    boundary = chain.row.boundary(config.transfer.unfreeze)
    return chain.suffix(boundary)(forward(chain.prefix(boundary), images))


def usual_loop(
    config: RunConfig, fold: PlainFold, through: Forward = full_forward, side: int = SIDE
) -> tuple[list[tuple[float, ...]], np.ndarray, float]:
    """Train with the whole network run on every batch, frozen blocks in eval mode; nothing is kept.

    Returns each epoch's figures, the held-out probabilities, and the last network's accuracy on its training images.
    """
    crops, labels = crops_and_labels(side=side)
    chain = small_chain(config, side)
    reset_head(chain, seed=fold.seed, fold=fold.fold)
    images, targets = to_input(crops, chain.row), torch.from_numpy(labels)
    suffix = chain.requires_grad_(False).suffix(chain.row.boundary(config.transfer.unfreeze))
    optimizer = torch.optim.Adam(suffix.requires_grad_(True).parameters(), lr=config.training.lr, fused=True)
    figures = []
    for epoch in range(1, config.training.epochs + 1):
        chain.eval()
        for module in chain.modules():
            if config.training.batch_norm == "batch" and isinstance(module, torch.nn.BatchNorm2d):
                module.train()
        suffix.train()
        loss_sum = correct = seen = 0.0
        order = draw_order(fold, epoch, labels, config.training.sampler)
        with seeded(derived_seed(fold.seed, fold.fold, epoch, 1), CPU):
            for batch in cut_batches(order, config.training.batch_size):
                logits = through(chain, images[batch], config)
                loss = torch.nn.functional.cross_entropy(logits, targets[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                loss_sum += float(loss.detach()) * len(batch)
                correct += int((logits.argmax(1) == targets[batch]).sum())
                seen += len(batch)
        held_out = fold.split(epoch)[1]
        logits = forward(chain.eval(), images[held_out])
        val_loss = float(torch.nn.functional.cross_entropy(logits, targets[held_out]))
        hits = int((logits.argmax(1) == targets[held_out]).sum())
        figures.append((loss_sum / seen, correct / seen, val_loss, hits / len(held_out)))
    inside = fold.split(config.training.epochs)[0]
    exact = float((forward(chain.eval(), images[inside]).argmax(1) == targets[inside]).double().mean())
    return figures, logits.softmax(1).numpy(), exact


def figures_of(result: FoldResult) -> list[tuple[float, ...]]:
    return [(e.train_loss, e.train_accuracy, e.val_loss, e.val_accuracy) for e in result.epochs]


def require_equal_bits(
    config: RunConfig, folder: Path, through: Forward = full_forward, side: int = SIDE
) -> None:
    fold = two_folds()[0]
    (result,) = fit(config, folder, folds=[fold], side=side)
    expected, probabilities, exact = usual_loop(config, fold, through, side)
    found = figures_of(result)
    assert result.note["train_accuracy"] == exact
    assert [row[0] for row in found] == [row[0] for row in expected]
    assert [row[2] for row in found] == [row[2] for row in expected]
    assert np.allclose(found, expected, rtol=1e-12)
    assert np.array_equal(result.probabilities, probabilities)
    assert np.array_equal(result.indices, fold.validation)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_resnet18_losses_equal_those_of_the_plainest_loop_to_the_bit(n: int, tmp_path: Path) -> None:
    require_equal_bits(run_config("resnet18", n), tmp_path, plain_forward)


@pytest.mark.parametrize("n", [1, 2])
def test_train_mode_batchnorm_equals_the_plainest_loop_to_the_bit_and_stores_nothing(
    n: int, tmp_path: Path
) -> None:
    config = run_config("resnet18", n, batch_norm="batch")
    require_equal_bits(config, tmp_path, plain_forward)
    assert not (tmp_path / "artifacts" / "activations").exists()
    tensors = load_file(next((tmp_path / "fit").glob("*.safetensors")))
    assert not torch.equal(
        tensors["suffix.stem.1.running_mean"], small_chain(config).state_dict()["stem.1.running_mean"]
    )


def test_train_mode_batchnorm_needs_batchnorm_in_the_frozen_blocks(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="frozen blocks that have BatchNorm"):
        fit(run_config("convnext_tiny", 1, batch_norm="batch"), tmp_path)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_lite0_losses_equal_those_of_the_plainest_loop_in_batches_of_16_or_more(
    n: int, tmp_path: Path
) -> None:
    """34 images in batches of 17; below 16 PyTorch multiplies 1 x 1 convolutions otherwise on one thread."""
    config = run_config("efficientnet_lite0", n, "imagenet", batch_size=17)
    require_equal_bits(config, tmp_path, plain_forward)


@pytest.mark.parametrize(
    ("name", "n", "batch_size"),
    [(name, 2, 13) for name in BACKBONES] + [("efficientnet_lite0", 1, 2), ("efficientnet_lite0", 3, 5)],
)
def test_losses_of_every_backbone_equal_the_full_forwards_to_the_bit(
    name: str, n: int, batch_size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BUILDERS, "vit_b_16", small_vit)
    monkeypatch.setitem(BUILDERS, "vgg16", narrow_vgg)
    side = 80 if name.startswith("inception") else 48
    require_equal_bits(run_config(name, n, epochs=1, batch_size=batch_size), tmp_path, side=side)


def small_vit() -> tuple[torch.nn.Module, Blocks]:
    """ViT-B/16's blocks in a size that tests can train."""
    vit = torchvision.models.VisionTransformer(48, 16, 12, 4, 64, 128, num_classes=7)
    blocks: Blocks = {"embed": Tokens(vit)}
    blocks |= {f"encoder{i}": layer for i, layer in enumerate(vit.encoder.layers, start=1)}
    return vit, {**blocks, "norm": ClassToken(vit.encoder.ln), "fc": vit.heads.head}


def narrow_vgg() -> tuple[torch.nn.Module, Blocks]:
    """VGG-16 with fully connected blocks of 64 instead of 4096."""
    net, blocks = VGG16()
    wide = torch.nn.Sequential(torch.nn.Linear(25088, 64), torch.nn.ReLU(), torch.nn.Dropout())
    rest = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Dropout())
    return net, blocks | {"fc6": wide, "fc7": rest, "fc": torch.nn.Linear(64, 7)}


def test_resuming_keeps_moments_in_the_layout_of_their_weights(tmp_path: Path) -> None:
    """Fused Adam walks memory, not indices: moments read back in another layout would meet other weights."""
    config, folds = run_config("resnet18", 2, batch_size=16), two_folds()[:1]
    whole = fit(config, tmp_path / "whole", folds=folds)
    with pytest.raises(Cancelled):
        fit(config, tmp_path / "cut", folds=folds, report=Recorder(cancel_at_check=5), save_every_s=0.0)
    assert outcome(fit(config, tmp_path / "cut", folds=folds)) == outcome(whole)


def test_finished_folds_are_read_back(tmp_path: Path) -> None:
    config = run_config(n=1)
    first = fit(config, tmp_path)
    report = Recorder()
    assert outcome(fit(config, tmp_path, report=report)) == outcome(first)
    assert report.checks == 0
    with pytest.raises(StoreError, match="must belong to run"):
        fit(run_config(n=1, lr=0.01), tmp_path)


def test_every_epoch_is_reported_with_its_facts(tmp_path: Path) -> None:
    report = Recorder()
    fit(run_config(n=1, epochs=4, lr=0.01), tmp_path, report=report)
    assert {(e.seed, e.fold, e.epoch) for e in report.epochs} == {
        (0, f, e) for f in (0, 1) for e in range(1, 5)
    }
    assert all(e.lr == 0.01 and e.seconds > 0 and e.images in (34, 35) for e in report.epochs)
    last = [e for e in report.epochs if e.epoch == 4]
    first = [e for e in report.epochs if e.epoch == 1]
    assert np.mean([e.train_loss for e in last]) < np.mean([e.train_loss for e in first])


def test_reshuffled_folds_ask_for_a_split_each_epoch(tmp_path: Path) -> None:
    order = np.arange(48)

    def reshuffled(epoch: int) -> tuple[np.ndarray, np.ndarray]:
        drawn = np.random.default_rng([0, epoch]).permutation(order)
        return drawn[8:], drawn[:8]

    fold = PlainFold(0, 0, order, order, reshuffled)
    config = run_config(n=1, epochs=3)
    (result,) = fit(config, tmp_path, folds=[fold])
    assert np.array_equal(result.indices, reshuffled(3)[1])
    assert [row[2] for row in figures_of(result)] == [row[2] for row in usual_loop(config, fold)[0]]


def test_a_diverging_loss_names_the_learning_rate(tmp_path: Path) -> None:
    crops, labels = crops_and_labels()
    config = run_config(n=1)
    inputs = Inputs(torch.full((len(crops), 512), float("nan")))
    with pytest.raises(TrainingError, match=r"must stay finite.*Lower the learning rate, now 0\.001"):
        train(
            config,
            small_chain(config),
            inputs,
            labels,
            two_folds(),
            device=CPU,
            report=Recorder(),
            checkpoints_dir=tmp_path,
        )


def test_bf16_is_close_and_not_equal(tmp_path: Path) -> None:
    first, second = (
        fit(run_config(n=2, epochs=1, precision=name), tmp_path / name, folds=two_folds()[:1])[0]
        .epochs[0]
        .train_loss
        for name in ("float32", "bf16")
    )
    assert first != second
    assert second == pytest.approx(first, rel=0.1)


CHILD = """
import os, signal, sys
from pathlib import Path
import torch
from safetensors.torch import load_file
sys.path[:0] = [{root!r}, {tests!r}]
from report_case import Recorder
from training_case import fit, run_config
torch.set_num_threads(1)

class Dying(Recorder):
    def check(self):
        super().check()
        if self.checks == 14:
            os.kill(os.getpid(), signal.SIGKILL)

config = run_config("efficientnet_lite0", 2, "imagenet", epochs=3)
fit(config, Path({folder!r}), report=Dying(), save_every_s=0.0)
"""


def test_a_process_killed_without_warning_loses_nothing(tmp_path: Path) -> None:
    tests = ROOT / "tests"
    folder = tmp_path / "cut"
    code = CHILD.format(root=str(ROOT), tests=str(tests), folder=str(folder))
    child = subprocess.run([sys.executable, "-c", code], check=False)
    assert child.returncode == -signal.SIGKILL
    assert (folder / "fit" / "state-seed0-fold0.safetensors").exists()
    config = run_config("efficientnet_lite0", 2, "imagenet", epochs=3)
    assert outcome(fit(config, folder)) == outcome(fit(config, tmp_path / "whole"))
