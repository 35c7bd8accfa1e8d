from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from report_case import Recorder
from scipy.special import log_softmax
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from fer_core.config.comparators import SvmConfig
from fer_core.errors import DataError
from fer_core.learning.comparators import svm

CONFIG = SvmConfig(costs=(0.1, 1.0, 10.0), gammas=(1.0,))
Draw = tuple[np.ndarray, np.ndarray, list[Any]]


@pytest.fixture
def drawn() -> Draw:
    """Return 105 images of seven overlapping classes in 12 dimensions and three folds."""
    rng = np.random.default_rng(0)
    labels = np.arange(105) % 7
    features = rng.normal(size=(105, 12)) + 1.5 * rng.normal(size=(7, 12))[labels]
    cut = StratifiedKFold(3, shuffle=True, random_state=0).split(labels, labels)
    folds = [SimpleNamespace(seed=4, fold=i, train=a, validation=b) for i, (a, b) in enumerate(cut)]
    return features * np.geomspace(0.01, 100, 12), labels, folds


def test_folds_come_back_with_probabilities_better_than_chance(drawn: Draw) -> None:
    features, labels, folds = drawn
    report = Recorder()
    found = svm.fit_folds(CONFIG, features, labels, folds, report)  # type: ignore[arg-type]
    assert [(fold.seed, fold.fold) for fold in found] == [(4, 0), (4, 1), (4, 2)]
    assert report.steps == [("folds", 1, 3), ("folds", 2, 3), ("folds", 3, 3)]
    assert report.lines[0].startswith("seed 4, fold 0: C ")
    hits = 0
    for fold, result in zip(folds, found, strict=True):
        np.testing.assert_array_equal(result.indices, fold.validation)
        assert result.probabilities.dtype == np.float32
        np.testing.assert_allclose(result.probabilities.sum(axis=1), 1.0, rtol=1e-5)
        hits += (result.probabilities.argmax(axis=1) == labels[result.indices]).sum()
    assert hits / len(labels) > 0.6


def test_agrees_with_a_scikit_learn_grid_search(drawn: Draw) -> None:
    features, labels, folds = drawn
    for fold, result in zip(folds, svm.fit_folds(CONFIG, features, labels, folds, Recorder()), strict=True):  # type: ignore[arg-type]
        plain = GridSearchCV(
            make_pipeline(StandardScaler(), PCA(0.98, svd_solver="full"), SVC(gamma="scale")),
            {"svc__C": list(CONFIG.costs)},
            cv=StratifiedKFold(3, shuffle=True, random_state=4),
        ).fit(features[fold.train], labels[fold.train])
        assert result.note["components"] == plain.best_estimator_[1].n_components_
        values = plain.decision_function(features[fold.validation])
        if result.note["C"] == plain.best_params_["svc__C"]:
            np.testing.assert_array_equal(result.probabilities.argmax(axis=1), values.argmax(axis=1))
        else:  # folds of unequal size: the mean of the folds' accuracies isn't the accuracy over all
            scores = dict(zip(CONFIG.costs, plain.cv_results_["mean_test_score"], strict=True))
            assert scores[result.note["C"]] == pytest.approx(plain.best_score_, abs=0.02)


def test_nothing_is_learned_from_the_held_out_part(drawn: Draw) -> None:
    features, labels, folds = drawn
    first = svm.fit_folds(CONFIG, features, labels, folds[:1], Recorder())[0]  # type: ignore[arg-type]
    poisoned, wrong = features.copy(), labels.copy()
    half = folds[0].validation[::2]
    poisoned[half] *= 1e6
    wrong[folds[0].validation] = 0
    again = svm.fit_folds(CONFIG, poisoned, wrong, folds[:1], Recorder())[0]  # type: ignore[arg-type]
    assert first.note == again.note
    np.testing.assert_array_equal(first.probabilities[1::2], again.probabilities[1::2])
    assert not np.array_equal(first.probabilities[::2], again.probabilities[::2])


def test_temperature_is_the_likeliest(drawn: Draw) -> None:
    rng = np.random.default_rng(2)
    y = rng.integers(0, 7, 300)
    values = 5.0 * rng.normal(size=(300, 7))
    values[np.arange(300), y] += 5.0

    def loss(t: float) -> float:
        return -float(log_softmax(values / t, axis=1)[np.arange(300), y].mean())

    best = svm.fit_temperature(values, y)
    assert loss(best) <= min(loss(t) for t in np.geomspace(0.05, 50, 400)) + 1e-6


def test_a_class_that_training_lacks_gets_no_probability(drawn: Draw) -> None:
    features, labels, _ = drawn
    few = np.flatnonzero(np.isin(labels, (3, 4)))
    fold = SimpleNamespace(seed=0, fold=0, train=few[:20], validation=few[20:])
    found = svm.fit_folds(CONFIG, features, labels, [fold], Recorder())[0]  # type: ignore[arg-type, list-item]
    assert not found.probabilities[:, [0, 1, 2, 5, 6]].any()
    np.testing.assert_allclose(found.probabilities[:, [3, 4]].sum(axis=1), 1.0, rtol=1e-5)


def test_inner_splits_keep_groups_whole_and_fall_back_to_fewer() -> None:
    y = np.tile(np.arange(3), 12)
    groups = np.repeat([f"film {index}" for index in range(6)], 6)
    splits = svm.inner_splits(y, groups, 3, 0, "here")
    assert len(splits) == 3
    for train, test in splits:
        assert not set(groups[train]) & set(groups[test])
    assert len(svm.inner_splits(np.array([0, 0, 0, 1, 1]), None, 5, 0, "here")) == 2


def test_groups_reach_the_inner_splits(drawn: Draw) -> None:
    features, labels, folds = drawn
    with pytest.raises(DataError, match="two groups"):
        svm.fit_folds(CONFIG, features, labels, folds, Recorder(), ["the only film"] * 105)  # type: ignore[arg-type]


def test_hopeless_data_is_refused(drawn: Draw) -> None:
    features, labels, folds = drawn
    missing = features.copy()
    missing[3, 2] = np.nan
    with pytest.raises(DataError, match="1 images with NaN"):
        svm.fit_folds(CONFIG, missing, labels, folds, Recorder())  # type: ignore[arg-type]
    with pytest.raises(DataError, match="same for every image"):
        svm.fit_folds(CONFIG, np.ones_like(features), labels, folds, Recorder())  # type: ignore[arg-type]
    with pytest.raises(DataError, match="one class in"):
        svm.inner_splits(np.zeros(9, int), None, 3, 0, "seed 0, fold 0")
    with pytest.raises(DataError, match="two images of each class"):
        svm.inner_splits(np.array([0, 0, 1]), None, 3, 0, "seed 0, fold 0")
