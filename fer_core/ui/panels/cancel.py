"""The button that cancels a run."""

import streamlit as st

from fer_core.runs.jobs import executors
from fer_core.storage.store import StoredRun
from fer_core.ui.shell.setup import Lab


def cancel_button(lab: Lab, run: StoredRun) -> None:
    """Draw the button that cancels a run; nothing on a demo, or once the run has ended."""
    if lab.demo or run.ended:
        return
    asked = run.cancel_requested
    label = "Stopping ..." if asked else "Cancel"
    if st.button(label, icon=":material/stop:", key=f"cancel-{run.id}", disabled=asked):
        executors.cancel(lab.settings, lab.store, run.id)
        st.rerun(scope="app")
