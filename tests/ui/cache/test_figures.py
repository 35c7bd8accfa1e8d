"""A figure that visitors share is drawn as the figure itself would be, every time, and turned into JSON once."""

from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from fer_core.results import charts
from fer_core.ui.cache.figures import chart

COUNTS = pd.DataFrame(
    {"class": ["happy", "sad", "happy"], "status": ["found", "found", "none"], "images": [3, 2, 1]}
)
RUNS = pd.DataFrame(
    {
        "label": ["ResNet-18 n=1 · group", "MLP · stratified"],
        "system": ["ResNet-18 n=1", "MLP"],
        "leaks": [False, True],
        "accuracy": [0.4, 0.5],
        "low": [0.3, float("nan")],
        "high": [0.5, float("nan")],
    }
)
FIGURES = ((charts.status_bars, COUNTS), (charts.accuracy_intervals, RUNS))


def drawn(figure: Any) -> tuple[str, list[bytes]]:
    """Return what the browser is sent of a figure: its document, names of tables left out, and the tables."""

    def page(figure: object) -> None:  # AppTest runs its source alone
        from fer_core.ui.cache.figures import draw

        draw(figure, "figure")

    app = AppTest.from_function(page, args=(figure,)).run()
    assert not app.exception
    proto = app.main[0].proto
    spec = str(proto.spec)
    tables = list(getattr(proto, "datasets", ()))
    for table in tables:
        assert table.name in spec
        spec = spec.replace(table.name, "")
    return spec, [table.data.data for table in tables]


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    st.cache_resource.clear()


@pytest.mark.parametrize(("make", "table"), FIGURES)
def test_it_is_drawn_like_the_figure_itself(make: Any, table: pd.DataFrame) -> None:
    shared = chart(make, table)
    assert chart(make, table.copy()) is shared
    expected = drawn(make(table))
    assert [drawn(shared), drawn(shared)] == [expected, expected]


def test_it_is_turned_into_json_once_and_one_of_other_data_is_another() -> None:
    turned: list[int] = []

    class Counted(go.Figure):
        def to_dict(self) -> dict[str, Any]:
            turned.append(1)
            return super().to_dict()

    first, other = (
        chart(lambda height: Counted(layout={"height": height, "meta": {"alt": ""}}), height)
        for height in (300, 400)
    )
    assert [drawn(first), drawn(first), drawn(first)] == [drawn(first)] * 3
    assert len(turned) == 1
    assert drawn(other) != drawn(first)


def test_what_is_kept_is_a_functions_own() -> None:
    tables = {make: chart(make, table) for make, table in FIGURES}
    assert len({shared.name for shared in tables.values()}) == len(FIGURES)
