import dataclasses

import numpy as np
import torch
import torchvision.transforms.v2 as v2

from fer_core.learning.inputs.transforms import to_input
from fer_core.learning.networks.backbones import BACKBONES


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_pixels_are_normalised_as_torchvision_does() -> None:
    row, crops = BACKBONES["resnet18"], noise(3, 160, 160, 3)
    expected = v2.Normalize(row.mean, row.std)(torch.from_numpy(crops).permute(0, 3, 1, 2) / 255)
    found = to_input(crops, row)
    assert found.dtype == torch.float32
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(found, expected, atol=1e-5)


def test_lite0_takes_x_minus_127_over_128() -> None:
    crops = noise(1, 160, 160, 3)
    expected = (torch.from_numpy(crops).permute(0, 3, 1, 2).double() - 127) / 128
    assert torch.allclose(to_input(crops, BACKBONES["efficientnet_lite0"]).double(), expected, atol=1e-6)


def test_other_sizes_are_resized_with_antialiasing() -> None:
    row = dataclasses.replace(BACKBONES["resnet18"], input_size=40, mean=(0.0,) * 3, std=(1 / 255,) * 3)
    crops = noise(2, 160, 120, 3)
    x = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
    expected = v2.functional.resize(x, [40, 40], antialias=True)
    assert torch.allclose(to_input(crops, row), expected, atol=1e-3)
    assert to_input(np.full((1, 7, 9, 3), 200, np.uint8), row).unique().tolist() == [200.0]


def test_the_crops_are_left_alone() -> None:
    crops = noise(1, 160, 160, 3)
    crops.flags.writeable = False
    before = crops.copy()
    to_input(crops, BACKBONES["resnet18"]).zero_()
    assert np.array_equal(crops, before)
