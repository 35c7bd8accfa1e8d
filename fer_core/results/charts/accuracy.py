"""Systems side by side: each accuracy with its interval, and what was published beside what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pandas as pd

from fer_core.results.shares import percent

from .style import CHANCE, GREY, PROTOCOL_COLORS, TEXT, finish
from .systems import system_mark

if TYPE_CHECKING:
    import plotly.graph_objects as go

#: Pixels per row of one mark and of several, each under its label: beside the marks, labels would leave a phone none.
ROW, WIDE_ROW = 42, 68


def accuracy_intervals(runs: pd.DataFrame) -> go.Figure:
    """Draw a row per run, in the table's order from the top: accuracy and its interval, chance dashed.

    Colour and shape are the system's; open marks are protocols that leak.

    Args:
        runs: columns system, protocol, leaks (bool), accuracy, low, high (0..1; NaN: no interval); folds, seeds,
            images and label (the row's text; system and protocol otherwise) where known.
    """
    import plotly.graph_objects as go

    table = runs.reset_index(drop=True)
    named = table["label"] if "label" in table else table["system"] + " · " + table["protocol"]
    labels = [str(name) for name in named]
    figure = go.Figure()
    for leaks, end, name in (
        (False, "", "filled: no known leak"),
        (True, "-open", "open: protocol leaks, optimistic"),
    ):
        own = table[table["leaks"].astype(bool) == leaks]
        if own.empty:
            continue
        # The legend's entry is a mark of its own, as the runs' colours and shapes belong to their systems.
        figure.add_scatter(
            x=[None],
            y=[None],
            mode="markers",
            name=name,
            marker={"symbol": f"circle{end}", "size": 10, "color": GREY, "line_width": 2.4 if leaks else 0},
        )
        for index, row in zip(own.index.to_numpy(), (row for _, row in own.iterrows()), strict=True):
            color, shape = system_mark(str(row["system"]))
            figure.add_scatter(
                x=[row["accuracy"]],
                y=[index],
                mode="markers",
                marker={
                    "symbol": f"{shape}{end}",
                    "size": 11,
                    "color": color,
                    "line_width": 2.4 if leaks else 0,
                },
                error_x=_bar(row, color),
                hovertemplate=f"<b>{labels[index]}</b><br>{_interval_text(row)}{_facts(row)}<extra></extra>",
                showlegend=False,
            )
    _chance(figure)
    _rows(figure, labels, ROW)
    figure.update_xaxes(
        title_text="Validation accuracy (%)", showgrid=True, tickformat=".0%", rangemode="tozero"
    )
    told = "; ".join(
        f"{label} {_interval_text(row)}{' (leaks)' if row['leaks'] else ''}"
        for label, (_, row) in zip(labels, table.iterrows(), strict=True)
    )
    alt = f"Validation accuracy with its 95 % interval, chance at {percent(CHANCE)}. {told}."
    return finish(figure, alt, height=108 + ROW * max(1, len(table)), legend=True, top=54)


def paper_vs_here(
    figures: pd.DataFrame, measure: Literal["accuracy", "loss"] = "accuracy", stand_in: str = ""
) -> go.Figure:
    """Draw what the paper reports beside what was measured here, a row per setting and a dot per protocol.

    Args:
        figures: a row per setting and protocol: system, reported (NaN: not reported), measured, low, high (NaN where
            not known), protocol (`ProtocolConfig.name`), leaks; accuracies in 0..1, losses in nats.
        measure: sets the axis.
        stand_in: what was measured in place of ResNet18, for the axis: in the figure itself, as it is saved and passed
            on.
    """
    import plotly.graph_objects as go

    systems = list(dict.fromkeys(figures["system"]))
    protocols = list(dict.fromkeys(figures["protocol"].dropna()))
    place = {system: index for index, system in enumerate(systems)}
    figure = go.Figure()
    told: dict[str, list[str]] = {system: [] for system in systems}
    shown = percent if measure == "accuracy" else "{:.3f}".format
    reported = figures.dropna(subset=["reported"]).drop_duplicates("system")
    for _, row in reported.iterrows():
        told[row["system"]].append(f"paper {shown(row['reported'])}")
    spread = min(0.3, 0.6 / max(1, len(protocols)))
    for number, protocol in enumerate(protocols):
        own = figures[(figures["protocol"] == protocol) & figures["measured"].notna()]
        leaks = bool(own["leaks"].any())
        color = PROTOCOL_COLORS.get(protocol, GREY)
        offset = (number - (len(protocols) - 1) / 2) * spread
        for _, row in own.iterrows():
            told[row["system"]].append(f"here under {protocol} {shown(row['measured'])}")
        ends = [row.reindex(["low", "high"]).to_list() for _, row in own.iterrows()]
        figure.add_scatter(
            x=own["measured"],
            y=[place[system] + offset for system in own["system"]],
            mode="markers",
            name=f"here, {protocol}{' (leaks)' if leaks else ''}",
            marker={
                "symbol": "diamond-open" if leaks else "circle",
                "size": 10,
                "color": color,
                "line_width": 2.4 if leaks else 0,
            },
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [high - value for (_, high), value in zip(ends, own["measured"], strict=True)],
                "arrayminus": [value - low for (low, _), value in zip(ends, own["measured"], strict=True)],
                "color": color,
                "thickness": 1.8,
                "width": 4,
            },
            customdata=[
                [
                    row["system"],
                    shown(row["measured"]),
                    f"{shown(low)} to {shown(high)}" if low == low else "no interval",
                ]
                for (_, row), (low, high) in zip(own.iterrows(), ends, strict=True)
            ],
            hovertemplate=f"<b>%{{customdata[0]}}</b><br>here, {protocol}: %{{customdata[1]}}"
            "<br>%{customdata[2]}<extra></extra>",
        )
    figure.add_scatter(
        x=reported["reported"],
        y=[place[system] for system in reported["system"]],
        mode="markers",
        name="paper",
        marker={"symbol": "line-ns-open", "size": 30, "line_width": 3, "color": TEXT},
        customdata=[[row["system"], shown(row["reported"])] for _, row in reported.iterrows()],
        hovertemplate="<b>%{customdata[0]}</b><br>paper: %{customdata[1]}<extra></extra>",
    )
    if measure == "accuracy":
        _chance(figure)
    _rows(figure, systems, WIDE_ROW)
    title = "Accuracy (%)" if measure == "accuracy" else "Cross-entropy loss (nats)"
    title += f"; here {stand_in} for ResNet18" if stand_in else ""
    figure.update_xaxes(
        title_text=title,
        showgrid=True,
        tickformat=".0%" if measure == "accuracy" else ".1f",
        rangemode="tozero",
    )
    alt = "Published and measured figures. " + "; ".join(
        f"{name}: {', '.join(parts)}" for name, parts in told.items()
    )
    return finish(
        figure,
        alt + ".",
        height=112 + WIDE_ROW * max(1, len(systems)),
        legend=True,
        top=54,
    )


def _chance(figure: go.Figure) -> None:
    figure.add_vline(
        CHANCE,
        line={"dash": "dash", "width": 1.2, "color": GREY},
        annotation={"text": "chance", "font_size": 11, "yanchor": "bottom", "xanchor": "center"},
        annotation_position="top",
    )


def _rows(figure: go.Figure, labels: list[str], height: int) -> None:
    """Write each row's label over its marks. Not as the axis's own: Plotly hides grid lines under inner labels."""
    count = max(1, len(labels))
    figure.update_yaxes(
        showticklabels=False, range=[count - 0.55, -0.65], showgrid=False, zeroline=False, fixedrange=True
    )
    for index, label in enumerate(labels):
        figure.add_annotation(
            text=label,
            x=0,
            xref="x domain",
            xanchor="left",
            y=index,
            yshift=round(0.38 * height),
            showarrow=False,
            font_size=12,
        )


def _bar(row: pd.Series, color: str) -> dict[str, object]:
    known = row["low"] == row["low"]
    return {
        "type": "data",
        "symmetric": False,
        "array": [row["high"] - row["accuracy"] if known else 0],
        "arrayminus": [row["accuracy"] - row["low"] if known else 0],
        "color": color,
        "thickness": 2,
        "width": 5 if known else 0,
    }


def _interval_text(row: pd.Series) -> str:
    if row["low"] != row["low"]:
        return percent(row["accuracy"])
    return f"{percent(row['accuracy'])} ({percent(row['low'])} to {percent(row['high'])})"


def _facts(row: pd.Series) -> str:
    known = [
        f"{row[name]:.0f} {name}"
        for name in ("images", "folds", "seeds")
        if name in row and pd.notna(row[name])
    ]
    return "<br>" + ", ".join(known) if known else ""
