"""What one model says: confusion, probabilities of an image, and whether they mean what they say."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike
from plotly.subplots import make_subplots

from fer_core.results.shares import percent

from .style import (
    BLUE,
    CLASS_COLORS,
    GREY,
    ON_SHADES,
    SHADED,
    VERMILLION,
    color_of,
    finish,
    finish_altair,
    interval_bar,
    mark,
    name_axis,
)


def confusion(matrix: ArrayLike, classes: Sequence[str]) -> go.Figure:
    """Draw a confusion matrix with its counts: rows true, columns predicted, shaded by share of the true class.

    Args:
        matrix: (C, C) counts.
        classes: C names.
    """
    counts = np.asarray(matrix, np.int64)
    totals = np.broadcast_to(counts.sum(axis=1, keepdims=True), counts.shape)
    shares = counts / np.maximum(totals, 1)
    names = list(classes)
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=names,
            y=names,
            hoverinfo="skip",
            zmin=0,
            zmax=1,
            **SHADED,
        )
    )
    for color, inside in zip(ON_SHADES, (shares < 0.5, shares >= 0.5), strict=True):
        rows, columns = np.nonzero(inside)
        figure.add_scatter(
            x=[names[j] for j in columns.tolist()],
            y=[names[i] for i in rows.tolist()],
            text=[str(count) for count in counts[inside]],
            mode="markers+text",  # a heat map's own cells can't be chosen
            marker={"size": 34, "symbol": "square", "opacity": 0},
            textfont={"color": color},
            selected={"textfont": {"color": color}},
            unselected={"textfont": {"color": color}},
            customdata=np.stack([counts[inside], totals[inside], shares[inside]], axis=-1),
            hovertemplate="true <b>%{y}</b>, predicted <b>%{x}</b><br>%{customdata[0]} of %{customdata[1]} "
            "(%{customdata[2]:.1%})<extra></extra>",
        )
    figure.update_xaxes(title_text="Predicted class", showgrid=False, side="bottom")
    figure.update_yaxes(title_text="True class", showgrid=False, autorange="reversed")
    recalls = ", ".join(f"{name} {percent(shares[i, i])}" for i, name in enumerate(names) if counts[i].sum())
    alt = f"Confusion matrix of {counts.sum()} predictions. Right per class: {recalls}."
    return finish(figure, alt, height=106 + 44 * len(names), top=28)


def probabilities(values: ArrayLike, classes: Sequence[str]) -> Any:
    """Draw the probabilities of one image as bars in the order of the classes, the highest one full.

    In Altair, for what a first answer waits for is the browser reading Plotly.

    Args:
        values: (C,) in 0..1.
        classes: C names.
    """
    import altair as alt

    shares = np.asarray(values, np.float64)
    said = [f"{name} {percent(share)}" for name, share in zip(classes, shares, strict=True)]
    table = pd.DataFrame({"class": list(classes), "said": said, "probability": shares})
    chart = (
        alt.Chart(table.assign(strong=shares == shares.max()))
        .mark_bar(height={"band": 0.7})
        .encode(
            x=alt.X(
                "probability:Q",
                title=None,
                axis=alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]),
                scale=alt.Scale(domain=[0, 1]),
            ),
            y=name_axis("said:N", said),
            color=color_of("class:N", CLASS_COLORS),
            opacity=alt.condition("datum.strong", alt.value(1), alt.value(0.55)),
            tooltip=alt.Tooltip("said:N", title="probability"),
        )
        .properties(width="container", height=27 * len(table))
    )
    order = np.argsort(-shares)[:3]
    words = ", ".join(said[index] for index in order.tolist())
    return finish_altair(chart, f"Probabilities: {words}.")


def reliability(table: pd.DataFrame, scaled: pd.DataFrame | None = None) -> go.Figure:
    """Draw a reliability diagram: accuracy against confidence per bin with intervals where there are any, images below.

    Args:
        table: what `metrics.reliability` returns.
        scaled: the same of the probabilities after temperatures, where some were fitted.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.76, 0.24], vertical_spacing=0.06)
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"dash": "dash", "width": 1.2, "color": GREY},
        name="perfectly calibrated",
        hoverinfo="skip",
        row=1,
        col=1,
    )
    if scaled is None:
        _reliability_of(figure, table, "this run, 95 % interval", BLUE, "circle")
    else:
        _reliability_of(figure, table, "as the networks give them", BLUE, "circle")
        _reliability_of(figure, scaled, "with temperatures", VERMILLION, "square")
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(range=[0, 1.01], tickformat=".0%")
    figure.update_xaxes(title_text="Confidence: highest probability (%)", row=2)
    figure.update_yaxes(title_text="Accuracy (%)", range=[0, 1.02], tickformat=".0%", row=1)
    figure.update_yaxes(title_text="Images", nticks=3, row=2)
    alt = f"Reliability over {table['images'].sum()} images: {_gap(table)}"
    alt += "." if scaled is None else f"; with temperatures {_gap(scaled)}."
    return finish(figure, alt, height=420, legend=True, top=38)


def _reliability_of(figure: go.Figure, table: pd.DataFrame, name: str, color: str, symbol: str) -> None:
    """Add one set of probabilities: line and intervals above, its images as the outline of bars below."""
    figure.add_scatter(
        x=table["confidence"],
        y=table["accuracy"],
        mode="lines+markers",
        name=name,
        line={"color": color, "width": 1.2},
        marker=mark(symbol, color, size=8),
        error_y=interval_bar(
            table["accuracy"], table["low"], table["high"], color=color, thickness=1.6, width=4
        ),
        customdata=table[["lower", "upper", "images", "low", "high"]],
        hovertemplate="confidence %{x:.1%} on average<br>accuracy %{y:.1%} (%{customdata[3]:.1%} to "
        "%{customdata[4]:.1%})<br>%{customdata[2]} images from %{customdata[0]:.0%} to %{customdata[1]:.0%}"
        "<extra></extra>",
        row=1,
        col=1,
    )
    figure.add_bar(
        x=(table["lower"] + table["upper"]) / 2,
        y=table["images"],
        width=(table["upper"] - table["lower"]) * 0.92,
        marker={"color": "rgba(0,0,0,0)", "line_color": color, "line_width": 1.6},
        hovertemplate="%{y} images<extra></extra>",
        showlegend=False,
        row=2,
        col=1,
    )


def _gap(table: pd.DataFrame) -> str:
    gap = ((table["confidence"] - table["accuracy"]) * table["images"]).sum() / table["images"].sum()
    return f"confidence lies {percent(abs(gap))} {'above' if gap > 0 else 'below'} accuracy on average"


def per_class_figures(table: pd.DataFrame) -> go.Figure:
    """Draw precision, recall and F1 of each class as dots side by side.

    Args:
        table: what `metrics.per_class` returns; figures that are undefined (NaN) are left out.
    """
    import plotly.express as px

    table = table.astype(dict.fromkeys(("precision", "recall", "f1"), "float64"))
    named = table.rename(columns={"f1": "F1"})
    figure = px.scatter(
        named.melt(["class", "support"], ["precision", "recall", "F1"], var_name="figure"),
        x="class",
        y="value",
        color="figure",
        symbol="figure",
        custom_data="support",
        color_discrete_sequence=[BLUE, GREY, VERMILLION],
        symbol_sequence=["circle", "diamond", "square"],
    )
    figure.update_traces(marker_size=11, hovertemplate="%{x}: %{y:.3f} (%{customdata[0]} images)")
    figure.update_xaxes(title_text=None)
    figure.update_yaxes(title_text="Share", range=[-0.03, 1.03])
    alt = "Precision, recall and F1 per class."
    if table["f1"].notna().any():
        worst = table.nsmallest(1, "f1").to_dict("records")[0]
        alt += f" The lowest F1 is that of {worst['class']}: {worst['f1']:.2f}."
    return finish(figure, alt, height=300, legend=True, top=38)


def face_map(table: pd.DataFrame, by: str) -> Any:
    """Draw faces as points, coloured by a column; a frame drawn around some selects them (`around`).

    Args:
        table: columns x, y, name, true, said, confidence, `by`, and image, the URL of a picture that is shown
            where one points.
    """
    import altair as alt

    values = sorted(table[by].astype(str).unique())
    colours = {**CLASS_COLORS, "right": BLUE, "wrong": VERMILLION}
    if colours.keys() >= set(values):
        scale = alt.Scale(domain=values, range=[colours[value] for value in values])
    else:
        scale = alt.Scale(scheme="tableau20")
    shown = ["image", "true", "said", alt.Tooltip("confidence:Q", format=".2f"), "group", "name"]
    axis = alt.Axis(labels=False, ticks=False, domain=False, title=None)
    chart = (
        alt.Chart(table)
        .mark_circle(size=70, opacity=0.8)
        .encode(
            x=alt.X("x:Q", axis=axis, scale=alt.Scale(zero=False)),
            y=alt.Y("y:Q", axis=axis, scale=alt.Scale(zero=False)),
            color=alt.Color(f"{by}:N", title=None, scale=scale, legend=alt.Legend(columns=4)),
            tooltip=shown,
        )
        .properties(width="container", height=440)
        .add_params(alt.selection_interval(name="around"))
    )
    return finish_altair(
        chart, f"Map of {len(table)} faces by what enters the network's head, coloured by {by}."
    )


def face_lasso(table: pd.DataFrame, by: str) -> go.Figure:
    """Draw the points of `face_map` for a lasso: without pictures, a point's `customdata` begins with its name."""
    colours = {**CLASS_COLORS, "right": BLUE, "wrong": VERMILLION}
    figure = go.Figure()
    for value, rows in table.groupby(table[by].astype(str)):
        figure.add_scatter(
            x=rows["x"],
            y=rows["y"],
            name=str(value),
            mode="markers",
            marker={"size": 9, "opacity": 0.8, "color": colours.get(str(value))},
            customdata=rows[["name", "true", "said", "group"]],
            hovertemplate="true %{customdata[1]}, said %{customdata[2]}<br>%{customdata[3]}<extra></extra>",
        )
    figure.update_layout(dragmode="lasso")
    alt = f"Map of {len(table)} faces by what enters the network's head, coloured by {by}, for a lasso."
    finish(figure, alt, height=440, legend=True, top=48)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure
