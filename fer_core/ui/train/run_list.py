"""The list of all runs, newest first, a page at a time: `?before=<run>` continues after that run."""

from collections.abc import Sequence

import streamlit as st

from fer_core.storage.store import StoredRun
from fer_core.ui.panels import at_work
from fer_core.ui.parts.url import switch
from fer_core.ui.parts.widgets import empty, listed, runs_dataframe
from fer_core.ui.shell.setup import Lab

PAGE = 50
#: What can be tried again: it continues from its last epoch.
AGAIN = ("failed", "cancelled")
COLUMNS = (
    *("link", "title", "status", "data", "protocol", "leaks", "val", "interval", "over", "training"),
    "missing_faces",
)


def table(lab: Lab, runs: Sequence[StoredRun], columns: Sequence[str], key: str) -> None:
    """Draw runs as a table; one that failed or was cancelled can be tried again there."""
    drawn, again = listed(runs, apart=True), {}
    if not lab.demo and any(run.status in AGAIN for run in runs):
        drawn["again"] = [":material/replay: Try again" if run.status in AGAIN else None for run in runs]
        again["again"] = st.column_config.ButtonColumn("", type="tertiary", key=f"{key}-again")
    runs_dataframe(drawn, columns=columns, key=key, **again)
    if clicked := st.session_state.get(f"{key}-again"):
        at_work.again(lab, runs[clicked.row].id)


def newest_first(lab: Lab) -> None:
    """Draw one page of the runs with the ways to the newest and to older ones.

    Raises:
        NotFoundError: the URL names a run that is not there.
    """
    before = st.query_params.get("before")
    after = lab.store.run(before) if before else None
    some = bool(lab.store.runs(goal="train", archived=True, limit=1))
    everything = some and st.toggle("Archived ones too", **switch("archived"))
    runs = lab.store.runs(goal="train", limit=PAGE, before=after, archived=None if everything else False)
    if runs:
        table(lab, runs, COLUMNS, key="runs")
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
