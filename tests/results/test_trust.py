"""What a run's headline figure leaves out: its calibration, with each network at its own temperature."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fer_core.config.comparators import SvmConfig
from fer_core.config.run import CLASSES, DataConfig, Model, ProtocolConfig, RunConfig, TransferConfig
from fer_core.evaluation import metrics
from fer_core.evaluation.metrics.probabilities import COLUMNS, as_columns
from fer_core.results.trust import calibration_words, how_often, reliability_tables

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
