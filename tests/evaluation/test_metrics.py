"""Figures recomputed with plain loops or another library."""

import json
import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, t

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


def test_calibration_error_is_torchmetrics() -> None:
    torch = pytest.importorskip("torch")
    from torchmetrics.functional.classification import multiclass_calibration_error

    theirs = multiclass_calibration_error(
        torch.tensor(PROBABILITIES), torch.tensor(LABELS), num_classes=7, n_bins=15, norm="l1"
    )
    assert metrics.ece(PROBABILITIES, LABELS) == pytest.approx(float(theirs), abs=1e-6)


def test_reliability_bins_hold_every_image_once() -> None:
    table = metrics.reliability(PROBABILITIES, LABELS)
    top = PROBABILITIES.max(axis=1)
    assert table["images"].sum() == N
    for row in table.itertuples():
        inside = [i for i in range(N) if row.lower < top[i] <= row.upper]
        assert len(inside) == row.images
        assert row.accuracy == pytest.approx(np.mean([RIGHT[i] for i in inside]))
        assert row.confidence == pytest.approx(np.mean([top[i] for i in inside]))
        assert row.low <= row.accuracy <= row.high
    assert metrics.reliability(np.eye(7), np.arange(7))["upper"].tolist() == [1.0]
    assert metrics.reliability(PROBABILITIES, LABELS, [f"g{i % 3}" for i in range(N)])["low"].isna().all()
    names = [str(index) for index in range(N)]
    twice = metrics.reliability(np.tile(PROBABILITIES, (2, 1)), np.tile(LABELS, 2), [""] * 2 * N, names * 2)
    assert twice["images"].tolist() == table["images"].tolist()
    single = np.array([[0.2, 0.16, 0.16, 0.16, 0.16, 0.16, 0]], "f4")  # 0.2 as float32 is above the edge
    assert metrics.reliability(single, [0]).equals(metrics.reliability(single.astype(float), [0]))


def test_figures_by_seed_are_the_mean_of_each_seed_s() -> None:
    seeds = np.repeat([0, 1], N // 2)
    parts = [metrics.ece(PROBABILITIES[seeds == seed], LABELS[seeds == seed]) for seed in (0, 1)]
    assert metrics.by_seed(metrics.ece, PROBABILITIES, LABELS, seeds) == pytest.approx(np.mean(parts))


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
    assert all(math.isnan(end) for end in metrics.wilson(0, 0))
    with pytest.raises(ValueError, match="between 0 and total"):
        metrics.wilson(8, 7)


def test_interval_over_groups_is_recomputed_by_plain_loops() -> None:
    """The variance CR2 and its degrees of freedom by matrices (Bell and McCaffrey 2002), then t on the log odds."""
    groups = [f"g{int(30 * (i / N) ** 1.5)}" for i in range(N)]
    names = sorted(set(groups))
    members = {name: [float(RIGHT[i]) for i in range(N) if groups[i] == name] for name in names}
    sizes, mean, count = np.array([len(members[name]) for name in names], float), RIGHT.mean(), len(names)
    residuals = np.array([sum(figure - mean for figure in members[name]) for name in names])
    scale = np.array([1 / (1 - size / N) for size in sizes])
    error = math.sqrt(sum(scale * residuals**2)) / N
    means = np.array([np.mean(members[name]) for name in names])
    within = sum((f - m) ** 2 for name, m in zip(names, means, strict=True) for f in members[name]) / (
        N - count
    )
    between = sum(sizes * (means - mean) ** 2) / (count - 1)
    usual = (N - sum(sizes**2) / N) / (count - 1)
    rho = max(0.0, (between - within) / (between + (usual - 1) * within))
    centre = np.eye(count) - np.outer(sizes / N, np.ones(count))
    product = np.diag(scale) @ centre @ np.diag(sizes * (1 + rho * (sizes - 1))) @ centre.T
    df = np.trace(product) ** 2 / np.trace(product @ product)
    half = t.ppf(0.975, df) * error
    odds = math.log(mean / (1 - mean))
    ends = [1 / (1 + math.exp(-(odds + sign * half / (mean * (1 - mean))))) for sign in (-1, 1)]
    found = metrics.share(RIGHT, groups)
    assert (found.value, found.over) == (pytest.approx(mean), f"{count} movies or persons")
    assert found.interval == pytest.approx(tuple(ends), abs=1e-9)
    assert metrics.difference(RIGHT, groups).interval == pytest.approx((mean - half, mean + half), abs=1e-9)


def test_a_difference_of_few_groups_lies_among_the_means_of_all_their_subsets() -> None:
    """Of 255 subsets of eight groups six lie beyond either end: 2.5 % of 256, rounded down (Hartigan 1969)."""
    groups = [f"g{int(8 * (i / N) ** 1.5)}" for i in range(N)]
    gains = np.random.default_rng(2).normal(0.1, 1, N)
    names = sorted(set(groups))
    means = sorted(
        float(np.mean([gain for gain, group in zip(gains, groups, strict=True) if group in chosen]))
        for size in range(1, 9)
        for chosen in combinations(names, size)
    )
    assert metrics.difference(gains, groups).interval == pytest.approx((means[5], means[-6]))


def test_interval_widens_when_whole_groups_are_right_or_wrong_and_is_wilsons_where_none_is_known() -> None:
    groups = [f"g{i // 15}" for i in range(N)]
    flags = [(i // 15) % 2 for i in range(N)]
    by_group, alone = metrics.share(flags, groups), metrics.share(flags, [""] * N)
    assert np.ptp(by_group.interval) > 3 * np.ptp(alone.interval)
    assert alone.interval == metrics.wilson(N // 2, N)
    assert alone.over == f"{N} images (Wilson)"
    twice = metrics.share(
        flags * 2, [""] * 2 * N, [str(i) for i in range(N)] * 2
    )  # two seeds alike: N images still
    assert twice.interval == pytest.approx(alone.interval, abs=0.002)
    assert twice.over == f"{N} images"


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        ([f"g{i % 4}" for i in range(N)], "no interval: 4 movies or persons, fewer than 5"),
        (["one"] * (N - 5) + [f"g{i}" for i in range(5)], "most images are of one or two"),
    ],
)
def test_too_few_groups_give_the_reason_instead_of_an_interval(groups: list[str], why: str) -> None:
    found = metrics.share(RIGHT, groups)
    assert all(math.isnan(end) for end in found.interval)
    assert why in found.over


def test_no_interval_is_empty_or_impossible() -> None:
    low, high = metrics.share([True] * N, GROUPS).interval  # every group right: 20 answers, as it were
    assert (low, high) == metrics.wilson(20, 20)
    groups = [f"g{i}" for i in range(21)]
    gains = [1.0] * 20 + [0.0]
    assert metrics.difference(gains, groups).interval[1] > 1
    assert metrics.difference(gains, groups, most=1.0).interval[1] == 1
    assert "21 movies or persons that don't differ" in metrics.difference([0.0] * 21, groups).over
    assert "7 movies or persons, fewer than 8" in metrics.difference(gains[-7:], groups[-7:]).over
    for seeds in ([0.1, 0.34], [0.3] * 6, [0.2, 0.3, 0.4, 0.5]):
        assert all(math.isnan(end) for end in metrics.seed_interval(seeds)), seeds
    low, high = metrics.seed_interval([0.01, 0.9, 0.02, 0.03, 0.01])
    assert 0 <= low < high <= 1


def test_coverage_is_95_percent_where_wilson_s_is_not() -> None:
    """Movies that differ as at a correlation of .1: 400 draws, whose share held varies by 1.1 points."""
    rng = np.random.default_rng(5)
    groups = [f"g{i}" for i in range(10) for _ in range(20)]
    held = {"share": 0, "wilson": 0}
    for _ in range(400):
        right = rng.random(200) < np.repeat(rng.beta(0.4 * 9, 0.6 * 9, 10), 20)
        for name, (low, high) in (
            ("share", metrics.share(right, groups).interval),
            ("wilson", metrics.wilson(right.sum(), 200)),
        ):
            held[name] += low <= 0.4 <= high
    assert 0.92 <= held["share"] / 400 <= 0.98
    assert held["wilson"] / 400 < 0.8


def test_seed_interval_is_students() -> None:
    low, high = metrics.seed_interval([0.3, 0.4, 0.5, 0.6, 0.7])
    half = t.ppf(0.975, 4) * np.std([0.3, 0.4, 0.5, 0.6, 0.7], ddof=1) / math.sqrt(5)
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half))


def test_mcnemar_is_the_exact_binomial_test() -> None:
    other = RNG.random(N) < 0.5
    only_a = sum(1 for i in range(N) if RIGHT[i] and not other[i])
    only_b = sum(1 for i in range(N) if other[i] and not RIGHT[i])
    assert metrics.mcnemar(RIGHT, other) == pytest.approx(binomtest(only_a, only_a + only_b).pvalue)
    assert metrics.mcnemar(RIGHT, RIGHT) == 1.0
    found = metrics.disagreements(RIGHT, other)
    assert found["p"] == metrics.mcnemar(RIGHT, other)
    assert (found["only_a"], found["only_b"]) == (only_a, only_b)
    assert found["both"] + found["only_a"] + found["only_b"] + found["neither"] == N
    with pytest.raises(ValueError, match="same images"):
        metrics.mcnemar(RIGHT, other[1:])


def test_paired_interval_is_narrower_than_an_unpaired_one() -> None:
    better = RIGHT | (np.random.default_rng(2).random(N) < 0.05)  # its own: tests may run in any order
    low, high = metrics.difference(better.astype(int) - RIGHT, [""] * N).interval
    assert 0 <= low < high < low + 0.1
    assert "1 movie or person," in metrics.difference([1, 0, 1], ["a", "a", "a"]).over


def test_pairs_are_the_images_of_both_and_seeds_count_as_one() -> None:
    table = pd.DataFrame(as_columns(PROBABILITIES)).assign(
        label=LABELS, name=[str(index) for index in range(N)], group=GROUPS, seed=0
    )
    np.testing.assert_array_equal(probabilities_of(table), PROBABILITIES)
    np.testing.assert_array_equal(right(table), RIGHT)
    swapped = table.assign(p0=table["p1"], p1=table["p0"], seed=1)
    two_seeds = pd.concat([table, swapped]).sample(frac=1, random_state=0)
    gain, images = metrics.paired(two_seeds, table[:100])
    expected = np.mean([RIGHT[i] - (int(RIGHT[i]) + right(swapped)[i]) / 2 for i in range(100)])
    assert (gain.value, images) == (pytest.approx(expected), 100)
    assert gain.interval[0] <= gain.value <= gain.interval[1]
    assert metrics.paired(table[:5], table[5:])[1] == 0
    higher, _ = metrics.paired(table, swapped, lambda side: 3.0 * side["seed"].to_numpy() + right(side))
    assert higher.interval[0] <= higher.value <= higher.interval[1]  # no share: it may exceed 1
    assert higher.value > 1
    found = metrics.lead(swapped, table)
    assert found["lead"] == pytest.approx(RIGHT.mean() - right(swapped).mean())
    assert found["p"] == metrics.mcnemar(RIGHT, right(swapped))


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
    assert found["val_accuracy_interval"] == list(metrics.share(RIGHT, GROUPS).interval)
    assert found["val_accuracy_interval_over"] == "20 movies or persons"
    assert np.array(found["confusion"]).trace() == RIGHT.sum()
    assert math.isnan(found["val_accuracy_seed_interval"][0])
    whole = [RIGHT[i] for i in range(N) if i % 3 == 2]
    assert found["not_found"]["accuracy"] == pytest.approx(np.mean(whole))
    own = metrics.share(whole, [GROUPS[i] for i in range(N) if i % 3 == 2])
    assert found["not_found"]["interval"] == pytest.approx(list(own.interval))
    assert found["found"]["images"] + found["not_found"]["images"] == N
    assert {name: part["images"] for name, part in found["by_status"].items()} == dict.fromkeys(
        ("found", "none", "several", "doubtful"), 100
    )
    assert found["log_loss"] == pytest.approx(
        np.mean([-math.log(PROBABILITIES[i, LABELS[i]]) for i in range(N)]), abs=1e-5
    )
    assert pd.DataFrame(found["per_class"])["support"].sum() == N
    without = metrics.summary(**(rows_of(1) | {"face_status": [""] * N}))  # no extraction, no face found
    assert without["found"]["images"] == without["not_found"]["images"] == 0
    assert math.isnan(without["found"]["accuracy"])
    assert without["by_status"] == {}


def test_more_seeds_do_not_pretend_to_be_more_images() -> None:
    one, three = metrics.summary(**rows_of(1)), metrics.summary(**rows_of(3))
    assert (three["images"], three["seeds"]) == (N, [0, 1, 2])
    for key in ("val_accuracy", "macro_f1", "ece"):
        assert three[key] == pytest.approx(one[key]), key
    assert three["val_accuracy_interval"] == pytest.approx(one["val_accuracy_interval"], abs=0.002)
    assert three["not_found"]["interval"] == pytest.approx(one["not_found"]["interval"], abs=0.01)
    assert [row["support"] for row in three["per_class"]] == [row["support"] for row in one["per_class"]]
    assert three["accuracy_by_seed"] == pytest.approx([RIGHT.mean()] * 3)
    unknown = rows_of(2) | {"groups": [""] * (2 * N)}  # the names say which rows are one image
    width = np.ptp(metrics.summary(**unknown)["val_accuracy_interval"])
    assert width == pytest.approx(np.ptp(metrics.wilson(RIGHT.sum(), N)), abs=0.002)
    with pytest.raises(ValueError, match="names"):
        metrics.summary(**(unknown | {"names": None}))


@pytest.mark.parametrize("bad", [np.full((N, 7), np.nan), np.full((N, 7), 0.5), np.ones((N, 6)) / 6])
def test_what_are_no_probabilities_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="probabilities"):
        metrics.ece(bad, LABELS)


def test_the_two_sets_count_half_each_whatever_their_size() -> None:
    labels = np.array([0, 0, 0, 1, 1, 0, 1])
    guesses = np.array([0, 0, 1, 1, 1, 1, 1])
    folds, seeds = np.array([0, 0, 0, 0, 0, 1, 1]), np.zeros(7, int)
    images = [""] * 7, [str(i) for i in range(7)]
    found = metrics.two_sets(labels, guesses, folds, seeds, *images)
    assert [(one["tested"], one["images"]) for one in found["sets"]] == [("set2", 5), ("set1", 2)]
    assert found["accuracy"] == pytest.approx((4 / 5 + 1 / 2) / 2)
    assert [one["interval_over"] for one in found["sets"]] == ["5 images (Wilson)", "2 images (Wilson)"]
    assert [one["class"] for one in found["per_class"]] == list(CLASSES)
    first = found["per_class"][0]
    assert first["recall"] == pytest.approx((2 / 3 + 0) / 2)
    assert first["precision"] == pytest.approx(1.0)  # of set1 none was called so
    assert first["specificity"] == pytest.approx((1 + 1) / 2)
    twice = metrics.two_sets(
        *(np.concatenate([v, v]) for v in (labels, guesses, folds)),
        np.repeat([0, 1], 7),
        *(2 * own for own in images),
    )
    assert [one["images"] for one in twice["sets"]] == [5, 2]
    assert twice["accuracy"] == found["accuracy"]
