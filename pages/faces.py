"""Faces: every frame's crop, and the detections that failed."""

import streamlit as st

from fer_core.faces.crops import STATUSES
from fer_core.ui import faces_view, resources
from fer_core.ui.setup import setup
from fer_core.ui.widgets import generated_note

with setup("Faces") as lab:
    generated_note(lab.dataset)
    config = faces_view.settings_form(lab)
    crops = resources.crops(config)
    if crops is None:
        faces_view.detection(lab, config)
        st.stop()
    if name := st.query_params.get("frame"):
        faces_view.frame(lab, config, crops, name)
        st.stop()

    counts = crops.table["status"].value_counts()
    for column, status in zip(st.columns(len(STATUSES)), STATUSES, strict=True):
        column.metric(status.capitalize(), int(counts.get(status, 0)), help=faces_view.STATUS_HELP[status])

    view = st.segmented_control(
        "View",
        list(faces_view.VIEWS),
        default="all",
        required=True,
        format_func=faces_view.VIEWS.__getitem__,
        key="view",
        bind="query-params",
        label_visibility="collapsed",
    )
    table = crops.table
    if view == "failed":
        table = faces_view.failed(table)
        faces_view.failure_shares(crops.table)
    faces_view.gallery(faces_view.filters(table), config)
