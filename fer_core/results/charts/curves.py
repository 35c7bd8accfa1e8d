"""Loss and accuracy over epochs."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fer_core.results.shares import percent

from .style import CHANCE, GREY, PART_COLORS, finish, finish_altair

if TYPE_CHECKING:
    import altair as alt
    import plotly.graph_objects as go

#: Measure -> (axis title, prefix-to-part is "train"/"val", tick format).
MEASURES: dict[str, tuple[str, str]] = {"loss": ("Loss (nats)", ".2f"), "accuracy": ("Accuracy (%)", ".0%")}
#: Letters in a line of a panel's heading: panels stand close, and headings must not meet.
HEADING = 16
PARTS: dict[str, str] = {"training": "train", "validation": "val"}


def learning_curves(epochs: pd.DataFrame, measures: tuple[str, ...] = ("loss", "accuracy")) -> go.Figure:
    """Draw curves of training and validation side by side, a panel per system (the paper's figure 4).

    Thin lines are folds of a seed, the thick one is their mean; chance is dotted.

    Args:
        epochs: columns system (or unfreeze), seed, fold, epoch (from 1), train_loss, val_loss (nats),
            train_accuracy, val_accuracy (0..1, NaN where not measured).
        measures: rows of panels, of 'loss' and 'accuracy'.
    """
    from plotly.subplots import make_subplots

    table = _with_system(epochs)
    systems = list(dict.fromkeys(table["system"]))
    headings = [wrap(system, HEADING) for system in systems]
    figure = make_subplots(
        rows=len(measures),
        cols=max(1, len(systems)),
        shared_xaxes=True,
        shared_yaxes=True,
        vertical_spacing=0.07,
        horizontal_spacing=0.025,
        column_titles=["<br>".join(lines) for lines in headings] if len(systems) > 1 else None,
    )
    for column, system in enumerate(systems, start=1):
        own = table[table["system"] == system]
        for row, measure in enumerate(measures, start=1):
            for part in PARTS:
                for trace in _lines(own, part, measure, legend=row == column == 1):
                    figure.add_trace(trace, row=row, col=column)
            if measure == "accuracy":
                figure.add_hline(
                    CHANCE,
                    line={"dash": "dot", "width": 1, "color": GREY},
                    annotation={"text": "chance", "font_size": 11},
                    annotation_position="bottom right",
                    row=row,
                    col=column,
                )
    last = int(table["epoch"].max()) if len(table) else 1
    # Whole epochs alone are marked, at most about six of them.
    figure.update_xaxes(range=[0.5, max(last, 2) + 0.5], tick0=0, dtick=_step(last))
    figure.update_xaxes(title_text="Epoch", row=len(measures))
    for row, measure in enumerate(measures, start=1):
        title, ticks = MEASURES[measure]
        columns = [f"{short}_{measure}" for short in PARTS.values()]
        highest = np.nanmax([table[columns].max().max(), CHANCE * 1.5])
        ticks = "~s" if highest >= 1000 else ticks  # a loss that has run away
        figure.update_yaxes(tickformat=ticks, range=[0, 1.06 * highest], row=row)
        figure.update_yaxes(title_text=title, row=row, col=1)
    if len(systems) > 1:
        figure.update_annotations(font_size=12)  # panels stand close: their headings must not meet
    figure.update_layout(hovermode="x unified")
    top = 45 + 17 * max(map(len, headings), default=0) if len(systems) > 1 else 38
    return finish(figure, _sentence(table, systems), height=70 + 200 * len(measures), legend=True, top=top)


def _step(last: int) -> int:
    """Return how many epochs lie between two marks: 1, 2 or 5 times a power of ten."""
    return next(step * 10**power for power in range(9) for step in (1, 2, 5) if step * 10**power >= last / 6)


def _lines(own: pd.DataFrame, part: str, measure: str, *, legend: bool) -> list[go.Scatter]:
    import plotly.graph_objects as go

    color, column = PART_COLORS[part], f"{PARTS[part]}_{measure}"
    folds = own.groupby(["seed", "fold"], sort=True)
    xs: list[float | None] = []
    ys: list[float | None] = []
    for _, fold in folds:
        ordered = fold.sort_values("epoch")
        xs += [*ordered["epoch"], None]
        ys += [*ordered[column], None]
    traces = []
    if len(folds) > 1:
        traces.append(
            go.Scatter(
                x=xs,
                y=ys,
                mode="lines",
                line={"color": color, "width": 1},
                opacity=0.35,
                hoverinfo="skip",
                showlegend=False,
                legendgroup=part,
            )
        )
    mean = own.groupby("epoch")[column].agg(["mean", "min", "max", "count"]).dropna().reset_index()
    shown = "%{y:.1%}" if measure == "accuracy" else "%{y:.3f}"
    spread = (
        "%{customdata[0]:.1%} to %{customdata[1]:.1%}"
        if measure == "accuracy"
        else "%{customdata[0]:.3f} to %{customdata[1]:.3f}"
    )
    traces.append(
        go.Scatter(
            x=mean["epoch"],
            y=mean["mean"],
            customdata=mean[["min", "max", "count"]],
            name=part,
            legendgroup=part,
            showlegend=legend,
            mode="lines+markers" if len(mean) < 3 else "lines",
            line={"color": color, "width": 2.6, "dash": "solid" if part == "validation" else "dash"},
            hovertemplate=f"{part} {shown}<br>folds {spread} (%{{customdata[2]}})<extra></extra>",
        )
    )
    return traces


def live_curve(epochs: pd.DataFrame) -> alt.LayerChart:
    """Draw a small validation and training curve per system while it trains: mean over folds so far.

    Args:
        epochs: as for `learning_curves`.
    """
    import altair as alt

    table = _with_system(epochs)
    long = pd.concat(
        [
            table.groupby(["system", "epoch"], sort=False)[[f"{short}_loss", f"{short}_accuracy"]]
            .mean()
            .reset_index()
            .set_axis(["system", "epoch", "loss", "accuracy"], axis=1)
            .assign(part=part)
            for part, short in PARTS.items()
        ]
    )
    # One legend for both, as the field is one: lines in their colour and dash.
    legend = alt.Legend(title=None, orient="bottom", symbolType="stroke", symbolStrokeWidth=2)
    domain = list(PART_COLORS)
    color = alt.Color(
        "part:N", scale=alt.Scale(domain=domain, range=list(PART_COLORS.values())), legend=legend
    )
    dash = alt.StrokeDash("part:N", scale=alt.Scale(domain=domain, range=[[4, 3], [1, 0]]), legend=legend)
    tooltip = [
        alt.Tooltip("system:N", title="setting"),
        alt.Tooltip("part:N"),
        alt.Tooltip("epoch:Q"),
        alt.Tooltip("loss:Q", format=".3f", title="loss (nats)"),
        alt.Tooltip("accuracy:Q", format=".1%"),
    ]
    chart = (
        alt.Chart(long)
        .mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=14))
        .encode(
            x=alt.X("epoch:Q", title="Epoch", axis=alt.Axis(format="d", tickCount=4, grid=False)),
            y=alt.Y("loss:Q", title="Loss (nats)", axis=alt.Axis(tickCount=4), scale=alt.Scale(zero=False)),
            color=color,
            strokeDash=dash,
            tooltip=tooltip,
        )
        .properties(width=210, height=110)
    )
    systems = list(dict.fromkeys(table["system"]))
    faceted = chart.facet(column=alt.Column("system:N", sort=systems, title=None), spacing=18)
    return finish_altair(faceted, _sentence(table, systems))


def _with_system(epochs: pd.DataFrame) -> pd.DataFrame:
    if "system" in epochs:
        return epochs
    return epochs.assign(system="n = " + epochs["unfreeze"].astype(str))


def _sentence(table: pd.DataFrame, systems: list[str]) -> str:
    told = []
    for system in systems:
        own = table[table["system"] == system]
        last = own[own["epoch"] == own["epoch"].max()]
        loss, accuracy = last["val_loss"].mean(), last["val_accuracy"].mean()
        figures = [] if np.isnan(loss) else [f"loss {loss:.2f}"]
        figures += [] if np.isnan(accuracy) else [f"accuracy {percent(accuracy)}"]
        told.append(
            f"{system}: validation {' and '.join(figures) or 'not measured'} at epoch {own['epoch'].max()}"
        )
    return f"Training and validation curves over epochs, mean of the folds. {'; '.join(told)}."
