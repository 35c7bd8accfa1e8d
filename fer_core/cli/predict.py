"""`predict`: faces and expressions of image files, folders and zips."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fer_core.config.run import TransferConfig
from fer_core.config.settings import Limits
from fer_core.datasets.images import MAX_BYTES, MAX_PIXELS, load_rgb
from fer_core.datasets.readers.grouping import IMAGE_SUFFIXES
from fer_core.errors import DataError, StoreError
from fer_core.learning.networks.naming import system
from fer_core.prediction.answers import annotated, face_table, file_name, jpeg
from fer_core.prediction.uploads import Refusal, Upload, read, unfold
from fer_core.storage.spreadsheets import defused_table
from fer_core.storage.store import StoredRun
from fer_core.storage.zips import is_zip

from .context import Bar, Context, percent, print_json, print_table

if TYPE_CHECKING:
    from fer_core.prediction.predictor import Prediction, Predictor

#: A zip of one's own may hold more than a visitor's; it is unfolded in memory all the same.
ZIP_LIMITS = Limits(
    file_mb=MAX_BYTES // 1_000_000, upload_mb=4000, files=100_000, megapixels=MAX_PIXELS // 1_000_000
)


def predict(options: argparse.Namespace) -> int:
    """Carry out `predict`; 1 when an image could not be read."""
    context = Context.open()
    run = _run(context, context.run_id(options.run_id))
    from fer_core.prediction.predictor import Predictor

    predictor = Predictor.load(run.id, run.config, context.settings)
    if options.fold:
        seed, _, fold = options.fold.partition(".")
        predictor = predictor.only(_number(seed, options.fold), _number(fold, options.fold))
    rows: list[dict[str, Any]] = []
    tables: list[pd.DataFrame] = []
    for folder in filter(None, (options.annotated, options.explain)):
        folder.mkdir(parents=True, exist_ok=True)
    with Bar("predicting") as bar:
        for number, (found, total) in enumerate(_images(options.images), 1):
            bar(number, max(total, number))
            if isinstance(found, Refusal):
                rows.append({"image": found.name, "error": found.reason, "faces": []})
                continue
            explain = options.explain is not None
            (faces,) = predictor.predict([found.pixels], explain=explain, nearest=options.nearest)
            told = [{**face.to_dict(), "unsure": face.unsure(options.unsure)} for face in faces]
            rows.append({"image": found.name, "error": None, "faces": told})
            tables.append(face_table([(found.name, faces)], below=options.unsure))
            _write(options, number, found, faces, predictor)
    if options.csv:
        table = pd.concat(tables) if tables else face_table([])
        options.csv.write_text(defused_table(table).to_csv(index=False), encoding="utf-8")
    if options.json:
        print_json(rows)
    else:
        _print(rows)
    return 1 if any(row["error"] for row in rows) else 0


def _run(context: Context, run_id: str) -> StoredRun:
    run = context.store.run(run_id)
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
    return run


def _number(text: str, given: str) -> int:
    if not text.isdecimal():
        raise DataError("a fold must be named as SEED.FOLD", got=repr(given), fix="For example 0.2")
    return int(text)


def _images(named: list[str]) -> Iterator[tuple[Upload | Refusal, int]]:
    """Yield every image of files, folders (any depth) and zips, one decoded at a time, with how many are known of."""
    paths: list[Path] = []
    for text in named:
        path = Path(text)
        inside = path.rglob("*") if path.is_dir() else [path]
        paths += sorted(each for each in inside if each is path or each.suffix.lower() in IMAGE_SUFFIXES)
    for path in paths:
        try:
            with path.open("rb") as file:
                head = file.read(4)
            if is_zip(head):
                taken, refused = unfold([(path.name, path.read_bytes())], ZIP_LIMITS)
                yield from ((one, len(paths)) for one in refused)
                yield from ((read(one, ZIP_LIMITS), len(paths) - 1 + len(taken)) for one in taken)
            else:
                yield Upload(str(path), load_rgb(path)), len(paths)
        except DataError as error:
            yield Refusal(str(path), str(error)), len(paths)
        except OSError as error:
            yield Refusal(str(path), error.strerror or str(error)), len(paths)


def _write(
    options: argparse.Namespace, number: int, found: Upload, faces: list[Prediction], predictor: Predictor
) -> None:
    """Write an image's pictures where they are asked for."""
    if options.annotated:
        picture = jpeg(annotated(found.pixels, faces, below=options.unsure))
        (options.annotated / file_name(number, found.name)).write_bytes(picture)
    if options.explain:
        from fer_core.prediction.grad_cam import overlay

        for face_number, face in enumerate(faces, 1):
            if face.cam is None:
                raise StoreError(
                    "Grad-CAM needs a backbone with spatial maps",
                    got=predictor.row.title,
                    fix="Leave --explain out",
                )
            target = options.explain / file_name(number, found.name, f"-face{face_number}-{face.label}.jpg")
            target.write_bytes(jpeg(overlay(face.crop, face.cam)))


def _print(rows: list[dict]) -> None:
    flat = [
        {"image": row["image"], "face": number, **face, "label": face["label"] + " (unsure)" * face["unsure"]}
        for row in rows
        for number, face in enumerate(row["faces"], 1)
    ]
    columns = {"image": None, "face": None, "status": None, "label": None, "confidence": percent}
    print_table(flat, {**columns, "agreement": percent, "box": None})
    for row in rows:
        if row["error"]:
            print(f"{row['image']}: {row['error']}")
