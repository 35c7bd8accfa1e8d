"""Figures of the comparators: the tables behind them by hand, and each rendered as people save it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fer_core.config.run import CLASSES
from fer_core.results import charts
from fer_core.results.charts.comparators import MOST_POINTS

vl_convert = pytest.importorskip("vl_convert")


def epochs() -> pd.DataFrame:
    rows = [
        {
            "seed": 0,
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


def distances() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.uniform(0.5, 2.0, (40, len(CLASSES))), np.arange(40) % len(CLASSES)


def drawn() -> dict[str, object]:
    ladder = pd.DataFrame(
        {
            "protocol": ["stratified", "group"],
            "title": ["Stratified k-fold", "By-group k-fold"],
            "accuracy": [0.6, 0.3],
            "low": [0.5, 0.2],
            "high": [0.7, 0.4],
            "leaks": [True, False],
        }
    )
    differences = pd.DataFrame(
        {
            "class": CLASSES,
            "difference": 0.1,
            "low": -0.1,
            "high": 0.2,
            "images": 6,
            "first": 0.1,
            "second": 0.2,
        }
    )
    return {
        "losses": charts.two_directions(charts.direction_losses(epochs())),
        "differences": charts.class_differences(differences),
        "profiles": charts.profiles(charts.profile_table(np.ones((7, 30)))),
        "distances": charts.distance_map(charts.distance_table(*distances())),
        "ladder": charts.protocol_ladder(ladder),
    }


@pytest.mark.parametrize("name", list(drawn()))
def test_every_figure_renders_and_says_what_it_shows(name: str) -> None:
    figure = drawn()[name]
    document = charts.on_page(figure, "light").to_dict()
    assert vl_convert.vegalite_to_svg(document).startswith("<svg")
    assert vl_convert.vegalite_to_png(document)[:4] == b"\x89PNG"
    assert len(charts.describe(figure)) > 30


def test_differences_are_drawn_in_points() -> None:
    svg = vl_convert.vegalite_to_svg(charts.on_page(drawn()["differences"], "light").to_dict())
    assert all(f">{sign}<" in svg for sign in ("−10", "0", "+10", "+20"))


def test_losses_are_means_of_the_folds_with_their_extremes() -> None:
    table = charts.direction_losses(epochs())
    forward = table[(table["part"] == "training") & table["direction"].str.startswith("forward")]
    assert forward[["epoch", "loss", "low", "high"]].to_numpy().tolist() == [
        [e, 1.5, 1.0, 2.0] for e in (1, 2, 3)
    ]
    assert len(table) == 2 * 2 * 3


def test_mean_distances_and_the_nearest_prototype_by_plain_loops() -> None:
    values, labels = distances()
    table = charts.distance_table(values, labels)
    for row in table.to_dict("records"):
        index, other = CLASSES.index(row["class"]), CLASSES.index(row["prototype"])
        means = [
            np.mean([v[c] for v, label in zip(values, labels, strict=True) if label == index])
            for c in range(7)
        ]
        assert row["distance"] == pytest.approx(means[other])
        assert row["nearest"] == (other == int(np.argmin(means)))


def test_a_long_profile_is_averaged_over_neighbours() -> None:
    prototypes = np.arange(7 * 1000, dtype=float).reshape(7, 1000)
    table = charts.profile_table(prototypes)
    assert table.groupby("class").size().max() <= MOST_POINTS
    first = table[table["class"] == CLASSES[0]].iloc[0]
    assert first["value"] == pytest.approx(prototypes[0, : -(-1000 // MOST_POINTS)].mean())
    assert len(charts.profile_table(prototypes[:, :50])) == 7 * 50


def test_faces_as_squares_keep_their_gray_values() -> None:
    faces = np.zeros((7, 2, 2))
    faces[0, 0, 1] = 1.0
    text = charts.faces_svg(faces, cell=3)
    assert text.count("<rect") == 7 * 4
    assert '<rect x="3" y="0" width="3" height="3" fill="rgb(255,255,255)"/>' in text
