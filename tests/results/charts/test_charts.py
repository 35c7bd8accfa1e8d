"""Figures show the figures they are given, with their intervals, and read on light and dark pages."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from fer_core.config.run import CLASSES
from fer_core.evaluation import metrics
from fer_core.results.charts import accuracy, comparators, curves, data, predictions, systems
from fer_core.results.charts.style import CHANCE, describe, on_white

vl_convert = pytest.importorskip("vl_convert")
RNG = np.random.default_rng(5)


def epochs(settings: int = 3, folds: int = 4, length: int = 6) -> pd.DataFrame:
    rows = [
        {"system": f"n = {n}", "seed": seed, "fold": fold, "epoch": epoch}
        for n in range(1, settings + 1)
        for seed in (0, 1)
        for fold in range(folds)
        for epoch in range(1, length + 1)
    ]
    table = pd.DataFrame(rows).sample(frac=1, random_state=0)
    for column in ("train_loss", "val_loss", "train_accuracy", "val_accuracy"):
        table[column] = RNG.random(len(table))
    return table


RUNS = pd.DataFrame(
    {
        "label": ["ResNet18, n = 2 · reshuffle", "ResNet18, n = 2 · group", "BDNN · group"],
        "system": ["ResNet18, n = 2", "ResNet18, n = 2", "BDNN"],
        "leaks": [True, False, False],
        "accuracy": [0.6, 0.4, 0.2],
        "low": [0.55, 0.35, np.nan],
        "high": [0.65, 0.46, np.nan],
        "images": [675, 675, 675],
    }
)
PAPER = pd.DataFrame(
    {
        "system": ["n = 2", "n = 2", "SPI"],
        "reported": [0.4324, 0.4324, 0.19],
        "measured": [0.5, 0.3, np.nan],
        "low": [0.45, 0.26, np.nan],
        "high": [0.55, 0.34, np.nan],
        "protocol": ["reshuffle", "group", None],
        "leaks": [True, False, False],
    }
)
LABELS = RNG.integers(0, 7, 200)
PROBABILITIES = RNG.dirichlet(np.ones(7) * 0.4, 200)
COUNTS = pd.DataFrame(
    [(name, part, index + 1) for index, name in enumerate(CLASSES) for part in ("train", "test")],
    columns=["class", "part", "images"],
)
FACES = pd.DataFrame(
    [(name, status, count) for name in CLASSES for status, count in (("found", 30), ("none", 5))],
    columns=["class", "status", "images"],
)
DIFFERENCES = pd.DataFrame({"class": CLASSES, "difference": 0.1, "low": -0.1, "high": 0.2, "images": 6})


def two_losses() -> pd.DataFrame:
    rows = [
        {
            "fold": fold,
            "epoch": epoch,
            "train_loss": 2.0 - fold,
            "val_loss": 2.5,
            "train_reverse_loss": 1.0 + fold,
            "val_reverse_loss": 1.5,
        }
        for fold in (0, 1)
        for epoch in (1, 2, 3)
    ]
    return pd.DataFrame(rows)


PLOTLY = {
    "learning_curves": lambda: curves.learning_curves(epochs()),
    "accuracy_intervals": lambda: accuracy.accuracy_intervals(RUNS),
    "paper_vs_here": lambda: accuracy.paper_vs_here(PAPER),
    "class_bars": lambda: data.class_bars(COUNTS),
    "distances": lambda: comparators.distance_map(comparators.distance_table(PROBABILITIES, LABELS)),
    "gray_faces": lambda: comparators.gray_faces(np.ones((7, 4, 4))),
    "confusion": lambda: predictions.confusion(metrics.confusion(LABELS, LABELS), CLASSES),
    "reliability": lambda: predictions.reliability(metrics.reliability(PROBABILITIES, LABELS)),
}
ALTAIR = {
    "probabilities": lambda: predictions.probabilities(PROBABILITIES[0], CLASSES),
    "status_bars": lambda: data.status_bars(FACES),
    "losses": lambda: comparators.two_directions(comparators.direction_losses(two_losses())),
    "differences": lambda: comparators.class_differences(DIFFERENCES),
    "profiles": lambda: comparators.profiles(comparators.profile_table(np.ones((7, 30)))),
}


@pytest.mark.parametrize("name", PLOTLY)
def test_plotly_figures_leave_colours_to_the_page(name: str) -> None:
    figure = PLOTLY[name]()
    layout = json.loads(figure.to_json())["layout"]
    assert layout["template"]["layout"]["paper_bgcolor"] == "rgba(0,0,0,0)"
    assert not {"paper_bgcolor", "plot_bgcolor"} & set(layout)
    assert "color" not in layout.get("font", {})
    assert "title" not in layout
    assert describe(figure).endswith(".")


@pytest.mark.parametrize("name", ALTAIR)
def test_altair_figures_render_and_leave_colours_to_the_page(name: str) -> None:
    figure = ALTAIR[name]()
    spec = figure.to_dict()
    assert spec["background"] == "transparent"
    assert "labelColor" not in spec["config"]["axis"]
    assert spec["usermeta"]["alt"] == describe(figure)
    assert len(describe(figure)) > 30
    assert "description" not in spec
    file = on_white(figure).to_dict()
    assert (file["background"], file["config"]["axis"]["labelColor"]) == ("white", "#25343B")
    assert vl_convert.vegalite_to_svg(file).startswith("<svg")
    assert vl_convert.vegalite_to_png(file)[:4] == b"\x89PNG"
    assert figure.to_dict() == spec


def test_learning_curves_show_every_fold_and_their_mean() -> None:
    table = epochs()
    figure = curves.learning_curves(table)
    means = [trace for trace in figure.data if trace.name]
    thin = [trace for trace in figure.data if not trace.name]
    assert len(means) == len(thin) == 3 * 2 * 2  # settings, measures, parts
    first = next(trace for trace in means if trace.name == "validation")
    for epoch, shown in zip(first.x, first.y, strict=True):
        own = [r.val_loss for r in table.itertuples() if r.system == "n = 1" and r.epoch == epoch]
        assert shown == pytest.approx(sum(own) / len(own))
    assert sum(x is None for x in thin[0].x) == 8  # a gap after each of 2 seeds x 4 folds
    assert {annotation.text for annotation in figure.layout.annotations} == {
        "n = 1",
        "n = 2",
        "n = 3",
        "chance",
    }
    assert sum(bool(trace.showlegend) for trace in means) == 2


def test_learning_curves_of_what_is_not_measured_stay_empty() -> None:
    table = epochs(settings=1).assign(val_accuracy=np.nan, system="n = 1 on all")
    figure = curves.learning_curves(table)
    lengths = [(trace.name, len(trace.y)) for trace in figure.data if trace.name]
    assert lengths == [("training", 6), ("validation", 6), ("training", 6), ("validation", 0)]
    assert "accuracy" not in describe(figure).split("validation")[-1]


def test_confusion_shows_counts_and_shades_by_row() -> None:
    matrix = np.diag(np.arange(7)) + np.eye(7, k=1, dtype=int) * 3
    figure = predictions.confusion(matrix, CLASSES)
    heat, *texts = figure.data
    shown = np.full((7, 7), -1)
    for trace in texts:
        for x, y, text in zip(trace.x, trace.y, trace.text, strict=True):
            row, column = CLASSES.index(y), CLASSES.index(x)
            shown[row, column] = int(text)
            assert (heat.z[row][column] >= 0.5) == (trace.textfont.color == "#FFFFFF")
    assert (shown == matrix).all()
    assert heat.z[1][1] == pytest.approx(1 / 4)
    hover = {(y, x): list(one) for t in texts for y, x, one in zip(t.y, t.x, t.customdata, strict=True)}
    assert hover[CLASSES[1], CLASSES[2]] == [3, 4, 3 / 4]


def test_accuracy_intervals_are_drawn_and_leaks_marked() -> None:
    figure = accuracy.accuracy_intervals(RUNS)
    dots = figure.data
    assert len(dots) == 3
    for trace in dots:
        row = RUNS.iloc[trace.y[0]]
        assert trace.x[0] == row["accuracy"]
        color, shape = systems.system_mark(row["system"])
        assert trace.marker.symbol == (f"{shape}-open" if row["leaks"] else shape)
        assert trace.marker.color == color
        if row["low"] == row["low"]:
            assert trace.x[0] - trace.error_x.arrayminus[0] == pytest.approx(row["low"])
            assert trace.x[0] + trace.error_x.array[0] == pytest.approx(row["high"])
        else:
            assert np.isnan(trace.error_x.array[0])
            assert "to" not in trace.hovertemplate.split("<br>")[1]
    assert figure.layout.shapes[0].x0 == CHANCE
    axis = figure.layout.yaxis
    written = {text.replace("<br>", " "): y for text, y in zip(axis.ticktext, axis.tickvals, strict=True)}
    assert written["ResNet18, n = 2 · reshuffle"] == 0
    assert written["BDNN · group"] == 2
    assert [note.text for note in figure.layout.annotations] == ["chance"]
    assert "reshuffle 60.0 % (55.0 % to 65.0 %) (leaks)" in describe(figure)
    alike = accuracy.accuracy_intervals(RUNS, under="group, k = 5")
    assert alike.layout.xaxis.title.text == "Validation accuracy (%)<br>group, k = 5"


def test_the_paper_stands_beside_what_was_measured() -> None:
    figure = accuracy.paper_vs_here(PAPER)
    named = {trace.name: trace for trace in figure.data}
    assert list(named) == ["reshuffle (leaks)", "group", "paper"]
    assert list(named["paper"].x) == [0.4324, 0.19]
    assert named["group"].x[0] - named["group"].error_x.arrayminus[0] == pytest.approx(0.26)
    assert named["group"].y[0] != named["reshuffle (leaks)"].y[0]
    assert "n = 2: paper 43.2 %, here under reshuffle 50.0 %, here under group 30.0 %" in describe(figure)


def test_reliability_shows_its_table() -> None:
    table = metrics.reliability(PROBABILITIES, LABELS)
    figure = predictions.reliability(table)
    assert list(figure.data[1].y) == table["accuracy"].tolist()
    assert np.allclose(figure.data[1].y + figure.data[1].error_y.array, table["high"])
    assert list(figure.data[2].y) == table["images"].tolist()
    softer = metrics.reliability(metrics.apply_temperature(PROBABILITIES, 2.0), LABELS)
    both = predictions.reliability(table, softer)
    named = {trace.name: trace for trace in both.data if trace.name}
    assert list(named["as the networks give them"].y) == table["accuracy"].tolist()
    assert list(named["with temperatures"].x) == softer["confidence"].tolist()
    assert list(both.data[-1].y) == softer["images"].tolist()
    assert "with temperatures confidence lies" in describe(both)


def test_probabilities_stand_in_the_order_of_the_classes_with_the_highest_one_full() -> None:
    bars = predictions.probabilities(PROBABILITIES[0], CLASSES)
    top = int(PROBABILITIES[0].argmax())
    (rows,) = bars.to_dict()["datasets"].values()
    assert [row["class"] for row in rows] == list(CLASSES)
    assert [row["probability"] for row in rows] == PROBABILITIES[0].tolist()
    assert [row["strong"] for row in rows] == [index == top for index in range(len(CLASSES))]
    assert describe(bars).startswith(f"Probabilities: {rows[top]['said']}, ")
    assert all(f">{row['said']}<" in vl_convert.vegalite_to_svg(on_white(bars).to_dict()) for row in rows)


def test_status_bars_carry_wilson_intervals() -> None:
    spec = data.status_bars(FACES).to_dict()
    (rows,) = spec["datasets"].values()
    assert len(rows) == 14
    for row in rows:
        assert (row["low"], row["high"]) == pytest.approx(metrics.wilson(row["images"], 35))
        assert row["share"] == pytest.approx(row["images"] / 35)
    assert "none 35 (14.3 %)" in spec["usermeta"]["alt"]


def test_many_groups_become_a_table_of_shades() -> None:
    def mark(parts: int) -> str:
        table = pd.DataFrame(
            [(name, f"m{part}", 2) for name in CLASSES for part in range(parts)],
            columns=["class", "part", "images"],
        )
        return data.class_bars(table).data[0].type

    assert (mark(1), mark(3), mark(30)) == ("bar", "bar", "heatmap")
    text = describe(data.class_bars(COUNTS))
    assert "angry 2" in text
    assert "56 in all" in text


def test_differences_are_drawn_in_points() -> None:
    svg = vl_convert.vegalite_to_svg(on_white(ALTAIR["differences"]()).to_dict())
    assert all(f">{sign}<" in svg for sign in ("−10", "0", "+10", "+20"))


def test_losses_are_means_of_the_folds_with_their_extremes() -> None:
    table = comparators.direction_losses(two_losses())
    forward = table[(table["part"] == "training") & table["direction"].str.startswith("forward")]
    assert forward[["epoch", "loss", "low", "high"]].to_numpy().tolist() == [
        [e, 1.5, 1.0, 2.0] for e in (1, 2, 3)
    ]
    assert len(table) == 2 * 2 * 3


def test_mean_distances_and_the_nearest_prototype_by_plain_loops() -> None:
    table = comparators.distance_table(PROBABILITIES, LABELS)
    assert len(table) == 49
    for row in table.to_dict("records"):
        index, other = CLASSES.index(row["class"]), CLASSES.index(row["prototype"])
        part = [values for values, label in zip(PROBABILITIES, LABELS, strict=True) if label == index]
        means = [np.mean([values[c] for values in part]) for c in range(7)]
        assert row["distance"] == pytest.approx(means[other])
        assert row["nearest"] == (other == int(np.argmin(means)))
        assert row["images"] == len(part)


def test_a_long_profile_is_averaged_over_neighbours() -> None:
    prototypes = np.arange(7 * 1000, dtype=float).reshape(7, 1000)
    table = comparators.profile_table(prototypes)
    assert table.groupby("class").size().max() <= comparators.MOST_POINTS
    first = table[table["class"] == CLASSES[0]].iloc[0]
    assert first["value"] == pytest.approx(prototypes[0, : -(-1000 // comparators.MOST_POINTS)].mean())
    assert len(comparators.profile_table(prototypes[:, :50])) == 7 * 50


def test_loading_leaves_heavy_libraries_out() -> None:
    heavy = "{'altair', 'plotly', 'streamlit', 'torch', 'sklearn', 'statsmodels'}"
    code = f"import sys; from fer_core.results import charts; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
