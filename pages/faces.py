"""Faces: every frame's crop, and the detections that failed."""

import streamlit as st

from fer_core.ui import boxes_view, faces_view, resources
from fer_core.ui.detection_settings import settings_form
from fer_core.ui.faces_filters import filters
from fer_core.ui.found_accuracy import found_accuracy
from fer_core.ui.linked import linked, stop
from fer_core.ui.setup import setup
from fer_core.ui.widgets import generated_note

with setup("Faces") as lab:
    generated_note(lab.dataset)
    bar = st.container(horizontal=True)
    with bar:
        config = settings_form(lab)
    crops = boxes_view.crops(lab, config)
    if crops is None:
        faces_view.detection(lab, config)
        stop()
    name = st.query_params.get("frame")
    facts = resources.crop_facts(config.crops_key())
    faces_view.counts(facts, brief=bool(name))
    if name:
        faces_view.frame(lab, config, facts, name)
    else:  # no st.stop() after a frame: it drops what a fragment was sent meanwhile
        with bar:
            boxes_view.files(lab, config, crops.table)

        view = st.segmented_control(
            "View",
            list(faces_view.VIEWS),
            default="all",
            required=True,
            format_func=faces_view.VIEWS.__getitem__,
            key=linked("view", list(faces_view.VIEWS), faces_view.VIEWS.__getitem__),
            bind="query-params",
            label_visibility="collapsed",
        )
        failed = view == "failed"
        faces_view.gallery(filters(facts.failed if failed else crops.table, facts), facts)
        if failed:
            faces_view.failure_shares(facts)
            found_accuracy(lab)
