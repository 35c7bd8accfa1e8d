"""Runs set to work, watched until they end, cancelled or tried again."""

from collections.abc import Sequence

import streamlit as st

from fer_core.config.run import RunConfig
from fer_core.runs.jobs import executors
from fer_core.runs.jobs.queue import retry, submit_together
from fer_core.runs.jobs.registry import LONGEST_LEASE
from fer_core.storage.store import StoredRun
from fer_core.ui.parts.widgets import run_status
from fer_core.ui.shell.setup import Lab


def start(lab: Lab, configs: Sequence[RunConfig], *, sweep: str | None = None) -> list[bool]:
    """Ask for runs, and make sure that a worker takes them; return of each whether it was put into the queue now."""
    created = list(submit_together(lab.store, configs, sweep=sweep).values())
    executors.launch(lab.settings)
    return created


def again(lab: Lab, run_id: str) -> None:
    """Put a run that failed or was cancelled into the queue again, and draw the page."""
    retry(lab.store, run_id)
    executors.launch(lab.settings)
    st.rerun()


def cancel_button(lab: Lab, run: StoredRun) -> None:
    """Draw the button that cancels a run; nothing on a demo, or once the run has ended."""
    if lab.demo or run.ended:
        return
    asked = run.cancel_requested
    label = "Stopping ..." if asked else "Cancel"
    if st.button(label, icon=":material/stop:", key=f"cancel-{run.id}", disabled=asked):
        executors.cancel(lab.settings, lab.store, run.id)
        st.rerun(scope="app")


def state(lab: Lab, run: StoredRun) -> str:
    """Return a run's status; 'interrupted' where the lease of a running one has lapsed."""
    left = (run.lease_until or 0.0) - lab.store.now()
    lapsed = run.status == "running" and not 0 <= left <= LONGEST_LEASE
    return "interrupted" if lapsed else run.status


@st.fragment(run_every=1.0)
def watched(lab: Lab, run_id: str, before: str) -> None:
    """Draw how far a run is, once a second, and the page again once its `state` is no longer the one `before`."""
    run = lab.store.run(run_id)
    run_status(run, lab.store.queue_places([run.id]).get(run.id))
    cancel_button(lab, run)
    if state(lab, run) != before:
        st.rerun()
