"""`predict`: faces and expressions of image files, folders and zips."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fer_core.config.regular_files import opened
from fer_core.config.settings import Limits
from fer_core.datasets.base import Problem, readable
from fer_core.datasets.bounds import MAX_BYTES, MAX_PIXELS
from fer_core.datasets.images import load_rgb
from fer_core.datasets.pictures.image_files import walk
from fer_core.errors import DataError, StoreError
from fer_core.learning.networks.naming import system
from fer_core.prediction.answers import UNSURE_BELOW, face_table, file_name, jpeg
from fer_core.prediction.answers import annotated as boxed
from fer_core.prediction.uploads import Refusal, Upload, read, unfold
from fer_core.storage.store import StoredRun
from fer_core.storage.values import defused_table
from fer_core.storage.zips import is_zip

from .context import Context
from .options import Json, RunId
from .output import answer, print_table, progress, replacing, writable

if TYPE_CHECKING:
    from fer_core.prediction.answering import Answerer
    from fer_core.prediction.answers import Prediction

#: A zip on this machine may hold more than a visitor's; it is unfolded in memory all the same.
ZIP_LIMITS = Limits(
    file_mb=MAX_BYTES // 1_000_000, upload_mb=4000, files=100_000, megapixels=MAX_PIXELS // 1_000_000
)


def predict(
    images: list[Path],
    /,
    *,
    run_id: RunId | None = None,
    recogniser: str = "mini_xception",
    fold: str | None = None,
    unsure: float = UNSURE_BELOW,
    nearest: int = 0,
    csv: Path | None = None,
    annotated: Path | None = None,
    explain: Path | None = None,
    json: Json = False,
) -> int:
    """Carry out `predict`; 1 when an image could not be read.

    Args:
        images: image files, folders of them, or zips.
        recogniser: without a run this one answers, as `recogniser list` has them.
        fold: one fold's network alone, named as SEED.FOLD; all vote otherwise.
        unsure: say 'unsure' below this probability.
        nearest: name the K nearest training faces of each face.
        csv: write a table, a row a face.
        annotated: write the images with faces boxed.
        explain: write Grad-CAM over each face's crop.
    """
    from fer_core.prediction.loading import answerer
    from fer_core.prediction.recognition import Recognition

    csv = csv and writable(csv)
    annotated, explain = (one and writable(one, "folder") for one in (annotated, explain))
    context = Context.open()
    predictor: Answerer
    if run_id is None:
        predictor = Recognition.named(recogniser, context.settings)
    else:
        run = _run(context, run_id)
        predictor = answerer(run, context.settings)
    if fold:
        seed, _, number = fold.partition(".")
        if not (seed.isdecimal() and number.isdecimal()):
            raise DataError("a fold must be named as SEED.FOLD", got=repr(fold), fix="For example 0.2")
        predictor = predictor.only(int(seed), int(number))
    rows: list[dict[str, Any]] = []
    tables = [face_table([])]
    with keeping(rows, tables, csv, json=json), progress("predicting") as show:
        for count, (found, total) in enumerate(_images(images), 1):
            show(count, max(total, count))
            if isinstance(found, Refusal):
                rows.append({"image": found.name, "error": found.reason, "faces": []})
                continue
            (faces,) = predictor.predict([found.pixels], explain=explain is not None, nearest=nearest)
            known = [{**face.to_dict(), "unsure": face.unsure(unsure)} for face in faces]
            rows.append({"image": found.name, "error": None, "faces": known})
            tables.append(face_table([(found.name, faces)], below=unsure))
            if annotated:
                picture = jpeg(boxed(found.pixels, faces, below=unsure))
                (annotated / file_name(count, found.name)).write_bytes(picture)
            if explain:
                _write_maps(explain, count, found.name, faces, predictor.title)
        if not rows:
            raise DataError(
                "there must be an image to look at",
                got=f"none in {', '.join(map(str, images)) or 'nothing'}",
                fix="Name image files, folders with images in them, or zips",
            )
    return 1 if any(row["error"] for row in rows) else 0


@contextmanager
def keeping(
    rows: list[dict[str, Any]], tables: list[pd.DataFrame], csv: Path | None, *, json: bool
) -> Iterator[None]:
    """Write what there is once the body has ended, also where a full disk or a Ctrl-C ended it, and print it.

    With `json` an error is the one document.
    """
    ended = False
    try:
        yield
        ended = True
    finally:
        if csv and rows:
            with replacing(csv) as file:
                text = defused_table(pd.concat(tables[1:] or tables)).to_csv(index=False)
                file.write_text(text, encoding="utf-8")
        if ended or (rows and not json):
            answer(json, rows, _print)


def _run(context: Context, given: str) -> StoredRun:
    run = context.store.run(given)
    if run.status != "done" or run.config.goal != "train":
        raise StoreError(
            "only a run that is done can predict", got=run.status, fix="Choose one from: compare --json"
        )
    if not run.config.answers:
        raise StoreError(
            "only a transferred network, a recogniser or a vote can predict",
            got=system(run.config.model),
            fix="Choose such a run from: compare --json",
        )
    return run


def _images(named: list[Path]) -> Iterator[tuple[Upload | Refusal, int]]:
    """Yield every image of files, folders (any depth) and zips, one decoded at a time, with how many are known of.

    What is an image in a folder is what it is in a data set (`image_files.walk`); what is named is looked at anyway.
    """
    paths: list[Path] = []
    for path in named:
        problems: list[Problem] = []
        paths += [each for _, each in walk(path, problems)] if path.is_dir() else [path]
        yield from ((Refusal(readable(str(path / one.name)), one.reason), len(problems)) for one in problems)
    for path in paths:
        try:
            with opened(path) as file:
                head = file.read(4)
                packed = head + file.read() if is_zip(head) else b""
            if packed:
                taken, refused = unfold([(readable(path.name), packed)], ZIP_LIMITS)
                yield from ((one, len(paths)) for one in refused)
                yield from ((read(one, ZIP_LIMITS), len(paths) - 1 + len(taken)) for one in taken)
            else:
                yield Upload(readable(str(path)), load_rgb(path)), len(paths)
        except DataError as error:
            yield Refusal(readable(str(path)), readable(str(error))), len(paths)
        except OSError as error:
            yield Refusal(readable(str(path)), error.strerror or str(error)), len(paths)


def _write_maps(folder: Path, number: int, name: str, faces: list[Prediction], backbone: str) -> None:
    """Write the Grad-CAM of an image's faces over their crops."""
    from fer_core.prediction.grad_cam import overlay

    for face_number, face in enumerate(faces, 1):
        if face.cam is None:
            raise StoreError(
                "Grad-CAM needs a backbone with spatial maps", got=backbone, fix="Leave --explain out"
            )
        target = folder / file_name(number, name, f"-face{face_number}-{face.label}.jpg")
        target.write_bytes(jpeg(overlay(face.crop, face.cam)))


def _print(rows: list[dict[str, Any]]) -> None:
    flat = [
        {"image": row["image"], "face": number, **face, "label": face["label"] + " (unsure)" * face["unsure"]}
        for row in rows
        for number, face in enumerate(row["faces"], 1)
    ]
    print_table(flat, ("image", "face", "status", "label", "confidence", "agreement", "box"))
    for row in rows:
        if row["error"]:
            print(f"{row['image']}: {row['error']}")
