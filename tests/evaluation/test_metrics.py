"""Figures recomputed with plain loops or another library."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from fer_core.config.run import CLASSES
from fer_core.evaluation import metrics
from fer_core.evaluation.metrics.probabilities import as_columns, probabilities_of, right

N = 300
RNG = np.random.default_rng(11)
LABELS = RNG.integers(0, 7, N)
LOGITS = RNG.normal(size=(N, 7)) + 1.5 * np.eye(7)[LABELS]
PROBABILITIES = np.exp(2 * LOGITS) / np.exp(2 * LOGITS).sum(axis=1, keepdims=True)
PREDICTIONS = PROBABILITIES.argmax(axis=1)
RIGHT = PREDICTIONS == LABELS
GROUPS = [f"movie{index}" for index in RNG.integers(0, 20, N)]


def test_confusion_and_per_class_figures_are_what_loops_count() -> None:
    table = metrics.confusion(LABELS, PREDICTIONS)
    rows = metrics.class_figures(table)
    assert table.shape == (7, 7)
    for index, name in enumerate(CLASSES):
        tp = fp = fn = tn = 0
        for truth, guess in zip(LABELS, PREDICTIONS, strict=True):
            tp += truth == index and guess == index
            fp += truth != index and guess == index
            fn += truth == index and guess != index
            tn += truth != index and guess != index
        row = rows.iloc[index]
        assert row["class"] == name
        assert table[index, index] == tp
        assert table[index].sum() == row["support"] == tp + fn
        for column, value in (
            ("precision", tp / (tp + fp)),
            ("recall", tp / (tp + fn)),
            ("specificity", tn / (tn + fp)),
            ("f1", 2 * tp / (2 * tp + fp + fn)),
        ):
            assert row[column] == pytest.approx(value), column
    assert metrics.accuracy(LABELS, PREDICTIONS) == sum(LABELS == PREDICTIONS) / N
    assert metrics.macro_f1(LABELS, PREDICTIONS) == pytest.approx(rows["f1"].mean())
    assert metrics.balanced_accuracy(LABELS, PREDICTIONS) == pytest.approx(rows["recall"].mean())


def test_absent_classes_are_undefined_not_zero() -> None:
    table = metrics.confusion([3, 3, 4, 4], [3, 4, 4, 0])
    rows = metrics.class_figures(table).set_index("class")
    assert math.isnan(rows.loc["sad", "recall"])
    assert math.isnan(rows.loc["sad", "precision"])
    assert math.isnan(rows.loc["angry", "recall"])
    assert rows.loc["angry", "precision"] == 0
    assert metrics.balanced_accuracy([3, 3, 4, 4], [3, 4, 4, 0]) == 0.5
    assert metrics.macro_f1([3, 3, 4, 4], [3, 4, 4, 0]) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert metrics.confusion([], []).sum() == 0
    assert math.isnan(metrics.accuracy([], []))


@pytest.mark.parametrize("bins", [5, 15])
def test_calibration_error_is_torchmetrics(bins: int) -> None:
    torch = pytest.importorskip("torch")
    from torchmetrics.functional.classification import multiclass_calibration_error

    theirs = multiclass_calibration_error(
        torch.tensor(PROBABILITIES), torch.tensor(LABELS), num_classes=7, n_bins=bins, norm="l1"
    )
    assert metrics.ece(PROBABILITIES, LABELS, bins) == pytest.approx(float(theirs), abs=1e-6)


def test_reliability_bins_hold_every_image_once() -> None:
    table = metrics.reliability(PROBABILITIES, LABELS, bins=10)
    top = PROBABILITIES.max(axis=1)
    assert table["images"].sum() == N
    for row in table.itertuples():
        inside = [i for i in range(N) if row.lower < top[i] <= row.upper]
        assert len(inside) == row.images
        assert row.accuracy == pytest.approx(np.mean([RIGHT[i] for i in inside]))
        assert row.confidence == pytest.approx(np.mean([top[i] for i in inside]))
        assert row.low <= row.accuracy <= row.high
    assert metrics.reliability(np.eye(7), np.arange(7))["upper"].tolist() == [1.0]


def test_temperature_is_the_best_of_a_grid_and_undoes_sharpening() -> None:
    def loss(temperature: float) -> float:
        scaled = metrics.apply_temperature(PROBABILITIES, temperature)
        return float(np.mean([-math.log(scaled[i, LABELS[i]]) for i in range(N)]))

    best = metrics.fit_temperature(PROBABILITIES, LABELS)
    assert best > 1
    assert loss(best) <= min(loss(t) for t in np.geomspace(0.1, 10, 200)) + 1e-6
    scaled = metrics.apply_temperature(PROBABILITIES, 2.0)
    np.testing.assert_allclose(scaled, np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True), rtol=1e-9)


@pytest.mark.parametrize(("correct", "total"), [(0, 10), (10, 10), (3, 7), (292, 675)])
def test_wilson_interval_is_scipys(correct: int, total: int) -> None:
    theirs = binomtest(correct, total).proportion_ci(method="wilson", confidence_level=0.95)
    assert metrics.wilson(correct, total) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_wilson_interval_of_nothing_is_unknown_and_of_more_than_all_refused() -> None:
    assert all(math.isnan(end) for end in metrics.wilson(0, 0))
    with pytest.raises(ValueError, match="between 0 and total"):
        metrics.wilson(8, 7)


def test_group_interval_is_a_plain_bootstrap_by_groups() -> None:
    rng = np.random.default_rng(0)
    members = {group: [RIGHT[i] for i in range(N) if GROUPS[i] == group] for group in set(GROUPS)}
    names = sorted(members)
    means = []
    for _ in range(4000):
        drawn = [figure for name in rng.choice(names, len(names)) for figure in members[name]]
        means.append(np.mean(drawn))
    expected = np.quantile(means, [0.025, 0.975])
    assert metrics.group_interval(RIGHT, GROUPS) == pytest.approx(tuple(expected), abs=0.01)
    assert metrics.group_interval(RIGHT, GROUPS) == metrics.group_interval(RIGHT, GROUPS)


def test_group_interval_widens_when_whole_groups_are_right_or_wrong() -> None:
    groups = [f"g{i // 15}" for i in range(N)]
    by_group = metrics.group_interval([(i // 15) % 2 for i in range(N)], groups)
    alone = metrics.group_interval([(i // 15) % 2 for i in range(N)], [""] * N)
    wilson = metrics.wilson(N // 2, N)
    assert by_group[1] - by_group[0] > 3 * (alone[1] - alone[0])
    assert alone == pytest.approx(wilson, abs=0.01)
    assert all(math.isnan(end) for end in metrics.group_interval(RIGHT, ["one"] * N))


def test_seed_interval_is_students() -> None:
    low, high = metrics.seed_interval([0.4, 0.5, 0.6])
    half = 4.302652729911275 * 0.1 / math.sqrt(3)  # t, 2 degrees of freedom, 97.5 %
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half))
    assert all(math.isnan(end) for end in metrics.seed_interval([0.4]))


def test_mcnemar_is_the_exact_binomial_test() -> None:
    other = RNG.random(N) < 0.5
    only_a = sum(1 for i in range(N) if RIGHT[i] and not other[i])
    only_b = sum(1 for i in range(N) if other[i] and not RIGHT[i])
    assert metrics.mcnemar(RIGHT, other) == pytest.approx(binomtest(only_a, only_a + only_b).pvalue)
    assert metrics.mcnemar(RIGHT, RIGHT) == 1.0
    found = metrics.compare(RIGHT, other, GROUPS)
    assert (found["only_a"], found["only_b"]) == (only_a, only_b)
    assert found["both"] + found["only_a"] + found["only_b"] + found["neither"] == N
    assert found["difference"] == pytest.approx(other.mean() - RIGHT.mean())
    assert found["interval"][0] < found["difference"] < found["interval"][1]
    with pytest.raises(ValueError, match="same images"):
        metrics.mcnemar(RIGHT, other[1:])


def test_paired_interval_is_narrower_than_an_unpaired_one() -> None:
    better = RIGHT | (RNG.random(N) < 0.05)
    low, high = metrics.compare(RIGHT, better, [""] * N)["interval"]
    assert high - low < 0.1
    assert low >= 0


def test_pairs_are_the_images_of_both_and_seeds_count_as_one() -> None:
    table = pd.DataFrame(as_columns(PROBABILITIES)).assign(
        label=LABELS, name=[str(index) for index in range(N)], group=GROUPS, seed=0
    )
    np.testing.assert_array_equal(probabilities_of(table), PROBABILITIES)
    np.testing.assert_array_equal(right(table), RIGHT)
    swapped = table.assign(p0=table["p1"], p1=table["p0"], seed=1)
    two_seeds = pd.concat([table, swapped]).sample(frac=1, random_state=0)
    gain, (low, high), images = metrics.paired(two_seeds, table[:100])
    expected = np.mean([RIGHT[i] - (int(RIGHT[i]) + right(swapped)[i]) / 2 for i in range(100)])
    assert (gain, images) == (pytest.approx(expected), 100)
    assert low <= gain <= high
    assert metrics.paired(table[:5], table[5:])[2] == 0


def rows_of(seeds: int) -> dict[str, object]:
    order = [RNG.permutation(N) for _ in range(seeds)]
    rows = np.concatenate(order)
    return {
        "labels": LABELS[rows],
        "probabilities": PROBABILITIES[rows].astype("f4"),
        "groups": [GROUPS[i] for i in rows],
        "face_status": [["found", "several", "none"][i % 3] for i in rows],
        "seeds": np.repeat(np.arange(seeds), N),
        "names": [str(i) for i in rows],
    }


def test_summary_of_one_seed() -> None:
    found = metrics.summary(**rows_of(1))
    json.dumps(found)
    assert found["images"] == N
    assert found["groups"] == 20
    assert found["val_accuracy"] == pytest.approx(RIGHT.mean())
    assert found["val_accuracy_interval"] == list(metrics.wilson(RIGHT.sum(), N))
    assert np.array(found["confusion"]).trace() == RIGHT.sum()
    assert math.isnan(found["val_accuracy_seed_interval"][0])
    whole = [RIGHT[i] for i in range(N) if i % 3 == 2]
    assert found["not_found"]["accuracy"] == pytest.approx(np.mean(whole))
    assert found["not_found"]["interval"] == list(metrics.wilson(sum(whole), len(whole)))
    assert found["found"]["images"] + found["not_found"]["images"] == N
    assert {name: part["images"] for name, part in found["by_status"].items()} == dict.fromkeys(
        ("found", "none", "several"), 100
    )
    assert found["log_loss"] == pytest.approx(
        np.mean([-math.log(PROBABILITIES[i, LABELS[i]]) for i in range(N)]), abs=1e-5
    )
    assert pd.DataFrame(found["per_class"])["support"].sum() == N


def test_more_seeds_do_not_pretend_to_be_more_images() -> None:
    one, three = metrics.summary(**rows_of(1)), metrics.summary(**rows_of(3))
    assert three["images"] == N
    assert three["seeds"] == [0, 1, 2]
    for key in ("val_accuracy", "macro_f1", "ece", "val_accuracy_interval"):
        assert three[key] == pytest.approx(one[key]), key
    assert three["not_found"]["interval"] == pytest.approx(one["not_found"]["interval"])
    assert three["val_accuracy_group_interval"] == pytest.approx(one["val_accuracy_group_interval"], abs=0.02)
    assert three["accuracy_by_seed"] == pytest.approx([RIGHT.mean()] * 3)


def test_without_extraction_no_face_counts_as_found() -> None:
    found = metrics.summary(**(rows_of(1) | {"face_status": [""] * N}))
    assert found["found"]["images"] == found["not_found"]["images"] == 0
    assert math.isnan(found["found"]["accuracy"])
    assert found["by_status"] == {}


def test_images_of_unknown_group_are_known_by_name_over_seeds() -> None:
    values = rows_of(2) | {"groups": [""] * (2 * N)}
    width = np.diff(metrics.summary(**values)["val_accuracy_group_interval"])[0]
    assert width == pytest.approx(np.diff(metrics.wilson(RIGHT.sum(), N))[0], abs=0.02)
    with pytest.raises(ValueError, match="names"):
        metrics.summary(**(values | {"names": None}))


@pytest.mark.parametrize("bad", [np.full((N, 7), np.nan), np.full((N, 7), 0.5), np.ones((N, 6)) / 6])
def test_what_are_no_probabilities_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="probabilities"):
        metrics.ece(bad, LABELS)


def test_the_two_sets_count_half_each_whatever_their_size() -> None:
    labels = np.array([0, 0, 0, 1, 1, 0, 1])
    guesses = np.array([0, 0, 1, 1, 1, 1, 1])
    folds, seeds = np.array([0, 0, 0, 0, 0, 1, 1]), np.zeros(7, int)
    found = metrics.two_sets(labels, guesses, folds, seeds)
    assert [(one["tested"], one["images"]) for one in found["sets"]] == [("set2", 5), ("set1", 2)]
    assert found["accuracy"] == pytest.approx((4 / 5 + 1 / 2) / 2)
    first = found["per_class"][0]
    assert first["class"] == CLASSES[0]
    assert first["recall"] == pytest.approx((2 / 3 + 0) / 2)
    assert first["precision"] == pytest.approx(1.0)  # of set1 none was called so
    assert first["specificity"] == pytest.approx((1 + 1) / 2)
    twice = metrics.two_sets(
        *(np.concatenate([v, v]) for v in (labels, guesses, folds)), np.repeat([0, 1], 7)
    )
    assert [one["images"] for one in twice["sets"]] == [5, 2]
    assert twice["accuracy"] == found["accuracy"]
