"""What all figures share: colours that mean one thing, a look for light and dark pages, and texts for screen readers.

The colours are Okabe and Ito's, which colour-blind readers can tell apart (Okabe and Ito 2008), without their
yellow, too faint on white, and black, unseen on dark. Backgrounds are transparent, and the colour of texts is
left to the page's theme; figures that leave the dashboard take `INK`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fer_core.config.run import CLASSES

if TYPE_CHECKING:
    import altair as alt
    import plotly.graph_objects as go

BLUE, SKY, GREEN, ORANGE, VERMILLION, PURPLE = (
    "#0072B2",
    "#56B4E9",
    "#009E73",
    "#E69F00",
    "#D55E00",
    "#CC79A7",
)
GREY = "#8A9499"
#: Darker than `GREY`, which looks like `PURPLE` to readers without green cones.
SLATE = "#6C7276"
PALETTE: tuple[str, ...] = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION)

#: Texts and grids where no page's theme sets them.
TEXT, GRID = "#76838A", "rgba(128, 140, 146, 0.22)"
FONT = "'Source Sans', 'Source Sans Pro', sans-serif"
#: Text on a page known to be light or dark, for figures that leave the dashboard.
INK: dict[str, str] = {"light": "#25343B", "dark": "#E3EAED"}

CLASS_COLORS: dict[str, str] = {
    "angry": VERMILLION,
    "disgust": GREEN,
    "fear": PURPLE,
    "happy": ORANGE,
    "neutral": SLATE,
    "sad": BLUE,
    "surprise": SKY,
}
PART_COLORS: dict[str, str] = {"training": BLUE, "validation": VERMILLION}
STATUS_COLORS: dict[str, str] = {
    "found": BLUE,
    "several": SKY,
    "low-confidence": ORANGE,
    "none": VERMILLION,
    "manual": GREEN,
    "unreadable": GREY,
}
PROTOCOL_COLORS: dict[str, str] = {
    "group": BLUE,
    "spi": GREEN,
    "fixed": SKY,
    "clip": ORANGE,
    "stratified": PURPLE,
    "reshuffle": VERMILLION,
    "unseen": SLATE,
}
#: Shades of cells and, up to the middle one and from it on, the texts that read on them. Opaque, so that they
#: read on light and dark pages alike.
SHADES = ("#D3E3EC", "#2F82B3", "#00395A")
ON_SHADES = ("#10202A", "#FFFFFF")
#: A heat map of them.
SHADED: dict[str, Any] = {"colorscale": list(SHADES), "showscale": False, "xgap": 2, "ygap": 2}
#: Accuracy of a guess among the seven classes.
CHANCE = 1 / 7


def finish(figure: go.Figure, alt: str, *, height: int, legend: bool = False, top: int = 12) -> go.Figure:
    """Give a Plotly figure the common look and the sentence that `describe` returns.

    Height and top margin are in pixels; a legend needs a top margin of about 36.
    """
    import plotly.graph_objects as go

    axis = {
        "gridcolor": GRID,
        "zerolinecolor": GRID,
        "linecolor": GRID,
        "automargin": True,
        "title_standoff": 8,
        "ticklabelstandoff": 4,
        "ticks": "",
    }
    figure.update_layout(
        template=go.layout.Template(
            layout={
                "font": {"family": FONT, "size": 13, "color": TEXT},
                "paper_bgcolor": "rgba(0,0,0,0)",
                "plot_bgcolor": "rgba(0,0,0,0)",
                "xaxis": axis,
                "yaxis": axis,
                "hoverlabel": {"font_family": FONT},
                "modebar": {
                    "bgcolor": "rgba(0,0,0,0)",
                    "color": GREY,
                    "activecolor": TEXT,
                    "remove": ["select2d", "lasso2d", "zoomin", "zoomout", "autoscale"],
                },
            }
        ),
        height=height,
        margin={"l": 8, "r": 12, "t": top, "b": 8},
        showlegend=legend,
        legend={
            "orientation": "h",
            "x": 0,
            "y": 0.995,
            "yref": "container",
            "yanchor": "top",
            "title_text": "",
        },
        meta={"alt": alt},
    )
    return figure


def mark(symbol: str, color: str, *, hollow: bool = False, size: int = 10) -> dict[str, Any]:
    """Return a Plotly marker; figures of protocols that leak are hollow."""
    end, width = ("-open", 2.4) if hollow else ("", 0)
    return {"symbol": symbol + end, "size": size, "color": color, "line_width": width}


def interval_bar(value: Any, low: Any, high: Any, **look: Any) -> dict[str, Any]:
    """Return Plotly's error bar of values from `low` to `high`, arrays of equal length; NaN draws none."""
    return {"type": "data", "symmetric": False, "array": high - value, "arrayminus": value - low} | look


def present_classes(names: Iterable[str]) -> list[str]:
    """Return those of the seven classes that are among the names, in their order."""
    known = set(names)
    return [name for name in CLASSES if name in known]


def name_axis(field: str, order: Sequence[str], **axis: Any) -> alt.Y:
    """Return an Altair axis of names down the side, without a line or ticks."""
    import altair as alt

    axis = {"domain": False, "ticks": False, "labelPadding": 8} | axis
    return alt.Y(field, sort=list(order), title=None, axis=alt.Axis(**axis))


def color_of(field: str, known: Mapping[str, str], legend: alt.Legend | None = None) -> alt.Color:
    """Return Altair's colour by a field whose values each have a colour."""
    import altair as alt

    scale = alt.Scale(domain=list(known), range=list(known.values()))
    return alt.Color(field, scale=scale, legend=legend)


def finish_altair(chart: Any, alt: str) -> Any:
    """Give an Altair chart the common look and the sentence that `describe` returns."""
    return _configured(chart.properties(usermeta={"alt": alt}, background="transparent"), {})


def on_white(chart: Any) -> Any:
    """Return a copy of an Altair chart for files, on white; in the dashboard the page's theme colours it."""
    ink = {"labelColor": INK["light"], "titleColor": INK["light"]}
    return _configured(chart.copy(deep=False).properties(background="white"), ink)


def _configured(chart: Any, ink: dict[str, str]) -> Any:
    lines = {"gridColor": GRID, "domainColor": GRID, "tickColor": GRID}
    texts = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
    return (
        chart.configure(font=FONT)
        .configure_view(stroke=None)
        .configure_axis(titlePadding=8, **lines, **texts, **ink)
        .configure_legend(orient="top", **texts, **ink)
        .configure_header(title=None, labelFontSize=13, labelFontWeight="bold", **ink)
    )


def describe(figure: Any) -> str:
    """Return what a Plotly or Altair figure shows in a sentence or two, for screen readers and captions."""
    if hasattr(figure, "update_layout"):
        return str(figure.layout.meta["alt"])
    return str(figure.usermeta["alt"])  # as its description it would clash with the page's own `alt`
