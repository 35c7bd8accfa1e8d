"""What a network is fed: crops scaled, resized to its input and normalised; in training changed first, if asked.

The paper (section 2) names no augmentation: by default training and evaluation see the same pixels.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fer_core.config.devices import to_device
from fer_core.config.training import AugmentationConfig
from fer_core.learning.networks.backbones import Backbone

CPU = torch.device("cpu")

#: Grey that fills an erased rectangle: near the mean of the backbones' training data.
ERASED = 124.0


def to_input(crops: np.ndarray, row: Backbone, device: torch.device = CPU) -> Tensor:
    """Turn crops into a backbone's input on a device, which scales and normalises them itself.

    Args:
        crops: (N, H, W, 3) uint8 RGB.
        row: crops of another size than its `input_size` are resized (bilinear, antialiased).

    Returns:
        (N, 3, input_size, input_size) float32, channels_last.
    """
    side = row.input_size
    x = to_device(torch.tensor(crops), device).permute(0, 3, 1, 2).to(torch.float32)  # channels_last strides
    if tuple(x.shape[-2:]) != (side, side):
        x = F.interpolate(x, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    mean, std = to_device(torch.tensor([row.mean, row.std]).view(2, 3, 1, 1) * 255, device)
    return ((x - mean) / std).contiguous(memory_format=torch.channels_last)


def mirrored(crops: np.ndarray) -> np.ndarray:
    """Return (N, H, W, 3) crops with left and right exchanged."""
    return np.ascontiguousarray(crops[:, :, ::-1])


def augment(crops: np.ndarray, recipe: AugmentationConfig, seeds: Sequence[int]) -> np.ndarray:
    """Change each crop at random, by its own seed alone (torchvision.transforms.v2).

    In order: mirrored, a square part of it enlarged to the whole, RandAugment's two operations (Cubuk et al.
    2020), brightness, contrast and saturation changed, a rectangle blanked (Zhong et al. 2020).

    Args:
        crops: (N, H, W, 3) uint8 RGB.
        seeds: N whole numbers, 0 or more.

    Returns:
        (N, H, W, 3) uint8, a copy.
    """
    # Loading it takes most of a second, which a run without augmentation need not wait for.
    from torchvision.transforms import v2

    height, width = crops.shape[1:3]
    steps: list[torch.nn.Module] = []
    if recipe.flip:
        steps.append(v2.RandomHorizontalFlip())
    if recipe.crop:
        scale, ratio = ((1 - recipe.crop) ** 2, 1.0), (width / height,) * 2
        steps.append(v2.RandomResizedCrop((height, width), scale, ratio, antialias=True))
    if recipe.randaugment:
        steps.append(v2.RandAugment(2, recipe.randaugment))
    if recipe.colour:
        steps.append(v2.ColorJitter(recipe.colour, recipe.colour, recipe.colour))
    if recipe.erase:
        steps.append(v2.RandomErasing(recipe.erase, value=ERASED))
    changed = v2.Compose(steps)
    found = np.empty_like(crops)
    with torch.random.fork_rng(devices=[]):
        for index, seed in enumerate(seeds):
            torch.default_generator.manual_seed(seed)  # torch.manual_seed takes a GPU's along, and 0.5 ms
            image = torch.tensor(crops[index]).permute(2, 0, 1)
            found[index] = changed(image).permute(1, 2, 0).numpy()
    return found
