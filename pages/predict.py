"""Predict: upload images, see the faces found and what a finished run makes of them."""

import streamlit as st

from fer_core import limits
from fer_core.results import training_runs
from fer_core.ui import predict_view, resources
from fer_core.ui.setup import setup
from fer_core.ui.widgets import empty

with setup("Predict") as lab:
    runs = predict_view.transferred(training_runs(lab.store.runs(status=["done"], limit=200)))
    if not runs:
        empty(
            "No finished run to predict with",
            "Train one first: EfficientNet-Lite0 needs no download.",
            "pages/train.py",
            "Train",
        )
        st.stop()
    run = predict_view.choose_run(runs)
    images = predict_view.images(lab)
    if not images:
        st.caption("Upload an image, or switch to a sample of the data set.")
        st.stop()
    limits.admit(lab.visitor, len(images))
    predictor = resources.predictor(run.id, run.attempts)
    rows = []
    bar = st.progress(0.0) if len(images) > 1 else None
    for index, (name, image) in enumerate(images):
        with limits.device_turn(lab.visitor):
            faces = predictor.predict([image])[0]
        predict_view.result(name, image, faces)
        rows.append({"image": name, "faces": [face.to_dict() for face in faces]})
        if bar:
            bar.progress((index + 1) / len(images), text=f"{index + 1} of {len(images)} images")
    predict_view.downloads(rows)
