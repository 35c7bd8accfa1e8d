"""What a data set holds and what became of its frames in face detection."""

import altair as alt
import pandas as pd

from fer_core.evaluation.metrics import wilson_intervals
from fer_core.results.shares import percent

from .style import (
    BLUE,
    CLASS_COLORS,
    PALETTE,
    STATUS_COLORS,
    color_of,
    finish_altair,
    name_axis,
    present_classes,
)

#: Parts beyond which stacked colours can't be distinguished, and a table of shades is drawn instead.
MOST_STACKED = len(PALETTE)


def class_bars(counts: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw the number of images per class, stacked by split where there are few parts, else class by group.

    Args:
        counts: columns class, part (split or group; one value for a data set without) and images, a row a pair.
    """
    table = counts.copy()
    parts = list(dict.fromkeys(table["part"]))
    totals = table.groupby("class")[["images"]].sum().reset_index()
    said = ", ".join(f"{row['class']} {row['images']}" for _, row in totals.iterrows())
    text = f"Images per class: {said}; {totals['images'].sum()} in all" + (
        f", in {len(parts)} parts." if len(parts) > 1 else "."
    )
    order = present_classes(table["class"])
    tooltip = [alt.Tooltip("class:N"), alt.Tooltip("part:N"), alt.Tooltip("images:Q", format=",d")]
    if len(parts) > MOST_STACKED:
        top = alt.Axis(orient="top", labelAngle=0, domain=False, ticks=False)
        chart = (
            alt.Chart(table)
            .mark_rect()
            .encode(
                x=alt.X("class:N", sort=order, title=None, axis=top, scale=alt.Scale(padding=0.06)),
                y=name_axis("part:N", sorted(parts), labelOverlap=False).scale(padding=0.1),
                color=alt.value(BLUE),
                opacity=alt.Opacity("images:Q", scale=alt.Scale(range=[0.08, 1]), title="Images"),
                tooltip=tooltip,
            )
            .properties(height=80 + 18 * len(parts), width="container")
        )
        return finish_altair(chart, text)
    total_of = dict(zip(totals["class"], totals["images"], strict=True))
    table["label"] = [f"{name} ({total_of[name]:,})" for name in table["class"]]
    if len(parts) == 1:
        color = color_of("class:N", CLASS_COLORS)
    else:
        color = color_of("part:N", dict(zip(parts, PALETTE, strict=False)), alt.Legend(title=None))
    bars = (
        alt.Chart(table)
        .mark_bar(height={"band": 0.68})
        .encode(
            x=alt.X("sum(images):Q", title="Images", axis=alt.Axis(tickMinStep=1, tickCount=6, domain=False)),
            y=name_axis("label:N", [f"{name} ({total_of[name]:,})" for name in order]),
            color=color,
            order=alt.Order("part_order:Q"),
            tooltip=tooltip,
        )
        .transform_calculate(part_order=f"indexof({parts!r}, datum.part)")
    )
    return finish_altair(
        bars.properties(height=50 + 30 * len(order) + 36 * (len(parts) > 1), width="container"), text
    )


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
