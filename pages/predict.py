"""Predict: bring images, see the faces found, what finished runs make of them, and why."""

from fer_core.ui.cache.predictors import offered
from fer_core.ui.parts.url import stop
from fer_core.ui.parts.widgets import empty
from fer_core.ui.predict import batch, detail, inputs, results
from fer_core.ui.predict import models as predict_view
from fer_core.ui.shell.setup import setup

with setup("Predict") as lab:
    runs = offered(lab.store, predict_view.asked())
    if not runs:
        empty(
            "No finished run to predict with",
            f"{lab.closed}: someone who may train has to finish one first."
            if lab.closed
            else "Train one first: EfficientNet-Lite0 needs no download.",
            "pages/train.py",
            "Runs" if lab.closed else "Train",
        )
        stop()
    models = predict_view.choose(runs)
    items, below = inputs.take(lab, models[0])
    if not items:
        inputs.nothing_yet()
        stop()
    found = results.classify(lab, models, items)
    shown = batch.overview(models, found, below) if len(items) > 1 else items[0]
    index = items.index(shown)
    detail.draw(
        lab, shown, [(model, answers[index][1]) for model, answers in zip(models, found, strict=True)], below
    )
    batch.downloads(models, found, below)
