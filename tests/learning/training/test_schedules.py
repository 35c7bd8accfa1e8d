import pytest
import torch

from fer_core.config.run import TrainingConfig
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.reporting import EpochRecord
from fer_core.learning.training.recipe import chosen_epoch, depths, enough, rate, thawed

RECORDS = [
    EpochRecord(0, 0, e, 1.0, 0.5, 1.0, a, 1e-3, 0.0, 1) for e, a in enumerate((0.2, 0.6, 0.6, 0.1), 1)
]
INNER = [1.0, 0.8, 0.5, 0.5]


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


def test_each_rule_names_its_epoch_and_ties_go_to_the_first() -> None:
    assert chosen_epoch(TrainingConfig(), RECORDS, []) == 4
    assert chosen_epoch(TrainingConfig(selection="inner"), RECORDS, INNER) == 3
    assert chosen_epoch(TrainingConfig(selection="best_on_validation"), RECORDS, []) == 2


def test_only_the_choice_on_the_reported_fold_is_optimistic() -> None:
    found = {
        name: TrainingConfig(selection=name).optimistic for name in ("last", "inner", "best_on_validation")
    }
    assert found == {"last": False, "inner": False, "best_on_validation": True}


def test_patience_counts_epochs_since_the_lowest_loss() -> None:
    recipe = TrainingConfig(patience=2)
    assert [enough(recipe, INNER[:n]) for n in range(5)] == [False] * 5
    assert enough(recipe, [*INNER, 0.6])
    assert not enough(TrainingConfig(), [0.1] + [1.0] * 50)
