"""The gallery's filters and order, each of them in the URL."""

from typing import Any

import pandas as pd
import streamlit as st

from fer_core.config.run import CLASSES
from fer_core.faces.extraction import Crops
from fer_core.faces.rescue import POLICIES
from fer_core.storage.store import StoredRun
from fer_core.ui.cache.crop_facts import CropFacts
from fer_core.ui.cache.finished_runs import label
from fer_core.ui.panels import answers
from fer_core.ui.parts.url import in_range, one_of
from fer_core.ui.parts.widgets import escaped
from fer_core.ui.shell.setup import Lab

#: The answers of a run by the names of its frames, each as a row of `held_out`.
Answers = dict[str, dict[Any, Any]]

ORDERS = ("name", "probability", "face size")


def filters(lab: Lab, table: pd.DataFrame, facts: CropFacts) -> tuple[pd.DataFrame, Answers]:
    """Draw the filters and return the rows of `table` that pass, in the chosen order.

    Where they are narrowed by what a run said (`?run=`), its answers (`held_out`) are returned as well, by the names.

    Args:
        table: the rows to choose from: `Crops.table` or a part of it.
        facts: of all crops, which say what there is to choose, whatever part is looked at.
    """
    top = st.columns([1.7, 1.7, 1.7, 1.3, 1.6], vertical_alignment="bottom")
    columns = {
        "status": top[0].multiselect("Status", **one_of("status", list(facts.statuses))),
        "label": [CLASSES.index(name) for name in top[1].multiselect("Class", **one_of("class", CLASSES))],
        "group": top[2].multiselect("Movie or person", **one_of("group", facts.groups)),
    }
    order = top[3].selectbox("Order", **one_of("order", ORDERS))
    with top[4].popover("More filters", width="stretch"):
        if facts.splits:
            columns["split"] = st.multiselect("Split", **one_of("split", facts.splits))
        likely, sizes, narrowed = _ranges(facts)
        run = answers.choice(lab)
    if columns.get("split"):
        narrowed.insert(0, "split")
    if narrowed:
        st.caption("Narrowed by " + ", ".join(narrowed) + " (More filters).")
    if facts.rescued:
        columns["rescued_by"] = st.pills(
            "Found on a second look",
            selection_mode="multi",
            **one_of("rescued", list(facts.rescued), lambda name: POLICIES[name].title.capitalize()),
        )
    for column, chosen in columns.items():
        if chosen:
            table = table[table[column].isin(chosen)]
    if likely:
        table = table[pd.to_numeric(table["probability"]).between(*likely)]
    if sizes:
        table = table[facts.crops.sides[table.index].between(*sizes)]
    said: Answers = {}
    if run:
        said = _answers(run)
        table = table[table["name"].isin(said)]
    return _ordered(table, order, facts.crops), said


def _answers(run: StoredRun) -> Answers:
    """Draw whose answers narrow the gallery, and by what; return those that pass, one a frame."""
    places = st.columns([2, 1, 2], vertical_alignment="bottom")
    found, _ = answers.filters(run, places, list(answers.ON_FACES.values())[2:])
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"Frames that **{escaped(label(run))}** held out, with what it took them for.", width="content"
        )
        answers.to_run(run)
    return {row["name"]: row for row in found.drop_duplicates("name").to_dict("records")}


Range = tuple[float, float]


def _ranges(facts: CropFacts) -> tuple[Range | None, Range | None, list[str]]:
    """Draw the ranges of probability and size; return those that are narrowed, else None, and what to say of them.

    A range that is narrowed leaves out frames without a face.
    """
    widest = (0.0, 1.0)
    likely = st.slider(
        "Probability of the face", value=widest, step=0.01, **in_range("probability", *widest, pair=True)
    )
    all_sizes = (0, facts.largest)
    sizes = st.slider(
        "Face size (shorter side, pixels)",
        value=all_sizes,
        step=5,
        **in_range("size", *all_sizes, pair=True),
    )
    words = []
    if likely != widest:
        words.append(f"probability {likely[0]:.2f} to {likely[1]:.2f}")
    if sizes != all_sizes:
        words.append(f"face size {sizes[0]} to {sizes[1]} pixels")
    return likely if likely != widest else None, sizes if sizes != all_sizes else None, words


def _ordered(table: pd.DataFrame, order: str, crops: Crops) -> pd.DataFrame:
    if order == "probability":
        return table.sort_values("probability", na_position="first")
    if order == "face size":
        return table.loc[crops.sides[table.index].sort_values(na_position="first").index]
    return table
