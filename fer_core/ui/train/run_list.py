"""The list of all runs, newest first, a page at a time: `?before=<run>` continues after that run."""

from __future__ import annotations

import streamlit as st

from fer_core.ui.parts.widgets import empty, listed, runs_dataframe
from fer_core.ui.shell.setup import Lab

PAGE = 50
COLUMNS = (
    *("link", "title", "status", "data", "protocol", "leaks", "val", "interval", "over", "training"),
    "missing_faces",
)


def newest_first(lab: Lab) -> None:
    """Draw one page of the runs with the ways to the newest and to older ones.

    Raises:
        NotFoundError: the URL names a run that is not there.
    """
    before = st.query_params.get("before")
    runs = lab.store.runs(goal="train", limit=PAGE, before=lab.store.run(before) if before else None)
    if runs:
        runs_dataframe(listed(runs), columns=COLUMNS, key="runs")
    elif before:
        st.info("There are no older runs.", icon=":material/history:")
    else:
        empty("Nothing has been trained yet", "Choose settings above and start; results stay at their link.")
    with st.container(horizontal=True):
        if before and st.button("Newest runs", icon=":material/first_page:"):
            del st.query_params["before"]
            st.rerun()
        if len(runs) == PAGE and st.button("Older runs", icon=":material/chevron_right:"):
            st.query_params["before"] = runs[-1].id
            st.rerun()
