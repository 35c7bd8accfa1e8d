"""Compare: everything that has been run, side by side, and beside the paper."""

import streamlit as st

from fer_core.ui.cache import resources
from fer_core.ui.compare import leaks, pair, paper, prototypes, votes
from fer_core.ui.compare import view as compare_view
from fer_core.ui.parts.url import one_of, stop
from fer_core.ui.parts.widgets import empty, generated_note
from fer_core.ui.shell.setup import setup

VIEWS = ["All runs", "Learning curves", "Two runs", "Paper", "Leak meter", "Prototypes"]

with setup("Compare") as lab:
    data = resources.data_config(lab.source)
    known = resources.trained(data.fingerprint)
    runs = list(known.runs)
    generated_note(lab.dataset)
    if known.more:
        st.caption(f"Of this data set's runs the newest {len(runs):,} are compared.")
    bdnn = any(run.config.model.kind == "bdnn" for run in runs)
    view = st.segmented_control(
        "View",
        **one_of("view", VIEWS if bdnn else VIEWS[:-1]),
        default=VIEWS[0],
        required=True,
        label_visibility="collapsed",
    )
    if view == "Paper":
        paper.view(lab, known)
        stop()
    if not runs:
        empty(
            "Nothing to compare yet",
            "No run on this data set is done. Train the paper's three settings first.",
            "pages/train.py",
            "Train",
        )
        stop()
    if view != "Leak meter":
        runs = compare_view.filters(known)
    if not runs:
        st.info("No run passes these filters.", icon=":material/filter_alt_off:")
    elif view == "Learning curves":
        compare_view.curves(known, runs)
    elif view == "Two runs":
        pair.view(lab, known, runs)
    elif view == "Leak meter":
        leaks.view(lab, known)
    elif view == "Prototypes":
        prototypes.view(runs)
    else:
        compare_view.table(known, runs)
        votes.draw(lab, known, runs)
