"""Grad-CAM: where in a crop the evidence for a class lies (Selvaraju et al. 2017)."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageColor
from torch import Tensor, nn

#: Colours of a map from no evidence to most, opaque to opaque: light enough that a face shows through.
WARM = ("#1b1464", "#7a1fa2", "#e0436b", "#ff9f1c", "#fff3b0")

#: How much of an overlay is the map, where the evidence is greatest.
OPACITY = 0.65


def grad_cam(
    prefix: nn.Sequential, suffixes: Sequence[nn.Sequential], block: str, inputs: Tensor, targets: Tensor
) -> Tensor:
    """Return the mean of the networks' Grad-CAM maps.

    A network's map is relu(sum_c w_c A_c): A the output of `block`, w_c the mean over positions of the gradient of
    the target class's logit by A_c; then scaled so that its greatest value is 1 (a map of zeros stays).

    Args:
        prefix, suffixes: named blocks in order; every network is the prefix and one of the suffixes, eval mode.
        block: name of a block with a spatial output, in the prefix or in the suffixes.
        inputs: (N, 3, H, W), normalised.
        targets: (N,) int64 class of each.

    Returns:
        (N, h, w) float32 in 0..1, h and w those of the block's output.
    """
    shared = [name for name, _ in prefix.named_children()]
    entering = inputs
    if block in shared:
        cut = shared.index(block) + 1
        with torch.no_grad():
            entering = prefix[:cut](inputs)
        maps = [_map(entering, nn.Sequential(prefix[cut:], suffix), targets) for suffix in suffixes]
    else:
        with torch.no_grad():
            entering = prefix(inputs)
        maps = []
        for suffix in suffixes:
            cut = [name for name, _ in suffix.named_children()].index(block) + 1
            with torch.no_grad():
                activation = suffix[:cut](entering)
            maps.append(_map(activation, suffix[cut:], targets))
    return torch.stack(maps).mean(0)


def _map(activation: Tensor, rest: nn.Module, targets: Tensor) -> Tensor:
    """Return one network's maps (N, h, w), from the block's output (N, C, h, w) and what follows it."""
    leaf = activation.detach().clone().requires_grad_()
    with torch.enable_grad():
        chosen = rest(leaf).gather(1, targets[:, None]).sum()
        (gradient,) = torch.autograd.grad(chosen, leaf)
    weights = gradient.mean((2, 3), keepdim=True)  # (N, C, 1, 1)
    maps = (weights * activation).sum(1).relu()  # (N, h, w)
    greatest = maps.amax((1, 2), keepdim=True)
    return torch.where(greatest > 0, maps / greatest.clamp_min(torch.finfo(maps.dtype).tiny), maps)


def overlay(crop: np.ndarray, cam: np.ndarray) -> np.ndarray:
    """Return a crop (H, W, 3) uint8 with a map (h, w) in 0..1 laid over it, enlarged smoothly: (H, W, 3) uint8."""
    height, width = crop.shape[:2]
    level = Image.fromarray(np.asarray(cam, np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    share = np.asarray(level).clip(0, 1)
    colours = np.array([ImageColor.getrgb(colour) for colour in WARM], np.float32)
    at = np.linspace(0, 1, len(colours))
    painted = np.stack([np.interp(share, at, colours[:, channel]) for channel in range(3)], axis=2)
    opacity = (OPACITY * np.sqrt(share))[:, :, None]
    return (crop * (1 - opacity) + painted * opacity).round().astype(np.uint8)
