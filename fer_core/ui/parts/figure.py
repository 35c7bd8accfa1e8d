"""Figures with their downloads: PNG and SVG of what is drawn, CSV of the table behind it.

Nothing is computed before its button is pressed: Streamlit asks for a file then, and Plotly's files are made by
the browser.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from fer_core.results import charts
from fer_core.storage.values import defused_table
from fer_core.ui.cache import figures

MIME = {"png": "image/png", "svg": "image/svg+xml", "csv": "text/csv"}

#: Pixels across of an Altair chart that is as wide as the page.
WIDTH = 720

HERE = Path(__file__).parent


def figure(
    drawn: Any,
    table: pd.DataFrame | Callable[[], pd.DataFrame],
    name: str,
    *,
    key: str = "",
    on_click: Callable[[str], None] | None = None,
) -> None:
    """Draw a figure and, at its lower right, a small menu that saves it as PNG, SVG and CSV.

    Args:
        drawn: of Plotly or Altair, or as `cache.figures.chart` returns it.
        table: the figures behind it, as the CSV has them, or what gathers them once they are asked for.
        name: of the files, without an ending.
        key: of the figure on its page, where `name` isn't unique there.
        on_click: called with the key once a point of a Plotly figure is clicked; what was clicked is
            `st.session_state[key].selection.points`.
    """
    key = re.sub(r"[^\w-]", "-", key or name, flags=re.ASCII)  # as Streamlit writes it into the page
    drawn = figures.draw(drawn, key, on_click)
    if hasattr(drawn, "update_layout"):
        with _menu(key):
            _plot_buttons()(key=f"{key}-plot", data={"figure": key, "name": name}, width="content")
            _buttons({"csv": _csv(table)}, name, key)
        return
    with _menu(key):
        _buttons({kind: _rendered(drawn, kind) for kind in ("png", "svg")} | {"csv": _csv(table)}, name, key)


@cache
def _plot_buttons() -> Callable[..., Any]:
    css, js = ((HERE / f"save_plot.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    html = '<button class="png">PNG</button><button class="svg">SVG</button>'
    return st.components.v2.component("fer_save_plot", html=html, css=css, js=js)


def _menu(key: str) -> Any:
    with st.container(horizontal=True, horizontal_alignment="right", key=f"{key}-save"):
        menu = st.popover("Save", icon=":material/download:", type="tertiary")
    return menu.container(horizontal=True, gap="small", vertical_alignment="center")


def _buttons(files: Mapping[str, Callable[[], str | bytes]], name: str, key: str) -> None:
    for kind, content in files.items():
        st.download_button(
            kind.upper(), content, f"{name}.{kind}", MIME[kind], key=f"{key}-{kind}", on_click="ignore"
        )


def _csv(table: pd.DataFrame | Callable[[], pd.DataFrame]) -> Callable[[], str]:
    return lambda: defused_table(table() if callable(table) else table).to_csv(index=False)


def _rendered(chart: Any, kind: str) -> Callable[[], str | bytes]:
    """Return what renders an Altair chart once its button is pressed, on white as papers are."""

    def render() -> str | bytes:
        import vl_convert

        document = charts.on_white(chart).to_dict()
        if document.get("width") == "container":
            document["width"] = WIDTH
        if kind == "svg":
            return vl_convert.vegalite_to_svg(document)
        return vl_convert.vegalite_to_png(document, scale=2)

    return render
