"""What is wrong with a run is said in words, and nothing where nothing is."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fer_core.results.trust import symptoms


def epochs(train: list[float], val: list[float], folds: int = 2, cut: int = 0) -> pd.DataFrame:
    rows = [
        {"seed": 0, "fold": fold, "epoch": number, "train_loss": t, "val_loss": v}
        for fold in range(folds)
        for number, (t, v) in enumerate(zip(train, val, strict=True), start=1)
        if not (cut and fold == folds - 1 and number > cut)
    ]
    return pd.DataFrame(rows)


def run(status: str = "done", **figures: Any) -> Any:
    confusion = figures.pop("confusion", (np.eye(7, dtype=int) * 5 + 1).tolist())
    usual = {"val_accuracy": 0.6, "val_accuracy_interval": [0.5, 0.7], "chance": 0.2, "confusion": confusion}
    return SimpleNamespace(status=status, summary=usual | figures)


RISING = epochs([1.5, 1.0, 0.6, 0.3], [1.6, 1.2, 1.4, 1.5])


def test_a_run_that_learns_has_nothing_to_be_said() -> None:
    assert not symptoms(run(), epochs([1.5, 1.0, 0.6], [1.6, 1.3, 1.2]))
    assert not symptoms(run(), pd.DataFrame())


@pytest.mark.parametrize("status", ["running", "done"])
def test_overfitting_is_said_with_the_epoch_and_the_losses(status: str) -> None:
    [said] = symptoms(run(status), RISING)
    assert "overfits from epoch 2 on" in said
    assert "1.20 to 1.50" in said
    assert "1.00 to 0.30" in said


def test_a_wobble_a_loss_that_rises_with_training_s_and_epochs_of_one_fold_alone_are_none() -> None:
    assert not symptoms(run(), epochs([1.5, 1.0, 0.6], [1.6, 1.2, 1.25]))
    assert not symptoms(run(), epochs([1.5, 1.0, 1.3], [1.6, 1.2, 1.6])), "it diverges"
    assert not symptoms(run("running"), epochs([1.5, 1.0, 0.6, 0.3], [1.6, 1.2, 1.2, 9.0], cut=3))


@pytest.mark.parametrize(
    ("accuracy", "interval", "chance", "found"),
    [
        (0.25, [0.15, 0.4], 0.2, True),
        (0.25, [0.21, 0.4], 0.2, False),
        (0.15, [float("nan")] * 2, 0.2, True),
        (0.25, [float("nan")] * 2, 0.2, False),
    ],
)
def test_chance_is_that_of_the_commonest_class(
    accuracy: float, interval: list[float], chance: float, found: bool
) -> None:
    said = symptoms(run(val_accuracy=accuracy, val_accuracy_interval=interval, chance=chance), pd.DataFrame())
    assert bool(said) == found
    assert not found or "20.0 %" in said[0]


def test_classes_that_are_never_named_are_named() -> None:
    counts = np.eye(7, dtype=int) * 5
    counts[2], counts[5] = 0, 0
    counts[2, 0], counts[5, 0], counts[3] = 4, 3, 0
    [said] = symptoms(run(confusion=counts.tolist()), pd.DataFrame())
    assert "Never named: fear, sad**" in said, "no image is of the class happy"
    assert "7 of the 27" in said
