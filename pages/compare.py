"""Compare: everything that has been run, its curves, and the paper's tables beside it."""

import streamlit as st

from fer_core.results import training_runs
from fer_core.ui import compare_view, resources
from fer_core.ui.setup import setup
from fer_core.ui.widgets import empty, generated_note

VIEWS = {"runs": "All runs", "curves": "Learning curves", "paper": "Beside the paper"}

with setup("Compare") as lab:
    data = resources.data_config(lab.source)
    runs = training_runs(lab.store.runs(status=["done"], data=data.fingerprint, limit=500))
    generated_note(lab.dataset)
    if not runs:
        empty(
            "Nothing to compare yet",
            "No run on this data set is done. Train the paper's three settings first.",
            "pages/train.py",
            "Train",
        )
        st.stop()
    view = st.segmented_control(
        "View",
        list(VIEWS),
        default="runs",
        required=True,
        format_func=VIEWS.__getitem__,
        key="view",
        bind="query-params",
        label_visibility="collapsed",
    )
    runs = compare_view.filters(runs)
    if not runs:
        st.info("No run passes these filters.", icon=":material/filter_alt_off:")
    elif view == "curves":
        compare_view.curves(runs)
    elif view == "paper":
        compare_view.beside_the_paper(runs)
    else:
        compare_view.table(runs)
