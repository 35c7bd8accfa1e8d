"""Figures made once for all visitors, and what the browser is sent of them."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple
from uuid import uuid4

import streamlit as st

from fer_core.results import charts

from .finished_runs import HASHES


class Shared(NamedTuple):
    """A figure that all visitors share, so it stays as it is, and a name that no other has."""

    figure: Any
    name: str


@st.cache_resource(max_entries=256, show_spinner=False, hash_funcs=HASHES)
def chart(make: Callable[..., Any], *data: Any) -> Shared:
    """Return `make(*data)`, a function of `charts`, made once from equal data: that takes longer than a page's rest."""
    return Shared(make(*data), uuid4().hex)


def draw(figure: Any, key: str, on_click: Callable[[str], None] | None = None) -> Any:
    """Draw a Plotly or Altair figure, or a shared one, and return the figure itself; `on_click`: see `parts.figure`."""
    if isinstance(figure, Shared) and on_click is None:
        _sent(figure.name, key, figure.figure)
        return figure.figure
    figure = figure.figure if isinstance(figure, Shared) else figure
    _send(figure, key, on_click)
    return figure


@st.cache_resource(max_entries=256, show_spinner=False)
def _sent(name: str, key: str, _figure: Any) -> None:
    """Draw a figure; on later visits Streamlit sends again what it sent then, which saves turning it into JSON."""
    _send(_figure, key)


def _send(figure: Any, key: str, on_click: Callable[[str], None] | None = None) -> None:
    if not hasattr(figure, "update_layout"):
        st.altair_chart(figure, key=key, alt=charts.describe(figure))
        return
    config = {"displaylogo": False, "modeBarButtonsToRemove": []}
    alt = charts.describe(figure)
    if on_click is None:
        st.plotly_chart(figure, key=key, alt=alt, config=config)
    else:
        chosen = partial(on_click, key)
        st.plotly_chart(
            figure,
            key=key,
            alt=alt,
            config=config,
            on_select=chosen,
            selection_mode="points",
            theme="streamlit",
        )
