"""Faces: every frame's crop, and the detections that failed."""

import streamlit as st

from fer_core.ui.cache.publication import pictured, without_pictures
from fer_core.ui.faces import before, boxes, retrain, win_back
from fer_core.ui.faces import view as faces_view
from fer_core.ui.faces.filters import filters
from fer_core.ui.faces.settings import settings_form
from fer_core.ui.panels import detections
from fer_core.ui.parts.url import one_of, stop
from fer_core.ui.parts.widgets import generated_note
from fer_core.ui.shell.setup import setup

with setup("Faces") as lab:
    if not pictured(lab.source):
        st.info(without_pictures(), icon=":material/hide_image:")
        st.page_link(
            "pages/made.py",
            label="How its faces were found, and how many were not",
            icon=":material/fact_check:",
        )
        stop()
    generated_note(lab.dataset)
    bar = st.container(horizontal=True)
    with bar:
        config = settings_form(lab)
    facts = boxes.crops(lab, config)
    if facts is None:
        faces_view.detection(lab, config)
        before.browse(lab)
        stop()
    detections.use(config)
    name = st.query_params.get("frame")
    with bar:
        retrain.offer(lab, config, name)
    faces_view.counts(facts, brief=bool(name))
    if name:
        faces_view.frame(lab, config, facts, name)
    else:  # no st.stop() after a frame: it drops what a fragment was sent meanwhile
        with bar:
            boxes.files(lab, config, facts.crops.table)
        win_back.offer(lab, config, facts)
        view = st.segmented_control(
            "View",
            **one_of("frames", list(faces_view.VIEWS), faces_view.VIEWS.__getitem__),
            default="all",
            required=True,
            label_visibility="collapsed",
        )
        failed = view == "failed"
        table, answers = filters(lab, facts.failed if failed else facts.crops.table, facts)
        faces_view.gallery(lab, table, facts, answers)
        if failed:
            with st.container(key="cards-failed"):
                faces_view.failure_shares(facts)
                faces_view.found_accuracy(lab)
