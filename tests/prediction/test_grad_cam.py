"""Grad-CAM equals a plain one with hooks, image by image and fold by fold, wherever its block lies."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fer_core.config.run import TransferConfig
from fer_core.learning.networks.transfer import build, reset_head
from fer_core.prediction.grad_cam import grad_cam, overlay


def plain(network: nn.Module, block: nn.Module, image: Tensor, target: int) -> np.ndarray:
    """Return one network's map of one image by hooks, summed channel by channel."""
    seen: dict[str, Tensor] = {}
    forward = block.register_forward_hook(lambda *_: seen.__setitem__("activation", _[2]))
    backward = block.register_full_backward_hook(lambda *_: seen.__setitem__("gradient", _[2][0]))
    logits = network(image[None].clone().requires_grad_())
    logits[0, target].backward()
    forward.remove()
    backward.remove()
    activation, gradient = seen["activation"][0].detach().numpy(), seen["gradient"][0].numpy()
    total = np.zeros(activation.shape[1:])
    for channel in range(len(activation)):
        total += gradient[channel].mean() * activation[channel]
    total = np.maximum(total, 0)
    return total / total.max() if total.max() > 0 else total


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("name", ["resnet18", "efficientnet_lite0"])
def test_maps_are_the_mean_of_plain_ones(name: str, n: int) -> None:
    chain = build(TransferConfig(backbone=name, weights="none", unfreeze=n), None)
    boundary, block = chain.row.boundary(n), chain.row.cam_block
    assert block is not None
    prefix, suffixes = chain.prefix(boundary), []
    for fold in range(2):
        suffix = copy.deepcopy(chain.suffix(boundary))
        reset_head(suffix, seed=1, fold=fold)
        suffixes.append(suffix.eval().requires_grad_(False))
    images = torch.randn(3, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([0, 3, 6])
    found = grad_cam(prefix, suffixes, block, images, targets)
    for number, (image, target) in enumerate(zip(images, targets, strict=True)):
        maps = []
        for suffix in suffixes:
            blocks = dict(prefix.named_children()) | dict(suffix.named_children())
            maps.append(plain(nn.Sequential(*blocks.values()), blocks[block], image, int(target)))
        assert found[number].numpy() == pytest.approx(np.mean(maps, axis=0), abs=1e-4)
    assert found.max() <= 1 + 1e-6


def test_a_map_of_nothing_leaves_the_crop_as_it_is() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (160, 160, 3), dtype=np.uint8)
    assert np.array_equal(overlay(crop, np.zeros((5, 5), np.float32)), crop)
    marked = np.zeros((5, 5), np.float32)
    marked[0, 0] = 1
    changed = np.abs(overlay(crop, marked).astype(int) - crop).sum(2)
    assert changed[:32, :32].mean() > 10 * changed[64:, 64:].mean()
