"""Bring data: a folder, list or zip is recognised, shown as it would be read, corrected, and opened under a name."""

import streamlit as st

from fer_core.ui.bring import declaring, view
from fer_core.ui.parts.url import stop
from fer_core.ui.shell.setup import setup

with setup("Bring data") as lab:
    if lab.demo:
        st.info(f"{lab.closed}: bringing data is off.", icon=":material/lock:")
        stop()
    place = declaring.place(lab)
    layout, declared = declaring.declared()
    found = view.draft(place, layout, declared)
    if found:
        view.shown(*found, declared)
        view.opening(found[0], layout, declared)
        view.details(*found)
    view.before(lab)
