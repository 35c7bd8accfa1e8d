from __future__ import annotations

import pytest
import torch

from fer_core.config.run import TrainingConfig
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.training.schedules import depths, rate, thawed


@pytest.mark.parametrize("warm", [0, 1, 4])
def test_cosine_with_warm_up_is_torchs(warm: int) -> None:
    recipe = TrainingConfig(epochs=12, lr=0.02, schedule="cosine", warmup_epochs=warm)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=recipe.lr)
    parts: list[torch.optim.lr_scheduler.LRScheduler] = []
    if warm:
        parts.append(torch.optim.lr_scheduler.LinearLR(optimizer, 1 / (warm + 1), total_iters=warm))
    parts.append(torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs - warm))
    scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, parts, [warm] if warm else [])
    for epoch in range(1, 13):
        assert rate(recipe, epoch) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        scheduler.step()


def test_the_constant_rate_is_the_one_asked_for_to_the_bit() -> None:
    assert {rate(TrainingConfig(lr=0.003), epoch) for epoch in range(1, 21)} == {0.003}


def test_depth_counts_blocks_from_the_head() -> None:
    assert depths(BACKBONES["resnet18"], 3) == {"fc": 0, "layer4": 1, "layer3": 2}
    for row in BACKBONES.values():
        for n, names in row.unfreeze.items():
            assert sorted(depths(row, n).values()) == list(range(len(names)))


def test_blocks_thaw_one_by_one() -> None:
    assert [thawed(TrainingConfig(thaw_every=2), epoch) for epoch in range(1, 6)] == [0, 0, 1, 1, 2]
    assert thawed(TrainingConfig(), 1) is None
