"""A finished run to take along, from its own view."""

from __future__ import annotations

import streamlit as st

from ..report import report
from ..store import StoredRun
from .setup import Lab


def buttons(lab: Lab, run: StoredRun) -> None:
    """Draw the downloads of a finished run; each is made when it is asked for."""
    with st.container(horizontal=True):
        st.download_button(
            "Report",
            lambda: report(lab.store, run.id),
            f"fer-{run.id}.html",
            "text/html",
            key=f"report-{run.id}",
            icon=":material/description:",
            help="One HTML file with all figures, tables and settings; it opens without a network",
            on_click="ignore",
        )
