"""What a run's headline figure leaves out: calibration, held-out answers and their shares, symptoms in words."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fer_core.config.comparators import SvmConfig
from fer_core.config.run import CLASSES, DataConfig, Model, ProtocolConfig, RunConfig, TransferConfig
from fer_core.evaluation import metrics
from fer_core.evaluation.metrics.probabilities import COLUMNS, as_columns
from fer_core.results.trust import (
    calibration_words,
    held_out,
    how_often,
    reliability_tables,
    shares,
    symptoms,
)
from fer_core.storage.store import Store

SEEDS, FOLDS, EACH = (7, 2), 2, 30
TEMPERATURES = [0.5, 1.0, 2.0, 4.0]


def made(model: Model, **summary: Any) -> Any:
    config = RunConfig(
        data=DataConfig(fingerprint="0" * 16), model=model, protocol=ProtocolConfig(folds=FOLDS, seeds=SEEDS)
    )
    return SimpleNamespace(config=config, summary={"ece": 0.25, "validated": 60, **summary})


@pytest.fixture
def predictions() -> pd.DataFrame:
    """Return 30 held-out images a fold, in the order of the protocol's seeds."""
    rng = np.random.default_rng(3)
    rows = len(SEEDS) * FOLDS * EACH
    table = pd.DataFrame(rng.dirichlet(np.ones(7) * 0.5, rows), columns=list(COLUMNS))
    return table.assign(
        label=rng.integers(0, 7, rows),
        seed=np.repeat(SEEDS, FOLDS * EACH),
        fold=np.tile(np.repeat(range(FOLDS), EACH), len(SEEDS)),
        name=[str(image) for image in range(FOLDS * EACH)] * len(SEEDS),
        group="",
    )


def test_each_network_s_images_take_its_own_temperature(predictions: pd.DataFrame) -> None:
    run = made(TransferConfig(), temperatures=TEMPERATURES, calibrated={"ece": 0.1})
    shuffled = predictions.sample(frac=1, random_state=1)
    table, scaled = reliability_tables(run, shuffled)
    columns = list(COLUMNS)
    values = predictions[columns].to_numpy()
    byhand = np.concatenate(
        [
            metrics.apply_temperature(values[index * EACH : (index + 1) * EACH], temperature)
            for index, temperature in enumerate(TEMPERATURES)
        ]
    )
    assert scaled is not None
    own = predictions["label"], list(predictions["group"]), list(predictions["name"])
    pd.testing.assert_frame_equal(scaled, metrics.reliability(byhand, *own))
    pd.testing.assert_frame_equal(table, metrics.reliability(values, *own))


def test_a_run_without_temperatures_has_one_table(predictions: pd.DataFrame) -> None:
    assert reliability_tables(made(TransferConfig()), predictions)[1] is None


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (
            made(TransferConfig()),
            "60 held-out images (mean of the seeds), with the probabilities as the networks",
        ),
        (made(SvmConfig()), "inside the training part"),
        (
            made(TransferConfig(), temperatures=TEMPERATURES, calibrated={"ece": 0.1}),
            "10.0 % after temperatures of 0.50 to 4.00, each",
        ),
        (made(TransferConfig(), temperatures=TEMPERATURES, calibrated={"ece": 0.3}), "It did not help"),
        (
            made(TransferConfig(), temperatures=[1.0, 20.0], calibrated={"ece": 0.1}),
            "temperatures of 1.00 to 20.00 (20 is the most that is tried",
        ),
    ],
)
def test_words_say_what_the_figures_are_of(run: Any, said: str) -> None:
    assert said in calibration_words(run)


@pytest.mark.parametrize("below", [None, 0.5])
def test_how_often_such_an_answer_was_right_is_counted_over_answers_alike(below: float | None) -> None:
    rng = np.random.default_rng(3)
    values = rng.dirichlet(np.full(7, 0.4), 200)
    table = pd.DataFrame({"name": [f"{n}.png" for n in range(200)], "label": rng.integers(0, 7, 200)})
    table = table.assign(group=[f"movie{n % 9}" for n in range(200)], **as_columns(values))
    found, images = how_often(table, "happy", below)
    alike = [
        row.label == np.argmax(value)
        for row, value in zip(table.itertuples(), values, strict=True)
        if (CLASSES[np.argmax(value)] == "happy" if below is None else max(value) < below)
    ]
    assert images == len(alike)
    assert found.value == pytest.approx(sum(alike) / len(alike))
    low, high = found.interval
    assert low < found.value < high
    assert how_often(table[:0], "happy", below)[1] == 0


def test_each_cell_of_the_confusion_has_its_frames(trained: Path) -> None:
    store = Store(trained / "fer.sqlite")
    for run in store.runs(status=["done"], goal="train"):
        answers = held_out(store.predictions(run.id))
        counts = np.array(run.summary["confusion"])
        for i, true in enumerate(CLASSES):
            for j, said in enumerate(CLASSES):
                cell = answers[(answers["true"] == true) & (answers["said"] == said)]
                assert len(cell) == counts[i, j]
                assert (cell["right"] == (i == j)).all()
        assert answers["confidence"].between(1 / 7, 1).all()
    store.close()


def test_shares_leave_out_what_has_no_name_and_begin_with_the_worst() -> None:
    answers = pd.DataFrame({"group": ["a", "a", "b", "", "c"], "right": [True, False, True, False, False]})
    table = shares(answers, "group")
    assert table.to_dict("list") == {
        "group": ["c", "a", "b"],
        "answers": [1, 2, 1],
        "wrong": [1, 1, 0],
        "share": [1.0, 0.5, 0.0],
    }


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
