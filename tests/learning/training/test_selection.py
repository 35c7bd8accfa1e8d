from __future__ import annotations

from fer_core.config.run import TrainingConfig
from fer_core.learning.reporting import EpochRecord
from fer_core.learning.training.selection import chosen_epoch, enough

RECORDS = [
    EpochRecord(0, 0, e, 1.0, 0.5, 1.0, a, 1e-3, 0.0, 1) for e, a in enumerate((0.2, 0.6, 0.6, 0.1), 1)
]
INNER = [1.0, 0.8, 0.5, 0.5]


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
