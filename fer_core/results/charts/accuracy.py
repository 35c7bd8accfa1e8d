"""Systems side by side: each accuracy with its interval, and what was published beside what was measured."""

from collections.abc import Hashable, Mapping
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fer_core.results.shares import percent

from .style import (
    CHANCE,
    GREY,
    PROTOCOL_COLORS,
    TEXT,
    finish,
    interval_bar,
    mark,
)
from .systems import system_mark

#: Pixels per row of one mark and of several, and letters in a line of their labels: more would leave a phone no marks.
ROW, WIDE_ROW, LABEL = 52, 68, 24


def accuracy_intervals(runs: pd.DataFrame, upto: float | None = None, under: str = "") -> go.Figure:
    """Draw a row per run, in the table's order from the top: accuracy and its interval, chance dashed.

    Colour and shape are the system's; open marks are protocols that leak.

    Args:
        runs: columns label (the row's text), system, leaks (bool), accuracy, low, high (0..1; NaN: no interval), and
            folds, seeds, images where known.
        upto: where the axis ends, for figures that are compared.
        under: what all rows have alike, such as their protocol, for the axis.
    """
    table = runs.reset_index(drop=True)
    figure = go.Figure()
    for index, row in enumerate(table.to_dict("records")):
        color, shape = system_mark(str(row["system"]))
        value, low, high = (np.array([row[name]]) for name in ("accuracy", "low", "high"))
        figure.add_scatter(
            x=value,
            y=[index],
            mode="markers",
            marker=mark(shape, color, hollow=bool(row["leaks"]), size=11),
            error_x=interval_bar(value, low, high, color=color, thickness=2, width=5),
            hovertemplate=f"<b>{row['label']}</b><br>{_interval_text(row)}{_facts(row)}<extra></extra>",
        )
    _chance(figure)
    _rows(figure, list(table["label"]))
    title = "<br>".join(filter(None, ("Validation accuracy (%)", under)))
    figure.update_xaxes(title_text=title, showgrid=True, tickformat=".0%", rangemode="tozero")
    if upto is not None:
        figure.update_xaxes(range=[0, upto])
    words = "; ".join(
        f"{row['label']} {_interval_text(row)}{' (leaks)' if row['leaks'] else ''}"
        for row in table.to_dict("records")
    )
    alike = f" ({under})" if under else ""
    alt = f"Validation accuracy{alike} with its 95 % interval, chance at {percent(CHANCE)}. {words}."
    return finish(figure, alt, height=78 + 16 * bool(under) + ROW * max(1, len(table)), top=24)


def paper_vs_here(figures: pd.DataFrame, stand_in: str = "") -> go.Figure:
    """Draw the accuracies that the paper reports beside those measured here, a row per setting, a dot per protocol.

    Args:
        figures: a row per setting and protocol: system, reported, measured, low, high (0..1; NaN where not known),
            protocol (`ProtocolConfig.name`), leaks.
        stand_in: what was measured instead of ResNet18, for the axis: in the figure itself, as it is saved and passed
            on.
    """
    systems = list(dict.fromkeys(figures["system"]))
    protocols = list(dict.fromkeys(figures["protocol"].dropna()))
    place = {system: index for index, system in enumerate(systems)}
    figure = go.Figure()
    reported = figures.dropna(subset=["reported"]).drop_duplicates("system")
    words: dict[str, list[str]] = {system: [] for system in systems}
    for system, value in zip(reported["system"], reported["reported"], strict=True):
        words[system].append(f"paper {percent(value)}")
    spread = min(0.3, 0.6 / max(1, len(protocols)))
    for number, protocol in enumerate(protocols):
        part = figures[(figures["protocol"] == protocol) & figures["measured"].notna()]
        leaks = bool(part["leaks"].any())
        color = PROTOCOL_COLORS.get(protocol, GREY)
        offset = (number - (len(protocols) - 1) / 2) * spread
        hover = []
        for row in part.to_dict("records"):
            words[row["system"]].append(f"here under {protocol} {percent(row['measured'])}")
            bounds = f"{percent(row['low'])} to {percent(row['high'])}"
            hover.append([row["system"], bounds if row["low"] == row["low"] else "no interval"])
        figure.add_scatter(
            x=part["measured"],
            y=[place[system] + offset for system in part["system"]],
            mode="markers",
            name=f"{protocol}{' (leaks)' if leaks else ''}",
            marker=mark("diamond" if leaks else "circle", color, hollow=leaks),
            error_x=interval_bar(
                part["measured"], part["low"], part["high"], color=color, thickness=1.8, width=4
            ),
            customdata=hover,
            hovertemplate=f"<b>%{{customdata[0]}}</b><br>here, {protocol}: %{{x:.1%}}"
            "<br>%{customdata[1]}<extra></extra>",
        )
    figure.add_scatter(
        x=reported["reported"],
        y=[place[system] for system in reported["system"]],
        mode="markers",
        name="paper",
        marker={"symbol": "line-ns-open", "size": 30, "line_width": 3, "color": TEXT},
        customdata=reported[["system"]],
        hovertemplate="<b>%{customdata[0]}</b><br>paper: %{x:.1%}<extra></extra>",
    )
    _chance(figure)
    _rows(figure, systems)
    title = "Accuracy (%)" + (f"<br>here {stand_in} for ResNet18" if stand_in else "")
    figure.update_xaxes(title_text=title, showgrid=True, tickformat=".0%", rangemode="tozero")
    rows = "; ".join(f"{name}: {', '.join(parts)}" for name, parts in words.items())
    alt = f"Published and measured figures. {rows}."
    figure.update_layout(legend={"entrywidth": 0.5, "entrywidthmode": "fraction"})  # two rows on a phone too
    return finish(figure, alt, height=124 + WIDE_ROW * max(1, len(systems)), legend=True, top=66)


def _chance(figure: go.Figure) -> None:
    figure.add_vline(
        CHANCE,
        line={"dash": "dash", "width": 1.2, "color": GREY},
        annotation={"text": "chance", "font_size": 11, "yanchor": "bottom", "xanchor": "center"},
        annotation_position="top",
    )


def _rows(figure: go.Figure, labels: list[str]) -> None:
    """Write each row's label beside the plot, in lines."""
    figure.update_yaxes(
        range=[max(1, len(labels)) - 0.5, -0.5],
        tickvals=list(range(len(labels))),
        ticktext=["<br>".join(wrap(label, LABEL, max_lines=3, placeholder=" …")) for label in labels],
        tickfont_size=12,
        showgrid=False,
        zeroline=False,
        fixedrange=True,
    )


def _interval_text(row: Mapping[Hashable, Any]) -> str:
    if row["low"] != row["low"]:
        return percent(row["accuracy"])
    return f"{percent(row['accuracy'])} ({percent(row['low'])} to {percent(row['high'])})"


def _facts(row: Mapping[Hashable, Any]) -> str:
    known = [
        f"{row[name]:.0f} {name}"
        for name in ("images", "folds", "seeds")
        if name in row and pd.notna(row[name])
    ]
    return "<br>" + ", ".join(known) if known else ""
