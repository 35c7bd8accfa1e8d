"""A figure that remembers its document is drawn as the figure itself would be, every time."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from fer_core.results import charts
from fer_core.ui.cache.figures import ready

COUNTS = pd.DataFrame(
    {"class": ["happy", "sad", "happy"], "part": ["set1", "set1", "set2"], "images": [3, 2, 1]}
)
RUNS = pd.DataFrame(
    {
        "system": ["ResNet-18 n=1", "MLP"],
        "protocol": ["group", "stratified"],
        "leaks": [False, True],
        "accuracy": [0.4, 0.5],
        "low": [0.3, float("nan")],
        "high": [0.5, float("nan")],
    }
)
FIGURES = {"class_bars": COUNTS, "accuracy_intervals": RUNS}


def drawn(figure: Any) -> tuple[str, list[bytes]]:
    """Return what the browser is sent of a figure: its document, names of tables left out, and the tables."""

    def page(figure: object) -> None:  # AppTest runs its source alone
        import streamlit as st

        draw = st.plotly_chart if hasattr(figure, "update_layout") else st.altair_chart
        draw(figure)

    app = AppTest.from_function(page, args=(figure,)).run()
    assert not app.exception
    proto = app.main[0].proto
    spec = str(proto.spec)
    tables = list(getattr(proto, "datasets", ()))
    for table in tables:
        assert table.name in spec
        spec = spec.replace(table.name, "")
    return spec, [table.data.data for table in tables]


@pytest.mark.parametrize("kind", FIGURES)
def test_it_is_drawn_like_the_figure_itself(kind: str) -> None:
    plain, kept = (getattr(charts, kind)(FIGURES[kind]) for _ in range(2))
    ready(kept)
    expected = drawn(plain)
    assert drawn(kept) == expected
    assert drawn(kept) == expected, "the second time it is what was remembered"


@pytest.mark.parametrize("kind", FIGURES)
def test_its_document_is_made_once(kind: str) -> None:
    figure = ready(getattr(charts, kind)(FIGURES[kind]))
    first = figure.to_dict()
    first["added"] = True
    second = figure.to_dict()
    assert "added" not in second
    assert all(second[name] is first[name] for name in second)


@pytest.mark.parametrize("kind", FIGURES)
def test_a_copy_for_a_file_makes_its_own(kind: str) -> None:
    figure = ready(getattr(charts, kind)(FIGURES[kind]))
    before = figure.to_dict()
    on_page = charts.on_page(figure, "dark").to_dict()
    assert on_page != before
    assert figure.to_dict() == before
