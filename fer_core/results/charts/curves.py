"""Loss and accuracy over epochs."""

from textwrap import wrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fer_core.results.shares import percent

from .style import CHANCE, GREY, PALETTE, PART_COLORS, finish

#: Measure -> (axis title, format of the axis).
MEASURES: dict[str, tuple[str, str]] = {"loss": ("Loss (nats)", ".2f"), "accuracy": ("Accuracy (%)", ".0%")}
#: Letters in a line of all panels' headings: panels stand close, and headings must not meet.
HEADING = 96
#: More runs than colours are told apart by their lines.
DASHES = ["solid", "dash", "dot", "dashdot", "longdash"]
PARTS: dict[str, str] = {"training": "train", "validation": "val"}


def learning_curves(table: pd.DataFrame) -> go.Figure:
    """Draw curves of training and validation side by side, a panel per system (the paper's figure 4).

    Thin lines are folds of a seed, the thick one is their mean; chance is dotted.

    Args:
        table: columns system, seed, fold, epoch (from 1), train_loss, val_loss (nats), train_accuracy,
            val_accuracy (0..1, NaN where not measured).
    """
    systems = list(dict.fromkeys(table["system"]))
    headings = [wrap(system, HEADING // len(systems)) for system in systems]
    figure = make_subplots(
        rows=len(MEASURES),
        cols=max(1, len(systems)),
        shared_xaxes=True,
        shared_yaxes=True,
        vertical_spacing=0.07,
        horizontal_spacing=0.025,
        column_titles=["<br>".join(lines) for lines in headings] if len(systems) > 1 else None,
    )
    for column, system in enumerate(systems, start=1):
        epochs = table[table["system"] == system]
        for row, measure in enumerate(MEASURES, start=1):
            for part in PARTS:
                for trace in _lines(epochs, part, measure, legend=row == column == 1):
                    figure.add_trace(trace, row=row, col=column)
            if measure == "accuracy":
                named = {
                    "annotation_text": "chance",
                    "annotation_position": "right",
                    "annotation_font_size": 11,
                }
                figure.add_hline(
                    CHANCE,
                    line={"dash": "dot", "width": 1, "color": GREY},
                    row=row,
                    col=column,
                    **(named if column == len(systems) else {}),
                )
    last = int(table["epoch"].max()) if len(table) else 1
    # Whole epochs alone are marked, at most about six of them.
    figure.update_xaxes(range=[0.5, max(last, 2) + 0.5], tick0=0, dtick=_step(last))
    figure.update_xaxes(title_text="Epoch", row=len(MEASURES))
    for row, (measure, (title, ticks)) in enumerate(MEASURES.items(), start=1):
        columns = [f"{short}_{measure}" for short in PARTS.values()]
        highest = np.nanmax([table[columns].max().max(), CHANCE * 1.5])
        ticks = "~s" if highest >= 1000 else ticks  # a loss that has run away
        figure.update_yaxes(tickformat=ticks, range=[0, 1.06 * highest], row=row)
        figure.update_yaxes(title_text=title, row=row, col=1)
    if len(systems) > 1:
        figure.update_annotations(font_size=12)  # panels stand close: their headings must not meet
    figure.update_layout(hovermode="x unified")
    top = 45 + 17 * max(map(len, headings), default=0) if len(systems) > 1 else 38
    finish(figure, _sentence(table, systems), height=70 + 200 * len(MEASURES), legend=True, top=top)
    return figure.update_layout(margin_r=52)  # for the word beside the last panel


def overlaid_curves(table: pd.DataFrame) -> go.Figure:
    """Draw the validation accuracy of several runs over each other, the mean of the folds that reached an epoch.

    Args:
        table: as for `learning_curves`.
    """
    import plotly.express as px

    systems = list(dict.fromkeys(table["system"]))
    means = table.groupby(["system", "epoch"], sort=False)["val_accuracy"].mean().reset_index()
    figure = px.line(
        means.sort_values("epoch", kind="stable"),
        x="epoch",
        y="val_accuracy",
        color="system",
        line_dash="system",
        markers=True,
        category_orders={"system": systems},
        color_discrete_sequence=list(PALETTE),
        line_dash_sequence=DASHES,
    )
    figure.update_traces(hovertemplate="epoch %{x}: %{y:.1%}")
    figure.add_hline(CHANCE, line={"dash": "dot", "width": 1, "color": GREY})
    figure.update_xaxes(title_text="Epoch", dtick=_step(int(table["epoch"].max())))
    figure.update_yaxes(title_text="Validation accuracy (%)", tickformat=".0%", rangemode="tozero")
    ends = _sentence(table, systems).partition(". ")[2]
    alt = f"Validation accuracy of {len(systems)} runs over epochs; chance is dotted. {ends}"
    return finish(figure, alt, height=320, legend=True, top=38)


def _step(last: int) -> int:
    """Return how many epochs lie between two marks: 1, 2 or 5 times a power of ten."""
    return next(step * 10**power for power in range(9) for step in (1, 2, 5) if step * 10**power >= last / 6)


def _lines(epochs: pd.DataFrame, part: str, measure: str, *, legend: bool) -> list[go.Scatter]:
    color, column = PART_COLORS[part], f"{PARTS[part]}_{measure}"
    folds = epochs.groupby(["seed", "fold"], sort=True)
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
    mean = epochs.groupby("epoch")[column].agg(["mean", "min", "max", "count"]).dropna().reset_index()
    shown = ".1%" if measure == "accuracy" else ".3f"
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
            hovertemplate=f"{part} %{{y:{shown}}}<br>folds %{{customdata[0]:{shown}}} to "
            f"%{{customdata[1]:{shown}}} (%{{customdata[2]}})<extra></extra>",
        )
    )
    return traces


def _sentence(table: pd.DataFrame, systems: list[str]) -> str:
    parts = []
    for system in systems:
        epochs = table[table["system"] == system]
        end = epochs["epoch"].max()
        last = epochs[epochs["epoch"] == end]
        loss, accuracy = last["val_loss"].mean(), last["val_accuracy"].mean()
        figures = [] if np.isnan(loss) else [f"loss {loss:.2f}"]
        figures += [] if np.isnan(accuracy) else [f"accuracy {percent(accuracy)}"]
        parts.append(f"{system}: validation {' and '.join(figures) or 'not measured'} at epoch {end}")
    return f"Training and validation curves over epochs, mean of the folds. {'; '.join(parts)}."
