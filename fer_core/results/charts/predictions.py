"""What one model says: confusion, probabilities of an image, and whether they mean what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from fer_core.results.shares import percent

from .style import BLUE, CLASS_COLORS, GREY, VERMILLION, finish

if TYPE_CHECKING:
    import plotly.graph_objects as go

#: Shades of cells and, up to the middle one and from it on, the texts that read on them. Opaque, so that they
#: read on light and dark pages alike.
SHADES = ("#D3E3EC", "#2F82B3", "#00395A")
ON_SHADES = ("#10202A", "#FFFFFF")


def confusion(matrix: ArrayLike, classes: Sequence[str], normalise: bool = True) -> go.Figure:
    """Draw a confusion matrix with its counts: rows true, columns predicted.

    Args:
        matrix: (C, C) counts.
        classes: C names.
        normalise: colour by the share of the true class instead of by the count.
    """
    import plotly.graph_objects as go

    counts = np.asarray(matrix, np.int64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shade = shares if normalise else counts / max(1, counts.max())
    names = list(classes)
    totals = counts.sum(axis=1).tolist()
    hover = [
        [
            f"true <b>{true}</b>, predicted <b>{guess}</b><br>{count} of {total} ({percent(share)})"
            for guess, count, share in zip(names, row, row_shares, strict=True)
        ]
        for true, total, row, row_shares in zip(names, totals, counts.tolist(), shares.tolist(), strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=shade,
            x=names,
            y=names,
            text=hover,
            hovertemplate="%{text}<extra></extra>",
            zmin=0,
            zmax=1,
            xgap=2,
            ygap=2,
            colorscale=[[0, SHADES[0]], [0.5, SHADES[1]], [1, SHADES[2]]],
            showscale=False,
        )
    )
    for color, inside in zip(ON_SHADES, (shade < 0.5, shade >= 0.5), strict=True):
        rows, columns = np.nonzero(inside)
        figure.add_scatter(
            x=[names[j] for j in columns.tolist()],
            y=[names[i] for i in rows.tolist()],
            text=[str(count) for count in counts[inside]],
            mode="text",
            textfont={"color": color},
            hoverinfo="skip",
        )
    figure.update_xaxes(title_text="Predicted class", showgrid=False, side="bottom")
    figure.update_yaxes(title_text="True class", showgrid=False, autorange="reversed")
    recalls = ", ".join(f"{name} {percent(shares[i, i])}" for i, name in enumerate(names) if counts[i].sum())
    alt = f"Confusion matrix of {counts.sum()} predictions. Right per class: {recalls}."
    return finish(figure, alt, height=106 + 44 * len(names), top=28)


def probabilities(values: ArrayLike, classes: Sequence[str]) -> go.Figure:
    """Draw the probabilities of one image as bars in the order of the classes, the highest one full.

    Args:
        values: (C,) in 0..1.
        classes: C names.
    """
    import plotly.graph_objects as go

    shares, names = np.asarray(values, np.float64), list(classes)
    top = int(shares.argmax())
    figure = go.Figure(
        go.Bar(
            x=shares,
            y=names,
            orientation="h",
            text=[percent(share) for share in shares],
            textposition="outside",
            cliponaxis=False,
            marker={
                "color": [CLASS_COLORS.get(name, BLUE) for name in names],
                "opacity": [1.0 if index == top else 0.55 for index in range(len(names))],
            },
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    figure.update_xaxes(
        title_text="Probability (%)",
        showgrid=True,
        tickformat=".0%",
        range=[0, 1.12],
        tickvals=[0, 0.25, 0.5, 0.75, 1],
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    order = np.argsort(-shares)[:3]
    alt = "Probabilities: " + ", ".join(f"{names[index]} {percent(shares[index])}" for index in order) + "."
    return finish(figure, alt, height=86 + 30 * len(names), top=28).update_layout(bargap=0.3)


def reliability(table: pd.DataFrame, scaled: pd.DataFrame | None = None) -> go.Figure:
    """Draw a reliability diagram: accuracy against confidence per bin with Wilson intervals, images below.

    Args:
        table: what `metrics.reliability` returns.
        scaled: the same of the probabilities after temperatures, where some were fitted.
    """
    from plotly.subplots import make_subplots

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
        marker={"size": 8, "color": color, "symbol": symbol},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": table["high"] - table["accuracy"],
            "arrayminus": table["accuracy"] - table["low"],
            "color": color,
            "thickness": 1.6,
            "width": 4,
        },
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
    import plotly.graph_objects as go

    table = table.astype({"precision": "float64", "recall": "float64", "f1": "float64"})
    figure = go.Figure()
    for name, color, symbol in (
        ("precision", BLUE, "circle"),
        ("recall", GREY, "diamond"),
        ("f1", VERMILLION, "square"),
    ):
        figure.add_scatter(
            x=table["class"],
            y=table[name],
            name=name.replace("f1", "F1"),
            mode="markers",
            marker={"size": 11, "color": color, "symbol": symbol},
            customdata=table[["support"]],
            hovertemplate="%{x}: %{y:.3f} (%{customdata[0]} images)",
        )
    figure.update_yaxes(title_text="Share", range=[-0.03, 1.03])
    alt = "Precision, recall and F1 per class."
    if table["f1"].notna().any():
        worst, lowest = min(
            zip(table["class"], table["f1"].fillna(np.inf), strict=True), key=lambda pair: pair[1]
        )
        alt += f" The lowest F1 is that of {worst}: {lowest:.2f}."
    return finish(figure, alt, height=300, legend=True, top=38)
