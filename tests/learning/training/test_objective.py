import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from fer_core.config.run import TrainingConfig
from fer_core.learning.training.recipe import Objective, class_weights, mix

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
