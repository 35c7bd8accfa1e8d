"""The BDNN's two losses, its prototypes and distances, and two systems class by class: Altair small multiples."""

import altair as alt
import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fer_core.config.run import CLASSES

from .style import (
    BLUE,
    CLASS_COLORS,
    GREY,
    PART_COLORS,
    SHADED,
    color_of,
    finish,
    finish_altair,
    name_axis,
    present_classes,
)

#: Figures of a profile that are drawn at most; longer ones are averaged over neighbours.
MOST_POINTS = 340
DIRECTIONS = {"": "forward: cross-entropy (nats)", "reverse_": "reverse: mean squared error"}


def direction_losses(epochs: pd.DataFrame) -> pd.DataFrame:
    """Return the losses of a bidirectional network as a tidy table: epoch, direction, part, loss, low, high.

    Args:
        epochs: as the store keeps them; folds are averaged, `low` and `high` are the extreme folds.
    """
    parts = []
    for start, direction in DIRECTIONS.items():
        for part, short in (("training", "train"), ("validation", "val")):
            losses = epochs.groupby("epoch")[f"{short}_{start}loss"]
            spread = losses.agg(loss="mean", low="min", high="max").dropna().reset_index()
            parts.append(spread.assign(direction=direction, part=part))
    return pd.concat(parts, ignore_index=True)


def two_directions(losses: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw forward and reverse loss over iterations side by side (the paper's figure 5), folds as a band.

    Args:
        losses: what `direction_losses` returns.
    """
    legend = alt.Legend(title=None, symbolType="stroke", symbolOpacity=1, symbolStrokeWidth=3)
    color = color_of("part:N", PART_COLORS, legend)
    x = alt.X("epoch:Q", title="Iteration", axis=alt.Axis(grid=False, tickCount=5))
    base = alt.Chart(losses)
    band = base.mark_area(opacity=0.18).encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=color)
    line = base.mark_line(strokeWidth=2.2).encode(
        x=x,
        y=alt.Y("loss:Q", title="Loss, mean of the folds", axis=alt.Axis(tickCount=4)),
        color=color,
        strokeDash=alt.StrokeDash(
            "part:N", scale=alt.Scale(domain=list(PART_COLORS), range=[[4, 3], [1, 0]]), legend=None
        ),
        tooltip=["part", "epoch", alt.Tooltip("loss:Q", format=".3f")],
    )
    directions = list(DIRECTIONS.values())
    chart = (
        alt.layer(band, line)
        .properties(width=330, height=230)  # both fit a page of 1280 pixels
        .facet(column=alt.Column("direction:N", sort=directions, title=None), spacing=34)
        .resolve_scale(y="independent")
    )
    last = losses[losses["epoch"] == losses["epoch"].max()]
    words = "; ".join(f"{row.direction}, {row.part} {row.loss:.3f}" for row in last.itertuples())
    return finish_altair(chart, f"Losses of both directions over iterations. At the last one: {words}.")


def class_differences(table: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw how much better the better of two runs recognises each class than the other, with 95 % intervals.

    Args:
        table: a row a class: class, difference, low, high (shares), images.
    """
    order = present_classes(table["class"])
    sides = ["difference", "low", "high"]
    points = table.assign(**{side: 100 * table[side] for side in sides})
    base = alt.Chart(points).encode(y=name_axis("class:N", order))
    zero = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=GREY).encode(x="zero:Q")
    x = alt.X(
        "difference:Q",
        title="Better minus other: share recognised (points)",
        axis=alt.Axis(labelExpr="datum.value ? format(datum.value, '+~g') : '0'", tickCount=7),
    )
    tips = [alt.Tooltip(f"{side}:Q", format="+.1f", title=f"{side} (points)") for side in sides]
    dots = base.mark_point(filled=True, size=90, color=BLUE, opacity=1).encode(
        x=x, tooltip=["class", *tips, "images"]
    )
    bars = base.mark_rule(color=BLUE, strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q")
    words = ", ".join(f"{row['class']} {100 * row['difference']:+.0f}" for row in table.to_dict("records"))
    chart = alt.layer(zero, bars, dots).properties(height=36 * len(order), width="container")
    return finish_altair(chart, f"Difference per class in points, the better run minus the other: {words}.")


def gray_faces(prototypes: np.ndarray) -> go.Figure:
    """Draw prototypes of gray values side by side, each value a square.

    Args:
        prototypes: (7, side, side), cut at 0 and 1.
    """
    import plotly.express as px

    figure = px.imshow(
        np.clip(prototypes, 0.0, 1.0),
        facet_col=0,
        facet_col_wrap=4,
        facet_row_spacing=0.12,
        color_continuous_scale="gray",
        range_color=(0, 1),
    )
    figure.for_each_annotation(lambda note: note.update(text=CLASSES[int(note.text.partition("=")[2])]))
    figure.update_layout(coloraxis_showscale=False)
    finish(figure, "The prototype of each class as a gray face.", height=380, top=28)
    return figure.update_xaxes(visible=False).update_yaxes(visible=False, constraintoward="top")


def profile_table(prototypes: np.ndarray) -> pd.DataFrame:
    """Return (7, D) prototypes as a tidy table: class, figure (its place in the descriptor, from 0), value.

    More than `MOST_POINTS` figures are averaged over neighbours, `figure` then being the first of each.
    """
    step = -(-prototypes.shape[1] // MOST_POINTS)
    starts = np.arange(0, prototypes.shape[1], step)
    sums = np.add.reduceat(prototypes, starts, axis=1)
    means = sums / np.diff(np.append(starts, prototypes.shape[1]))
    wide = pd.DataFrame(means.T, columns=list(CLASSES)).assign(figure=starts)
    return wide.melt("figure", var_name="class", value_name="value")


def profiles(table: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw each class's prototype as a profile over the descriptor's figures, one panel a class.

    Args:
        table: what `profile_table` returns.
    """
    chart = (
        alt.Chart(table)
        .mark_area(line={"strokeWidth": 1.2}, opacity=0.35)
        .encode(
            x=alt.X("figure:Q", title="Figure of the descriptor", axis=alt.Axis(grid=False, tickCount=4)),
            y=alt.Y("value:Q", title=None, axis=alt.Axis(tickCount=3)),
            color=color_of("class:N", CLASS_COLORS),
            tooltip=["class", "figure", alt.Tooltip("value:Q", format=".3f")],
        )
        .properties(width=195, height=105)
        .facet(alt.Facet("class:N", sort=list(CLASSES), title=None), columns=4)
    )
    return finish_altair(
        chart, f"Prototype of each class over {table['figure'].nunique()} figures of the descriptor."
    )


def distance_table(distances: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Return the mean distance of each class's images to each prototype.

    Columns: class, images, prototype, distance, nearest (whether no prototype is nearer to the class).
    """
    named = pd.DataFrame(distances, columns=list(CLASSES)).groupby(np.array(CLASSES)[labels])
    means = named.mean().assign(images=named.size()).rename_axis("class").reset_index()
    table = means.melt(["class", "images"], var_name="prototype", value_name="distance")
    return table.assign(nearest=table["distance"] == table.groupby("class")["distance"].transform("min"))


def distance_map(table: pd.DataFrame) -> go.Figure:
    """Draw mean distances of classes to prototypes as shades, the nearest prototype of each class in bold.

    Args:
        table: what `distance_table` returns.
    """
    order = present_classes(table["class"])
    text = table["distance"].map("{:.2f}".format).mask(table["nearest"], lambda own: "<b>" + own + "</b>")
    values, texts = (
        table.assign(text=text)
        .pivot(index="class", columns="prototype", values=name)
        .loc[order, list(CLASSES)]
        for name in ("distance", "text")
    )
    figure = go.Figure(
        go.Heatmap(z=values, x=list(CLASSES), y=order, text=texts, texttemplate="%{text}", **SHADED)
    )
    figure.update_traces(
        reversescale=True,
        textfont_size=12,  # by itself a phone's would be too small to read
        hovertemplate="images of <b>%{y}</b>, prototype of <b>%{x}</b>: %{z:.3f}<extra></extra>",
    )
    figure.update_xaxes(title_text="Prototype", side="top", showgrid=False)
    figure.update_yaxes(title_text="Images of", autorange="reversed", showgrid=False)
    right = int((table["nearest"] & (table["class"] == table["prototype"])).sum())
    alt = f"Mean distance of images to prototypes; {right} of {len(order)} classes lie nearest to their own."
    return finish(figure, alt, height=90 + 40 * len(order), top=28)
