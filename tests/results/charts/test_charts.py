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
from fer_core.results import charts
from fer_core.results.charts.style import CHANCE

RNG = np.random.default_rng(5)


def epochs(settings: int = 3, folds: int = 4, length: int = 6) -> pd.DataFrame:
    rows = [
        {"unfreeze": n, "seed": seed, "fold": fold, "epoch": epoch}
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
        "system": ["ResNet18, n = 2", "ResNet18, n = 2", "BDNN"],
        "protocol": ["reshuffle", "group", "group"],
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

PLOTLY = {
    "learning_curves": lambda: charts.learning_curves(epochs()),
    "accuracy_intervals": lambda: charts.accuracy_intervals(RUNS),
    "paper_vs_here": lambda: charts.paper_vs_here(PAPER),
    "confusion": lambda: charts.confusion(metrics.confusion(LABELS, LABELS), CLASSES),
    "probabilities": lambda: charts.probabilities(PROBABILITIES[0], CLASSES),
    "reliability": lambda: charts.reliability(metrics.reliability(PROBABILITIES, LABELS)),
}
ALTAIR = {
    "class_bars": lambda: charts.class_bars(COUNTS),
    "status_bars": lambda: charts.status_bars(FACES),
    "live_curve": lambda: charts.live_curve(epochs()),
}


@pytest.mark.parametrize("name", PLOTLY)
def test_plotly_figures_leave_colours_to_the_page(name: str) -> None:
    figure = PLOTLY[name]()
    layout = json.loads(figure.to_json())["layout"]
    assert layout["template"]["layout"]["paper_bgcolor"] == "rgba(0,0,0,0)"
    assert not {"paper_bgcolor", "plot_bgcolor"} & set(layout)
    assert "color" not in layout.get("font", {})
    assert "title" not in layout
    assert charts.describe(figure).endswith(".")
    light, dark = (charts.on_page(figure, page).layout.font.color for page in ("light", "dark"))
    assert light < dark
    assert figure.layout.font.color is None


@pytest.mark.parametrize("name", ALTAIR)
def test_altair_figures_render_and_leave_colours_to_the_page(name: str) -> None:
    converter = pytest.importorskip("vl_convert")
    figure = ALTAIR[name]()
    spec = figure.to_dict()
    assert spec["background"] == "transparent"
    assert "labelColor" not in spec["config"]["axis"]
    assert spec["usermeta"]["alt"] == charts.describe(figure)
    assert "description" not in spec
    assert "<svg" in converter.vegalite_to_svg(json.dumps(spec))
    assert charts.on_page(figure, "dark").to_dict()["config"]["axis"]["labelColor"] == "#E3EAED"
    assert "labelColor" not in figure.to_dict()["config"]["axis"]


def test_learning_curves_show_every_fold_and_their_mean() -> None:
    table = epochs()
    figure = charts.learning_curves(table)
    means = [trace for trace in figure.data if trace.name]
    thin = [trace for trace in figure.data if not trace.name]
    assert len(means) == len(thin) == 3 * 2 * 2  # settings, measures, parts
    first = next(trace for trace in means if trace.name == "validation")
    for epoch, shown in zip(first.x, first.y, strict=True):
        own = [r.val_loss for r in table.itertuples() if r.unfreeze == 1 and r.epoch == epoch]
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
    figure = charts.learning_curves(table, measures=("accuracy",))
    assert {trace.name: len(trace.y) for trace in figure.data if trace.name} == {
        "training": 6,
        "validation": 0,
    }
    assert "accuracy" not in charts.describe(figure).split("validation")[-1]


def test_confusion_shows_counts_and_shades_by_row() -> None:
    matrix = np.diag(np.arange(7)) + np.eye(7, k=1, dtype=int) * 3
    figure = charts.confusion(matrix, CLASSES)
    heat, *texts = figure.data
    shown = np.full((7, 7), -1)
    for trace in texts:
        for x, y, text in zip(trace.x, trace.y, trace.text, strict=True):
            row, column = CLASSES.index(y), CLASSES.index(x)
            shown[row, column] = int(text)
            assert (heat.z[row][column] >= 0.5) == (trace.textfont.color == "#FFFFFF")
    assert (shown == matrix).all()
    assert heat.z[1][1] == pytest.approx(1 / 4)
    assert "3 of 4 (75.0 %)" in heat.text[1][2]
    by_count = charts.confusion(matrix, CLASSES, normalise=False).data[0]
    assert by_count.z[1][2] == pytest.approx(3 / 6)


def test_accuracy_intervals_are_drawn_and_leaks_marked() -> None:
    figure = charts.accuracy_intervals(RUNS)
    dots = [trace for trace in figure.data if trace.x[0] is not None]
    assert len(dots) == 3
    for trace in dots:
        row = RUNS.iloc[trace.y[0]]
        assert trace.x[0] == row["accuracy"]
        color, shape = charts.system_mark(row["system"])
        assert trace.marker.symbol == (f"{shape}-open" if row["leaks"] else shape)
        assert trace.marker.color == color
        if row["low"] == row["low"]:
            assert trace.x[0] - trace.error_x.arrayminus[0] == pytest.approx(row["low"])
            assert trace.x[0] + trace.error_x.array[0] == pytest.approx(row["high"])
        else:
            assert trace.error_x.array[0] == 0
            assert "to" not in trace.hovertemplate.split("<br>")[1]
    assert figure.layout.shapes[0].x0 == CHANCE
    written = {note.text: note.y for note in figure.layout.annotations}
    assert written["ResNet18, n = 2 · reshuffle"] == 0
    assert written["BDNN · group"] == 2
    assert "reshuffle 60.0 % (55.0 % to 65.0 %) (leaks)" in charts.describe(figure)


def test_the_paper_stands_beside_what_was_measured() -> None:
    figure = charts.paper_vs_here(PAPER)
    named = {trace.name: trace for trace in figure.data}
    assert list(named) == ["here, reshuffle (leaks)", "here, group", "paper"]
    assert list(named["paper"].x) == [0.4324, 0.19]
    assert named["here, group"].x[0] - named["here, group"].error_x.arrayminus[0] == pytest.approx(0.26)
    assert named["here, group"].y[0] != named["here, reshuffle (leaks)"].y[0]
    assert "n = 2: paper 43.2 %, here under reshuffle 50.0 %, here under group 30.0 %" in charts.describe(
        figure
    )
    losses = charts.paper_vs_here(PAPER, measure="loss")
    assert "paper 0.432" in charts.describe(losses)
    assert not losses.layout.shapes


def test_reliability_and_probabilities_show_their_tables() -> None:
    table = metrics.reliability(PROBABILITIES, LABELS)
    figure = charts.reliability(table)
    assert list(figure.data[1].y) == table["accuracy"].tolist()
    assert np.allclose(figure.data[1].y + figure.data[1].error_y.array, table["high"])
    assert list(figure.data[2].y) == table["images"].tolist()
    softer = metrics.reliability(metrics.apply_temperature(PROBABILITIES, 2.0), LABELS)
    both = charts.reliability(table, softer)
    named = {trace.name: trace for trace in both.data if trace.name}
    assert list(named["as the networks give them"].y) == table["accuracy"].tolist()
    assert list(named["with temperatures"].x) == softer["confidence"].tolist()
    assert list(both.data[-1].y) == softer["images"].tolist()
    assert "with temperatures confidence lies" in charts.describe(both)
    bars = charts.probabilities(PROBABILITIES[0], CLASSES)
    assert list(bars.data[0].x) == PROBABILITIES[0].tolist()
    top = CLASSES[PROBABILITIES[0].argmax()]
    assert charts.describe(bars).startswith(f"Probabilities: {top} ")


def test_status_bars_carry_wilson_intervals() -> None:
    spec = charts.status_bars(FACES).to_dict()
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
        return charts.class_bars(table).to_dict()["mark"]["type"]

    assert (mark(1), mark(3), mark(30)) == ("bar", "bar", "rect")
    text = charts.describe(charts.class_bars(COUNTS.drop(columns="part")))
    assert "angry 2" in text
    assert "56 in all" in text


def test_classes_have_colours_of_their_own() -> None:
    assert len({charts.CLASS_COLORS[name] for name in CLASSES}) == 7


def test_loading_leaves_heavy_libraries_out() -> None:
    heavy = "{'altair', 'plotly', 'streamlit', 'torch', 'sklearn', 'statsmodels'}"
    code = f"import sys, fer_core.results.charts; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
