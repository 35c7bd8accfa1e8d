"""What a data set holds and what became of its frames in face detection."""

import altair as alt
import pandas as pd
import plotly.graph_objects as go

from fer_core.evaluation.metrics import wilson_intervals
from fer_core.results.shares import percent

from .style import (
    CLASS_COLORS,
    PALETTE,
    SHADED,
    STATUS_COLORS,
    color_of,
    finish,
    finish_altair,
    name_axis,
    present_classes,
)

#: Parts beyond which stacked colours can't be distinguished, and a table of shades is drawn instead.
MOST_STACKED = len(PALETTE)


def class_bars(counts: pd.DataFrame) -> go.Figure:
    """Draw the number of images per class, stacked by split where there are few parts, else class by group.

    Args:
        counts: columns class, part (split or group; one value for a data set without) and images, a row a pair.
    """
    parts, totals = list(dict.fromkeys(counts["part"])), counts.groupby("class")["images"].sum()
    order = present_classes(totals.index)
    table = counts.pivot_table(index="part", columns="class", values="images", aggfunc="sum", fill_value=0)[
        order
    ]
    figure = go.Figure()
    if len(parts) > MOST_STACKED:
        figure.add_heatmap(z=table, x=order, y=table.index, **SHADED)
        figure.update_traces(hovertemplate="%{y}, %{x}: %{z:,} images<extra></extra>")
        figure.update_xaxes(side="top", showgrid=False)
        height = 80 + 18 * len(parts)
    else:
        names = [f"{name} ({totals[name]:,})" for name in order]
        for part, color in zip(parts, PALETTE, strict=False):
            colors = color if len(parts) > 1 else [CLASS_COLORS[name] for name in order]
            figure.add_bar(y=names, x=table.loc[part], name=part, orientation="h", marker_color=colors)
        figure.update_traces(hovertemplate="%{y}: %{x:,} images")
        figure.update_xaxes(title_text="Images", showgrid=True)
        height = 86 + 30 * len(order)
    figure.update_layout(barmode="stack", legend_traceorder="normal")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    words = ", ".join(f"{name} {totals[name]}" for name in order)
    alt = f"Images per class: {words}; {totals.sum()} in all" + f", in {len(parts)} parts" * (len(parts) > 1)
    return finish(figure, f"{alt}.", height=height, legend=1 < len(parts) <= MOST_STACKED, top=36)


def status_bars(faces: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw per class what became of its frames: a panel per status, its share with a 95 % Wilson interval.

    Args:
        faces: columns class, status (`faces.crops.STATUSES`) and images; statuses no frame has are left out.
    """
    table = _status_shares(faces)
    statuses = [name for name in STATUS_COLORS if name in set(table["status"])]
    order = present_classes(table["class"])
    color = color_of("status:N", STATUS_COLORS)
    tooltip = [
        alt.Tooltip("class:N"),
        alt.Tooltip("status:N"),
        alt.Tooltip("images:Q"),
        alt.Tooltip("total:Q", title="of"),
        alt.Tooltip("share:Q", format=".1%"),
        alt.Tooltip("low:Q", format=".1%", title="95 % from"),
        alt.Tooltip("high:Q", format=".1%", title="to"),
    ]
    base = alt.Chart(table).encode(y=name_axis("class:N", order), tooltip=tooltip)
    x = alt.X(
        "share:Q",
        title="Share of frames (%)",
        axis=alt.Axis(format="%", tickCount=3),
        scale=alt.Scale(domainMin=0),
    )
    layers = alt.layer(
        base.mark_bar(height={"band": 0.6}, opacity=0.55).encode(x=x, color=color),
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q", color=color),
    ).properties(width=130, height=24 * len(order))
    chart = layers.facet(column=alt.Column("status:N", sort=statuses, title=None), spacing=16)
    sums = table.groupby("status")["images"].sum()
    total = int(sums.sum())
    said = ", ".join(f"{name} {sums[name]} ({percent(sums[name] / total)})" for name in statuses)
    return finish_altair(chart, f"What became of {total} frames in face detection, per class: {said}.")


def _status_shares(faces: pd.DataFrame) -> pd.DataFrame:
    """Return class, status, images, total (of the class), share, low, high for every pair of those met."""
    counts = faces.pivot_table(index="class", columns="status", values="images", aggfunc="sum", fill_value=0)
    table = counts.reset_index().melt("class", value_name="images")
    total = table.groupby("class")["images"].transform("sum")
    low, high = wilson_intervals(table["images"], total)
    return table.assign(total=total, share=table["images"] / total, low=low, high=high)
