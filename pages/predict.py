"""Predict: bring images, see the faces found, what a network makes of them, how far to trust it, and why."""

import streamlit as st

from fer_core.prediction import limits
from fer_core.prediction.answers import MEANING
from fer_core.ui.parts.url import stop
from fer_core.ui.predict import batch, detail, inputs, live, models, results, share
from fer_core.ui.shell.setup import setup

with setup("Predict") as lab:
    if (demo := limits.demo()) and demo.paused.exists():
        st.info("This demo is paused by its owner: come back later.", icon=":material/pause_circle:")
        stop()
    what = st.empty()
    source = inputs.source()
    left, right = st.columns([3, 1] if lab.settings.demo else [3, 2], gap="medium")
    with right:
        answering, below = models.choose(lab, inputs.fingerprint(lab, source))
    with left:
        moving = source == "webcam" and st.toggle("Live: an answer a second, boxes over the picture")
        items = [] if moving else inputs.take(lab, source)
    if not items:
        what.write(
            "Bring a photo of a face: a network says which of seven expressions it shows, and where it looked."
        )
        share.shown()
        with left if moving else st.container():  # in the answers' place: they replace it at once
            live.live(lab, answering[0], below) if moving else inputs.nothing_yet(lab)
        models.about(answering)
        st.caption(MEANING)
        stop()
    with results.drawn_afresh(answering, items):
        found = results.classify(lab, answering, items)
        shown = batch.overview(answering, found, below)
        index = items.index(shown)
        said = [(model, answers[index][1]) for model, answers in zip(answering, found, strict=True)]
        detail.draw(lab, shown, said, below)
        batch.downloads(answering, found, below)
    models.about(answering)
    st.caption(MEANING)
