from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from fer_core.config.run import DataConfig, ProtocolConfig, RunConfig, TrainingConfig, TransferConfig
from fer_core.evaluation.metrics.probabilities import COLUMNS
from fer_core.results.ranking import opening, rank
from fer_core.results.shares import percent
from fer_core.runs.plans.requests import sweep_name

IMAGES = 200


def run(right: np.ndarray) -> Any:
    """A finished run that answers class 0, the truth, where `right`, and class 1 elsewhere."""
    predictions = pd.DataFrame(np.zeros((len(right), 7)), columns=list(COLUMNS))
    predictions["p0"], predictions["p1"] = right.astype(float), 1.0 - right
    facts = {"seed": 0, "fold": 0, "label": 0, "group": "", "name": [f"{i:03d}" for i in range(len(right))]}
    return SimpleNamespace(
        name="", summary={"val_accuracy": right.mean()}, predictions=predictions.assign(**facts)
    )


def test_runs_are_ranked_and_told_apart_where_images_allow() -> None:
    rng = np.random.default_rng(0)
    best = rng.random(IMAGES) < 0.7
    close = best.copy()
    close[np.flatnonzero(best)[:2]] = False
    far = best & (rng.random(IMAGES) < 0.5)
    runs = [run(far), run(best), run(close)]
    places = rank(runs, lambda one: one.predictions.sample(frac=1, random_state=1))
    assert [place.run for place in places] == [runs[1], runs[2], runs[0]]
    assert [place.noise for place in places] == [False, True, False]
    assert places[2].difference == pytest.approx(best.mean() - far.mean())
    only = int((best & ~far).sum())
    assert places[2].p == pytest.approx(float(mcnemar([[0, only], [0, 0]], exact=True).pvalue))
    assert places[0].difference is None


def test_runs_on_one_movie_are_not_told_apart() -> None:
    """The interval draws whole movies, and there is none of a single one."""
    best = np.arange(IMAGES) < 150
    runs = [run(best), run(best & (np.arange(IMAGES) < 50))]
    places = rank(runs, lambda one: one.predictions.assign(group="the only movie"))
    assert np.isnan(places[1].interval).all()  # type: ignore[arg-type]
    assert places[1].noise


def test_a_sweep_is_named_by_its_runs_in_any_order() -> None:
    data = DataConfig(fingerprint="0" * 16)
    configs = [RunConfig(data=data, model=TransferConfig(unfreeze=n)) for n in (1, 2, 3)]
    assert sweep_name(configs) == sweep_name(configs[::-1]) != sweep_name(configs[:2])


def test_compare_opens_with_the_best_honest_setting_what_it_beats_and_what_leaks_claim() -> None:
    rng = np.random.default_rng(0)
    good = rng.random(IMAGES) < 0.7

    def made(n: int, protocol: str, right: np.ndarray, **training: Any) -> Any:
        one = run(right)
        one.config = RunConfig(
            data=DataConfig(fingerprint="0" * 16),
            model=TransferConfig(unfreeze=n),
            protocol=ProtocolConfig(name=protocol),  # type: ignore[arg-type]
            training=TrainingConfig(**training),
        )
        one.protocol = protocol
        bounds = [right.mean() - 0.05, right.mean() + 0.05]
        one.summary |= {"val_accuracy_interval": bounds, "val_accuracy_interval_over": "200 images (Wilson)"}
        one.summary |= {"leakage": {}, "folds": 5}
        return one

    close = good.copy()
    close[np.flatnonzero(good)[:3]] = False
    close[np.flatnonzero(~good)[:2]] = True
    runs = [
        made(1, "group", good & (rng.random(IMAGES) < 0.5)),
        made(2, "group", good),
        made(3, "group", close),
        made(2, "stratified", np.ones(IMAGES, bool)),
        made(1, "group", np.ones(IMAGES, bool), selection="best_on_validation"),
    ]
    said = opening(runs, lambda one: one.predictions)
    assert f"ResNet-18 n=2: {percent(good.mean())} (by-group k-fold)" in said[0]
    assert said[1].startswith("Beyond noise it beats ResNet-18 n=1 (by ")
    assert said[2] == "Within noise of it: ResNet-18 n=3."
    runs[1].name = "For the appendix"
    assert "“For the appendix”: " in opening(runs, lambda one: one.predictions)[0]
    runs[1].name = ""
    assert "claimed up to 100.0 %" in said[3]
    assert opening([], lambda one: one.predictions) == []
    assert "No run here is free of leaks" in opening(runs[3:], lambda one: one.predictions)[0]
