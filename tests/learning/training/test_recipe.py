"""What a recipe asks of an epoch: rates and thawing, order and batches, the loss and the epoch that is kept."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from training_case import PlainFold

from fer_core.config.run import TrainingConfig
from fer_core.errors import TrainingError
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.reporting import EpochRecord
from fer_core.learning.training.recipe import (
    Objective,
    chosen_epoch,
    class_weights,
    cut_batches,
    depths,
    draw_order,
    enough,
    mix,
    rate,
    thawed,
)

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


def fold(train: np.ndarray, seed: int = 0) -> PlainFold:
    return PlainFold(seed, 0, train, np.array([0]))


def test_balanced_draws_each_class_equally_often() -> None:
    labels = np.repeat([0, 1, 4], [900, 90, 10])
    counts = sum(
        np.bincount(labels[draw_order(fold(np.arange(1000)), e, labels, "balanced")]) for e in range(1, 21)
    )
    assert counts[[2, 3]].sum() == 0
    assert counts.sum() == 20_000
    assert np.allclose(counts[[0, 1, 4]] / 20_000, 1 / 3, atol=0.02)


def test_only_training_images_are_drawn() -> None:
    part = np.array([3, 5, 8, 13])
    labels = np.zeros(20, int)
    assert set(draw_order(fold(part), 1, labels, "balanced")) <= set(part.tolist())
    assert sorted(draw_order(fold(part), 1, labels, "shuffled")) == part.tolist()


@pytest.mark.parametrize("sampler", ["balanced", "shuffled"])
def test_the_order_depends_on_seed_and_epoch_alone(sampler: str) -> None:
    labels = np.arange(50) % 7
    first = draw_order(fold(np.arange(50)), 1, labels, sampler)
    assert np.array_equal(first, draw_order(fold(np.arange(50)), 1, labels, sampler))
    assert not np.array_equal(first, draw_order(fold(np.arange(50)), 2, labels, sampler))
    assert not np.array_equal(first, draw_order(fold(np.arange(50), seed=1), 1, labels, sampler))


@pytest.mark.parametrize(
    ("images", "sizes"), [(16, [8, 8]), (17, [8, 9]), (18, [8, 8, 2]), (2, [2]), (8, [8]), (9, [9])]
)
def test_a_last_batch_of_one_joins_the_one_before(images: int, sizes: list[int]) -> None:
    batches = cut_batches(np.arange(images), 8)
    assert [len(batch) for batch in batches] == sizes
    assert np.array_equal(np.concatenate(batches), np.arange(images))


@pytest.mark.parametrize("images", [0, 1])
def test_one_image_is_refused(images: int) -> None:
    with pytest.raises(TrainingError, match="at least two training images"):
        cut_batches(np.arange(images), 8)


LABELS = np.array([0, 0, 0, 3, 3, 5])
CPU = torch.device("cpu")


def logits_and_targets(count: int = 10) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    targets = torch.tensor([0, 3, 5])[torch.randint(0, 3, (count,), generator=generator)]
    return torch.randn(count, 7, generator=generator), targets


def by_hand(logits: torch.Tensor, targets: torch.Tensor, smoothing: float, weights: np.ndarray) -> float:
    """Weighted, smoothed cross-entropy with plain loops, as torch's documentation defines it."""
    total = mass = 0.0
    for row, target in zip(logits.double().tolist(), targets.tolist(), strict=True):
        z = np.log(np.exp(row).sum())
        logs = [value - z for value in row]
        total -= (1 - smoothing) * weights[target] * logs[target]
        total -= smoothing / 7 * sum(w * value for w, value in zip(weights, logs, strict=True))
        mass += weights[target]
    return total / mass


def test_class_weights_are_scikit_learns() -> None:
    expected = compute_class_weight("balanced", classes=np.array([0, 3, 5]), y=LABELS)
    assert class_weights(LABELS)[[0, 3, 5]] == pytest.approx(expected)
    assert class_weights(LABELS)[[1, 2, 4, 6]].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_is_that_of_plain_loops(smoothing: float, weighted: bool) -> None:
    recipe = TrainingConfig(label_smoothing=smoothing, class_weights=weighted, sampler="shuffled")
    logits, targets = logits_and_targets()
    weights = class_weights(LABELS) if weighted else np.ones(7)
    found = float(Objective(recipe, LABELS, CPU).loss(logits, targets))
    assert found == pytest.approx(by_hand(logits, targets, smoothing, weights), rel=1e-5)


def test_mixing_gives_weighted_means_of_the_batch_and_of_the_loss() -> None:
    x = torch.arange(12.0).reshape(6, 2)
    mixed, partners, share = mix(x, np.random.default_rng(1), 0.4)
    assert 0.5 <= share <= 1
    assert sorted(partners.tolist()) == list(range(6))
    for row in range(6):
        assert torch.allclose(mixed[row], share * x[row] + (1 - share) * x[partners[row]])
    objective, (logits, targets) = Objective(TrainingConfig(), LABELS, CPU), logits_and_targets(6)
    soft = torch.zeros(6, 7)
    for row in range(6):
        soft[row, targets[row]] += share
        soft[row, targets[partners[row]]] += 1 - share
    expected = torch.nn.functional.cross_entropy(logits, soft)
    found = objective.mixed(logits, targets, targets[partners], share)
    assert float(found) == pytest.approx(float(expected), rel=1e-6)
