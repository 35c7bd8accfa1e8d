"""Predict: bring images, see the faces found, what finished runs make of them, and why."""

from fer_core.ui import predict_batch, predict_detail, predict_inputs, predict_results, predict_view
from fer_core.ui.linked import stop
from fer_core.ui.loaded import offered
from fer_core.ui.setup import setup
from fer_core.ui.widgets import empty

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
    items, below = predict_inputs.take(lab, models[0])
    if not items:
        predict_inputs.nothing_yet()
        stop()
    found = predict_results.classify(lab, models, items)
    shown = predict_batch.overview(models, found, below) if len(items) > 1 else items[0]
    index = items.index(shown)
    predict_detail.draw(
        lab, shown, [(model, own[index][1]) for model, own in zip(models, found, strict=True)], below
    )
    predict_batch.downloads(models, found, below)
