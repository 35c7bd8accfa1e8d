"""What engine and floor are measured against in `train.py`: a tutorial's loop over frames on disk."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image
from torch.nn import functional as F

from fer_core.config.run import CLASSES, RunConfig
from fer_core.evaluation.protocols import Fold
from fer_core.learning.inputs.transforms import augment, to_input
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.training.recipe import cut_batches, draw_order

FRAME = (720, 576)


def draw_frames(folder: Path, count: int) -> list[Path]:
    """Write smooth random frames of 720 x 576 as JPEG: what decoding costs, not what faces look like."""
    rng, paths = np.random.default_rng(0), []
    for index in range(count):
        small = Image.fromarray(rng.integers(0, 256, (18, 22, 3), dtype=np.uint8))
        paths.append(folder / f"{index:05d}.jpg")
        small.resize(FRAME, Image.Resampling.BICUBIC).save(paths[-1], quality=90)
    return paths


def load(path: Path) -> np.ndarray:
    """Decode a frame and resize it to 160 x 160."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((160, 160), Image.Resampling.BILINEAR))


def usual_epoch(
    config: RunConfig,
    paths: list[Path],
    labels: np.ndarray,
    fold: Fold,
    clock: Callable[[], float],
    device: torch.device,
) -> float:
    """Return the seconds of one epoch of the usual loop, training and validation."""
    recipe, row = config.training, BACKBONES["resnet18"]
    net = torchvision.models.resnet18(num_classes=len(CLASSES)).requires_grad_(False).to(device)
    learning = [net.get_submodule(name) for name in row.unfreeze[config.transfer.unfreeze]]
    own = [value for block in learning for value in block.requires_grad_(True).parameters()]
    decay = recipe.weight_decay
    optimizer = (
        torch.optim.AdamW(own, lr=1e-3, weight_decay=decay) if decay else torch.optim.Adam(own, lr=1e-3)
    )
    targets, rng = torch.from_numpy(labels).to(device), np.random.default_rng(0)

    def images(rows: np.ndarray, changed: bool = False) -> torch.Tensor:
        crops = np.stack([load(paths[row]) for row in rows])
        if changed and recipe.augmentation.active:
            crops = augment(crops, recipe.augmentation, rng.integers(0, 2**62, len(rows)).tolist())
        return to_input(crops, row, device).contiguous()

    def loss_of(batch: np.ndarray) -> torch.Tensor:
        x, y = images(batch, changed=True), targets[batch]
        if not recipe.mixup:
            return F.cross_entropy(net(x), y, label_smoothing=recipe.label_smoothing)
        other, share = torch.from_numpy(rng.permutation(len(batch))), rng.beta(recipe.mixup, recipe.mixup)
        logits = net(share * x + (1 - share) * x[other])
        return share * F.cross_entropy(logits, y) + (1 - share) * F.cross_entropy(logits, y[other])

    net.eval()(images(fold.train[:2]))
    started = clock()
    for block in learning:
        block.train()
    for batch in cut_batches(draw_order(fold, 1, labels, "balanced"), recipe.batch_size):
        loss = loss_of(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        for start in range(0, len(fold.validation), 64):
            net(images(fold.validation[start : start + 64]))
    return clock() - started
