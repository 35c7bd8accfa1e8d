"""The gallery's filters and order, each of them in the URL."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from fer_core.config.run import CLASSES
from fer_core.faces.extraction import Crops
from fer_core.faces.rescue import POLICIES
from fer_core.ui.cache.crop_facts import CropFacts
from fer_core.ui.parts.url import in_range, linked

ORDERS = ("name", "probability", "face size")


def filters(table: pd.DataFrame, facts: CropFacts) -> pd.DataFrame:
    """Draw the filters and return the rows of `table` that pass, in the chosen order.

    Args:
        table: the rows to choose from: `Crops.table` or a part of it.
        facts: of all crops, which say what there is to choose, whatever part is looked at.
    """
    top = st.columns([1.7, 1.7, 1.7, 1.3, 1.6], vertical_alignment="bottom")
    present, known = list(facts.statuses), facts.groups
    statuses = top[0].multiselect("Status", present, key=linked("status", present), bind="query-params")
    classes = top[1].multiselect("Class", CLASSES, key=linked("class", CLASSES), bind="query-params")
    groups = top[2].multiselect("Movie or person", known, key=linked("group", known), bind="query-params")
    order = top[3].selectbox("Order", ORDERS, key=linked("order", ORDERS), bind="query-params")
    if statuses:
        table = table[table["status"].isin(statuses)]
    if classes:
        table = table[table["label"].isin([CLASSES.index(name) for name in classes])]
    if groups:
        table = table[table["group"].isin(groups)]
    with top[4].popover("More filters", width="stretch"):
        table, narrowed = _rarer(table, facts)
    if narrowed:
        st.caption("Narrowed by " + ", ".join(narrowed) + " (More filters).")
    return _ordered(_rescued(table, list(facts.rescued)), order, facts.crops)


def _rescued(table: pd.DataFrame, present: list[str]) -> pd.DataFrame:
    """Draw the choice of second looks where any found a face."""
    if not present:
        return table
    chosen = st.pills(
        "Found on a second look",
        present,
        selection_mode="multi",
        key=linked("rescued", present),
        bind="query-params",
        help=" ".join(f"**{name}**: {POLICIES[name].title}." for name in present),
    )
    return table[table["rescued_by"].isin(chosen)] if chosen else table


def _rarer(table: pd.DataFrame, facts: CropFacts) -> tuple[pd.DataFrame, list[str]]:
    """Draw the rarer filters; return the rows that pass and the filters in use.

    A range that is narrowed leaves out frames without a face.
    """
    narrowed = []
    splits = facts.splits
    if splits:
        chosen = st.multiselect("Split", splits, key=linked("split", splits), bind="query-params")
        if chosen:
            table = table[table["split"].isin(chosen)]
            narrowed.append("split")
    likely = st.slider(
        "Probability of the face",
        value=(0.0, 1.0),
        step=0.01,
        **in_range("probability", 0.0, 1.0, pair=True),
    )
    if likely != (0.0, 1.0):
        table = table[pd.to_numeric(table["probability"]).between(*likely)]
        narrowed.append(f"probability {likely[0]:.2f} to {likely[1]:.2f}")
    largest = facts.largest
    between = st.slider(
        "Face size (shorter side, pixels)",
        value=(0, largest),
        step=5,
        **in_range("size", 0, largest, pair=True),
    )
    if between != (0, largest):
        table = table[facts.crops.sides[table.index].between(*between)]
        narrowed.append(f"face size {between[0]} to {between[1]} pixels")
    return table, narrowed


def _ordered(table: pd.DataFrame, order: str, crops: Crops) -> pd.DataFrame:
    if order == "probability":
        return table.sort_values("probability", na_position="first")
    if order == "face size":
        return table.loc[crops.sides[table.index].sort_values(na_position="first").index]
    return table
