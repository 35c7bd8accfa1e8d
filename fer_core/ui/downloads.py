"""Figures with their downloads: PNG and SVG of what is drawn, CSV of the table behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from .. import charts

#: Plotly's own export, in the format of the button: its camera button reads the options when it is pressed.
SAVE_JS = """
export default function ({ parentElement, data }) {
  for (const format of ["png", "svg"]) {
    const button = parentElement.querySelector("." + format);
    button.onclick = () => {
      const plot = document.querySelector(".st-key-" + data.figure + " .js-plotly-plot");
      const camera = plot && [...plot.querySelectorAll(".modebar-btn")]
        .find((one) => (one.dataset.title || one.getAttribute("aria-label") || "").startsWith("Download plot"));
      if (!camera) return;
      plot._context.toImageButtonOptions = { format, filename: data.name, scale: 2 };
      camera.dispatchEvent(new MouseEvent("click", { bubbles: true }));
    };
  }
}
"""
SAVE_HTML = '<button class="png">PNG</button><button class="svg">SVG</button>'
SAVE_CSS = """
button {font: inherit; font-size: .875rem; min-height: 2.5rem; color: var(--st-text-color);
  background: transparent; cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius, .5rem);
  padding: .25rem .75rem; margin-right: .5rem;}
button:hover, button:focus-visible {border-color: var(--st-primary-color); color: var(--st-primary-color);}
"""


def figure(drawn: Any, table: pd.DataFrame, name: str) -> None:
    """Draw a Plotly or Altair figure and, below it, buttons that save it as PNG, SVG and CSV.

    Args:
        table: the figures behind it, as the CSV has them.
        name: key of the figure on the page and name of the files: letters, digits and '-'.
    """
    if hasattr(drawn, "update_layout"):
        config = {"displaylogo": False, "displayModeBar": True, "modeBarButtonsToRemove": []}
        st.plotly_chart(drawn, key=name, alt=charts.describe(drawn), config=config)
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            save = st.components.v2.component("fer_save_plot", html=SAVE_HTML, css=SAVE_CSS, js=SAVE_JS)
            save(key=f"{name}-save", data={"figure": name, "name": name}, width="content")
            _csv(table, name)
        return
    st.altair_chart(drawn, key=name, alt=charts.describe(drawn))
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for kind, mime in (("png", "image/png"), ("svg", "image/svg+xml")):
            st.download_button(
                kind.upper(),
                _rendered(drawn, kind),
                f"{name}.{kind}",
                mime,
                key=f"{name}-{kind}",
                on_click="ignore",
            )
        _csv(table, name)


def _csv(table: pd.DataFrame, name: str) -> None:
    st.download_button(
        "CSV",
        lambda: table.to_csv(index=False),
        f"{name}.csv",
        "text/csv",
        key=f"{name}-csv",
        on_click="ignore",
    )


def _rendered(chart: Any, kind: str) -> Callable[[], bytes]:
    """Return what renders an Altair chart once its button is pressed, on white as papers are."""

    def render() -> bytes:
        import vl_convert

        document = charts.on_page(chart, "light").properties(background="white").to_dict()
        if kind == "svg":
            return vl_convert.vegalite_to_svg(document).encode()
        return vl_convert.vegalite_to_png(document, scale=2)

    return render
