"""`predict`: faces and expressions of image files."""

from __future__ import annotations

import argparse

from ..config import TransferConfig
from ..datasets.images import load_rgb
from ..errors import DataError, StoreError
from ..models.naming import system
from .context import Context, percent, print_json, print_table


def predict(options: argparse.Namespace) -> int:
    """Carry out `predict`; 1 when an image could not be read."""
    context = Context.open()
    run = context.store.run(options.run_id)
    if run.status != "done" or run.config.goal != "train":
        raise StoreError(
            "only a run that is done can predict", got=run.status, fix="Choose one from: compare --json"
        )
    if not isinstance(run.config.model, TransferConfig):
        raise StoreError(
            "only a transferred network can predict",
            got=system(run.config.model),
            fix="Choose a run of a backbone from: compare --json",
        )
    from ..predict import Predictor

    predictor = Predictor.load(run.id, run.config, context.settings)
    rows = []
    for name in options.images:
        try:
            image = load_rgb(name)
        except DataError as error:
            rows.append({"image": name, "error": str(error), "faces": []})
            continue
        found = predictor.predict([image])[0]
        rows.append({"image": name, "error": None, "faces": [face.to_dict() for face in found]})
    if options.json:
        print_json(rows)
    else:
        flat = [
            {"image": row["image"], **face, "p": face["probabilities"][face["label"]]}
            for row in rows
            for face in row["faces"]
        ]
        print_table(
            flat,
            {"image": None, "status": None, "label": None, "p": percent, "agreement": percent, "box": None},
        )
        for row in rows:
            if row["error"]:
                print(f"{row['image']}: {row['error']}")
    return 1 if any(row["error"] for row in rows) else 0
