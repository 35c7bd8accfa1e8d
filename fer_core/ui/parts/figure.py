"""Figures with their downloads: PNG and SVG of what is drawn, CSV of the table behind it.

Nothing is computed before its button is pressed: Streamlit asks for a file then, and Plotly's files are made by
the browser.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import pandas as pd
import streamlit as st

from fer_core.results import charts
from fer_core.storage.spreadsheets import defused_table
from fer_core.ui.cache import figures

MIME = {"png": "image/png", "svg": "image/svg+xml", "csv": "text/csv"}

#: Pixels across of an Altair chart that is as wide as the page.
WIDTH = 720

#: Plotly's own export, in the format of the button: its camera button reads the options when it is pressed. It
#: copies the figure's layout at once, so for that moment the layout is that of a white page; and its font is one
#: that files have too, where the page's own is missing. A button pressed before the figure is drawn waits for it.
#: No click but the user's reaches the page, where it would close the menu: the one on the camera doesn't bubble,
#: the one on the link that Plotly makes is stopped.
SAVE_JS = """
const TRIES = 600, PAUSE = 100;  // a minute, in ms

const FONT = { family: "Arial, Helvetica, sans-serif", color: "#25343B" };
const PAPER = { paper_bgcolor: "#FFFFFF", plot_bgcolor: "#FFFFFF" };

function onPaper(part) {
  if (Array.isArray(part)) return part.map(onPaper);
  if (part === null || typeof part !== "object") return part;
  return Object.fromEntries(Object.entries(part).map(([name, value]) => {
    if (/font$/.test(name)) return [name, { ...value, ...FONT }];
    return [name, /^(grid|line|zeroline)color$/.test(name) ? "#DDE2E5" : onPaper(value)];
  }));
}

function quietly(event) {
  if (!event.isTrusted && event.target.matches?.("a[download]")) event.stopPropagation();
}

async function drawn(figure) {
  for (let tried = 0; tried < TRIES; tried += 1) {
    const plot = document.querySelector(".st-key-" + figure + " .js-plotly-plot");
    const camera = plot && [...plot.querySelectorAll(".modebar-btn")]
      .find((one) => (one.dataset.title || one.getAttribute("aria-label") || "").startsWith("Download plot"));
    if (camera) return { plot, camera };
    await new Promise((go) => setTimeout(go, PAUSE));
  }
  throw new Error("the figure was not drawn");
}

export default function ({ parentElement, data }) {
  window.addEventListener("click", quietly, true);
  for (const format of ["png", "svg"]) {
    const button = parentElement.querySelector("." + format);
    button.onclick = async () => {
      button.disabled = true;
      const { plot, camera } = await drawn(data.figure).finally(() => { button.disabled = false; });
      const shown = plot.layout;
      plot._context.toImageButtonOptions = { format, filename: data.name, scale: 2 };
      const paper = onPaper(shown);
      plot.layout = { ...paper, font: { ...paper.font, ...FONT }, ...PAPER };
      camera.dispatchEvent(new MouseEvent("click"));
      plot.layout = shown;
    };
  }
  return () => window.removeEventListener("click", quietly, true);
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


def figure(drawn: Any, table: pd.DataFrame | Callable[[], pd.DataFrame], name: str, *, key: str = "") -> None:
    """Draw a figure and, at its lower right, a small menu that saves it as PNG, SVG and CSV.

    Args:
        drawn: of Plotly or Altair, or as `cache.figures.chart` returns it.
        table: the figures behind it, as the CSV has them, or what gathers them once they are asked for.
        name: of the files, without an ending.
        key: of the figure on its page, where `name` isn't unique there.
    """
    key = re.sub(r"[^\w-]", "-", key or name, flags=re.ASCII)  # as Streamlit writes it into the page
    drawn = figures.draw(drawn, key)
    if hasattr(drawn, "update_layout"):
        with _menu(key):
            _plot_buttons()(key=f"{key}-plot", data={"figure": key, "name": name}, width="content")
            _buttons({"csv": _csv(table)}, name, key)
        return
    save_menu({kind: _rendered(drawn, kind) for kind in ("png", "svg")} | {"csv": _csv(table)}, name, key=key)


def save_menu(files: Mapping[str, Callable[[], str | bytes]], name: str, *, key: str = "") -> None:
    """Draw the menu alone, for what is drawn by other means.

    Args:
        files: 'png', 'svg' or 'csv' -> what makes its content once it is asked for.
        name, key: as for `figure`.
    """
    with _menu(key or name):
        _buttons(files, name, key or name)


@cache
def _plot_buttons() -> Callable[..., Any]:
    return st.components.v2.component("fer_save_plot", html=SAVE_HTML, css=SAVE_CSS, js=SAVE_JS)


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
