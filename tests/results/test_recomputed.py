"""Every figure of `--json`, a report and a page's table, again from the stored predictions by plain loops."""

import csv
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_case import at_home
from scipy.stats import t

from fer_core.cli.main import main
from fer_core.config.run import CLASSES
from fer_core.datasets.open import open_dataset
from fer_core.results.paper.counterparts import Runs
from fer_core.results.paper.verdicts import check_figures
from fer_core.results.shares import percent
from fer_core.results.sharing.report import report
from fer_core.storage.store import Store, StoredRun
from fer_core.ui.parts.widgets import listed

NETWORK = ("--backbone", "efficientnet_lite0", "--epochs", "2")
PIXELS = ("--model", "svm", "--features", "pixels", "--no-faces")
SHORT = ("--backbone", "efficientnet_lite0", "--unfreeze", "1", "--epochs", "2", "--no-faces")
#: Kinds of runs: one seed and several, of every model, under every protocol, with and without known movies.
RUNS = {
    "group": (*SHORT, "--protocol", "group", "--folds", "3", "--seeds", "0,1"),
    "five seeds, calibrated": (*SHORT, "--folds", "2", "--seeds", "0,1,2,3,4", "--calibrate"),
    "reshuffle": (*SHORT, "--protocol", "reshuffle", "--seeds", "0,1"),
    "clip, svm": (*PIXELS, "--protocol", "clip", "--folds", "2"),
    "bdnn": (
        *("--model", "bdnn", "--raw", "--alternate", "1", "--epochs", "3", "--no-faces", "--folds", "2"),
        *("--seeds", "0,1"),
    ),
    "two sets": (*PIXELS, "--protocol", "spi", "--data", "sets"),
    "fixed, no groups": (
        *("--model", "mlp", "--epochs", "3", "--no-faces", "--protocol", "fixed", "--data", "split"),
        *("--seeds", "0,1"),
    ),
}
#: The paper's systems on faces cut out, as its tables have them: beside each stands a published figure.
PAPERS = {
    "n = 2, reshuffle": (*NETWORK, "--unfreeze", "2", "--protocol", "reshuffle", "--seeds", "0,1"),
    "n = 2, by movie": (*NETWORK, "--unfreeze", "2", "--protocol", "group", "--folds", "3"),
    "n = 2, whole frames": (*NETWORK, "--unfreeze", "2", "--protocol", "reshuffle", "--no-faces"),
    "PHOG": ("--model", "svm", "--features", "phog", "--folds", "2"),
    "LPQ, by movie": ("--model", "svm", "--features", "lpq", "--protocol", "group", "--folds", "3"),
    "LPQ": ("--model", "svm", "--features", "lpq", "--folds", "2", "--no-face-policy", "drop"),
}
#: Those of them that are no networks transferred, as people call them.
COMPARATORS = {
    "clip, svm": "pixels + SVM",
    "bdnn": "BDNN (raw pixels, in turns)",
    "fixed, no groups": "MLP (pixels)",
    "PHOG": "PHOG + SVM",
}
#: Nothing is trained: another's network on all images.
UNSEEN = "unseen"
NEEDED = 5  # groups for an interval


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def lists(generated: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the small set as lists: divided into two sets, and split without movies known."""
    folder = tmp_path_factory.mktemp("lists")
    shutil.copytree(generated, folder, dirs_exist_ok=True)
    samples = open_dataset(generated).samples
    parts = {
        "sets": [(f"set{1 + index % 2}", one.group) for index, one in enumerate(samples)],
        "split": [("validation" if index % 3 == 0 else "train", "") for index in range(len(samples))],
    }
    for name, rows in parts.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "label", "split", "group"])
            for one, row in zip(samples, rows, strict=True):
                writer.writerow([one.name, CLASSES[one.label], *row])
    return {name: folder / f"{name}.csv" for name in parts} | {"": generated}


def plain_interval(flags: list[bool], groups: list[str], names: list[str]) -> tuple[float, float] | str:
    """Return the interval over groups (CR2 and its degrees of freedom by matrices), Wilson's, or why there is none."""
    known = any(groups)
    members: dict[str, list[float]] = {}
    for flag, group, name in zip(flags, groups, names, strict=True):
        members.setdefault(group or f"image {name}", []).append(float(flag))
    count, total, mean = len(members), len(flags), sum(flags) / len(flags)

    def wilson(right: float, of: float) -> tuple[float, float]:
        z, share = 1.959963984540054, right / of
        middle, half = share + z * z / 2 / of, z * math.sqrt(share * (1 - share) / of + z * z / 4 / of / of)
        return max(0.0, (middle - half) / (1 + z * z / of)), min(1.0, (middle + half) / (1 + z * z / of))

    if not known and count == total:
        return wilson(sum(flags), total)
    if count < NEEDED:
        return f"no interval: {count} movies or persons, fewer than {NEEDED}"
    sizes = np.array([len(figures) for figures in members.values()], float)
    sums = np.array([sum(figures) for figures in members.values()])
    scale = 1 / (1 - sizes / total)
    error = math.sqrt(sum(scale * (sums - sizes * mean) ** 2)) / total
    if error == 0:
        return wilson(mean * count, count)
    within = sum(
        (f - s / n) ** 2 for own, s, n in zip(members.values(), sums, sizes, strict=True) for f in own
    )
    within /= total - count
    between = sum(sizes * (sums / sizes - mean) ** 2) / (count - 1)
    usual = (total - sum(sizes**2) / total) / (count - 1)
    rho = max(0.0, (between - within) / (between + (usual - 1) * within))
    centre = np.eye(count) - np.outer(sizes / total, np.ones(count))
    product = np.diag(scale) @ centre @ np.diag(sizes * (1 + rho * (sizes - 1))) @ centre.T
    df = np.trace(product) ** 2 / np.trace(product @ product)
    if df < 2:
        return "most images are of one or two"
    half, odds = t.ppf(0.975, df) * error / (mean * (1 - mean)), math.log(mean / (1 - mean))
    return 1 / (1 + math.exp(half - odds)), 1 / (1 + math.exp(-half - odds))


def plain(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a run's predictions say, with loops alone."""
    seeds = list(dict.fromkeys(row["seed"] for row in rows))
    guess = [max(range(7), key=lambda k, row=row: row[f"p{k}"]) for row in rows]
    right = [said == row["label"] for said, row in zip(guess, rows, strict=True)]
    counts = [[0] * 7 for _ in range(7)]
    for said, row in zip(guess, rows, strict=True):
        counts[row["label"]][said] += 1
    accuracies, scores, errors, recalls, losses = [], [], [], [], []
    for seed in seeds:
        own = [index for index, row in enumerate(rows) if row["seed"] == seed]
        accuracies.append(sum(right[index] for index in own) / len(own))
        losses.append(sum(-math.log(max(1e-12, rows[i][f"p{rows[i]['label']}"])) for i in own) / len(own))
        truths = {rows[index]["label"] for index in own}
        of_class = [[right[i] for i in own if rows[i]["label"] == label] for label in truths]
        recalls.append(sum(sum(flags) / len(flags) for flags in of_class) / len(truths))
        f1 = []
        for label in truths:
            hits = sum(guess[i] == label == rows[i]["label"] for i in own)
            either = sum(guess[i] == label for i in own) + sum(rows[i]["label"] == label for i in own)
            f1.append(2 * hits / either)
        scores.append(sum(f1) / len(f1))
        bins: dict[int, list[float]] = {}
        for i in own:
            top = max(rows[i][f"p{k}"] for k in range(7))
            place = min(14, max(0, math.ceil(top * 15) - 1))
            bins.setdefault(place, []).append(top - right[i])
        errors.append(sum(abs(sum(gaps)) for gaps in bins.values()) / len(own))
    per_class = []
    for k in range(7):
        support, said = sum(counts[k]), sum(counts[j][k] for j in range(7))
        per_class.append(
            {
                "precision": counts[k][k] / said if said else None,
                "recall": counts[k][k] / support if support else None,
                "support": round(support / len(seeds)),
            }
        )

    def interval(of: list[int]) -> tuple[float, float] | str:
        return plain_interval(
            [right[i] for i in of], [rows[i]["group"] for i in of], [rows[i]["name"] for i in of]
        )

    folds = {}
    for seed, fold in dict.fromkeys((row["seed"], row["fold"]) for row in rows):
        of = [i for i, row in enumerate(rows) if (row["seed"], row["fold"]) == (seed, fold)]
        folds[seed, fold] = (len(of), sum(right[i] for i in of) / len(of), interval(of))
    return {
        "accuracy": sum(accuracies) / len(seeds),
        "by_seed": accuracies,
        "macro_f1": sum(scores) / len(seeds),
        "balanced": sum(recalls) / len(seeds),
        "log_loss": sum(losses) / len(seeds),
        "ece": sum(errors) / len(seeds),
        "confusion": counts,
        "per_class": per_class,
        "interval": interval(list(range(len(rows)))),
        "folds": folds,
    }


def spelt(interval: tuple[float, float] | str) -> str:
    if isinstance(interval, str):
        return interval
    return f"{100 * interval[0]:.1f} – {100 * interval[1]:.1f} %"


@pytest.mark.parametrize("kind", [*RUNS, *PAPERS, UNSEEN])
def test_every_figure_of_a_run_is_recomputed(
    kind: str,
    home: Path,
    lists: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    at_home(monkeypatch, home)
    row = _made(kind, lists, capsys)
    _recompute(home, row)
    if kind in COMPARATORS:
        svm = "SVM" in COMPARATORS[kind]
        assert (row["system"], row["backbone"], row["unfreeze"]) == (COMPARATORS[kind], None, None)
        assert (row["epochs"], row["val_loss"] is None) == (None if svm else 3, svm)


def test_every_figure_of_a_vote_is_recomputed(
    home: Path, lists: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a network with two seeds and another's network as it is, and its lead on the better of them."""
    at_home(monkeypatch, home)
    members = [_made(kind, lists, capsys)["run_id"] for kind in ("group", UNSEEN)]
    assert main(["vote", *members, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    run = _recompute(home, printed[0] if isinstance(printed, list) else printed)
    store = Store(home / "fer.sqlite", read_only=True)

    def right(run_id: str) -> dict[str, float]:
        found: dict[str, list[bool]] = {}
        for row in store.predictions(run_id).to_dict("records"):
            guess = max(range(7), key=lambda k: row[f"p{k}"])
            found.setdefault(row["name"], []).append(guess == row["label"])
        return {name: sum(flags) / len(flags) for name, flags in found.items()}

    said, *others = (right(run_id) for run_id in (run.id, *members))
    best = max(others, key=lambda one: sum(one.values()) / len(one))
    both = said.keys() & best.keys()
    assert run.summary["vote"]["lead"] == pytest.approx(
        sum(said[name] - best[name] for name in both) / len(both)
    )


def test_every_figure_of_the_paper_view_is_recomputed(
    home: Path, lists: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From each fold's epochs where the paper averages over them, else from the predictions."""
    at_home(monkeypatch, home)
    made = {kind: _made(kind, lists, capsys)["run_id"] for kind in PAPERS}
    store = Store(home / "fer.sqlite", read_only=True)
    checked = check_figures(
        Runs(
            [store.run(run_id) for run_id in made.values()],
            "efficientnet_lite0",
            lambda run: store.epochs(run.id),
            lambda run: store.predictions(run.id),
        )
    )
    beside: dict[tuple[str, str], str] = {}
    for one in checked:
        for here in filter(None, (one.like, one.by_group)):
            of_the_run = plain(store.predictions(here.run.id).to_dict("records"))
            value = of_the_run["accuracy"]
            if one.reported.over == "20 epochs":
                figures = [row[one.reported.measure] for row in store.epochs(here.run.id).to_dict("records")]
                value = sum(figures) / len(figures)
            assert here.value == pytest.approx(value)
            beside[one.reported.system, here.run.protocol] = here.run.id
            if not here.over:  # a loss
                continue
            assert here.of_the_run[0] == pytest.approx(of_the_run["accuracy"])
            if isinstance(of_the_run["interval"], str):
                assert here.of_the_run[1] is here.interval is None
            else:
                assert here.of_the_run[1] == pytest.approx(of_the_run["interval"], abs=1e-6)
                assert here.interval == pytest.approx(
                    _moved(of_the_run["interval"], of_the_run["accuracy"], value), abs=1e-6
                )
    assert beside == {
        ("ResNet18, n = 2", "reshuffle"): made["n = 2, reshuffle"],
        ("ResNet18, n = 2", "group"): made["n = 2, by movie"],
        ("ResNet18, with face extraction", "reshuffle"): made["n = 2, reshuffle"],
        ("ResNet18, with face extraction", "group"): made["n = 2, by movie"],
        ("ResNet18, without face extraction", "reshuffle"): made["n = 2, whole frames"],
        ("PHOG + SVM", "stratified"): made["PHOG"],
        ("LPQ + SVM", "stratified"): made["LPQ"],
        ("LPQ + SVM", "group"): made["LPQ, by movie"],
    }


def _moved(interval: tuple[float, float], centre: float, value: float) -> tuple[float, float]:
    """Return an interval moved to another accuracy by odds, as wide on their logarithm."""
    if value == centre:
        return interval
    ends = [math.log(one / (1 - one)) + math.log(value / (1 - value)) for one in interval]
    off = math.log(centre / (1 - centre))
    return 1 / (1 + math.exp(off - ends[0])), 1 / (1 + math.exp(off - ends[1]))


def _made(kind: str, lists: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Make a run of a kind, or recall it, and return its row of `--json`."""
    given = [str(lists[one]) if one in lists else one for one in (RUNS | PAPERS).get(kind, ("--no-faces",))]
    data = [] if "--data" in given else ["--data", str(lists[""])]
    capsys.readouterr()
    assert main(["recognise" if kind == UNSEEN else "train", *given, *data, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    return printed[0] if isinstance(printed, list) else printed


def _recompute(home: Path, row: dict[str, Any]) -> StoredRun:
    store = Store(home / "fer.sqlite", read_only=True)
    run = store.run(row["run_id"])
    found = plain(store.predictions(run.id).to_dict("records"))

    assert row["val_accuracy"] == pytest.approx(found["accuracy"])
    assert row["macro_f1"] == pytest.approx(found["macro_f1"])
    assert run.summary["log_loss"] == pytest.approx(found["log_loss"], rel=1e-4)
    _same_interval(row["val_accuracy_interval"], row["val_accuracy_interval_over"], found["interval"])
    assert run.summary["accuracy_by_seed"] == pytest.approx(found["by_seed"])
    assert run.summary["balanced_accuracy"] == pytest.approx(found["balanced"])
    assert run.summary["ece"] == pytest.approx(found["ece"])
    assert run.summary["confusion"] == found["confusion"]
    for one, own in zip(run.summary["per_class"], found["per_class"], strict=True):
        assert {name: one[name] for name in own} == pytest.approx(own, nan_ok=True)

    shown = listed([run]).iloc[0]
    assert shown["val"] == pytest.approx(100 * found["accuracy"])
    assert shown["interval"] == (spelt(found["interval"]) if not isinstance(found["interval"], str) else "–")
    _in_report(report(store, run.id), run, found)
    return run


def _same_interval(bounds: list[float | None], over: str, expected: tuple[float, float] | str) -> None:
    if isinstance(expected, str):
        assert bounds == [None, None]
        assert expected in over
    else:
        assert bounds == pytest.approx(expected, abs=1e-6)
        assert not over.startswith("no interval")


def _in_report(document: str, run: StoredRun, found: dict[str, Any]) -> None:
    words = " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<script.*?</script>", " ", document)).split())
    assert percent(found["accuracy"]) in words
    assert spelt(found["interval"]) in words
    assert f"Macro F1 {found['macro_f1']:.3f}" in words
    assert f"Calibration error (ECE) {percent(found['ece'])}" in words
    if len(found["by_seed"]) > 1:
        assert "Accuracy by seed " + ", ".join(percent(one) for one in found["by_seed"]) in words
    for name, one in zip(CLASSES, found["per_class"], strict=True):
        figures = ["–" if one[what] is None else f"{one[what]:.3f}" for what in ("precision", "recall")]
        assert re.search(rf"\b{name} {figures[0]} {figures[1]} \S+ \S+ {one['support']}\b", words), name
    for (seed, fold), (images, accuracy, interval) in found["folds"].items():
        assert f"{seed} {fold} {images} {percent(accuracy)} {spelt(interval)}" in words, (seed, fold)
