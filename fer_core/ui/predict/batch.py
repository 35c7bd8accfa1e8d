"""Many images on the Predict page: a sortable table, a gallery, and everything as files."""

import json
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from fer_core.config.run import CLASSES
from fer_core.learning.networks.naming import system
from fer_core.prediction.answers import Prediction, annotated, annotated_zip, face_table
from fer_core.results.shares import percent
from fer_core.storage.values import defused_table
from fer_core.ui.parts.gallery import PAGE_SIZE, encode, pick
from fer_core.ui.parts.widgets import PERCENT

from .inputs import Item, known
from .models import Model
from .results import Found

#: Pixels of the longer side of a gallery's pictures.
THUMB = 220


def overview(models: Sequence[Model], found: Sequence[Found], below: float) -> Item:
    """Draw the table and the gallery of several images, and return the image to show close up."""
    items = [item for item, _ in found[0]]
    digests = [item.digest for item in items]
    seen, chosen = st.session_state.get("seen_images", []), st.session_state.get("shown_image")
    if seen and (new := [digest for digest in digests if digest not in seen]):
        chosen = new[-1]  # what was added last is what the visitor wants to see
    st.session_state["seen_images"] = digests
    if len(items) == 1:
        return items[0]
    view = st.segmented_control(
        "Show as", ["Table", "Gallery"], default="Table", required=True, label_visibility="collapsed"
    )
    if view == "Table":
        chosen = _table(models, found, below, chosen)
    else:
        chosen = _gallery(found[0], below, chosen)
    if chosen not in digests:
        chosen = digests[0]
    st.session_state["shown_image"] = chosen
    return items[digests.index(chosen)]


def _table(models: Sequence[Model], found: Sequence[Found], below: float, chosen: str | None) -> str | None:
    table, items = whole_table(models, found, below), found[0]
    first = ["run"] * (len(models) > 1) + [
        "image",
        "label",
        "confidence",
        "unsure",
        "face",
        "agreement",
        "status",
    ]
    percents = ["confidence", "agreement", *CLASSES]
    shown = table[[*first, *CLASSES]].assign(**{name: 100 * table[name].astype(float) for name in percents})
    event = st.dataframe(
        shown,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"faces-table-{len(items)}",  # a row that was picked among others is none of these
        height=38 + 35 * min(len(table), 9),
        column_config={
            **{name: name.capitalize() for name in first},
            **{name: st.column_config.NumberColumn(name.capitalize(), format=PERCENT) for name in percents},
            "image": st.column_config.TextColumn(
                "Image", width=160
            ),  # on a phone the answer stands beside it
            "label": "Expression",
            "confidence": st.column_config.ProgressColumn(
                "Confidence", format=PERCENT, min_value=0, max_value=100
            ),
        },
        alt=f"Table of {len(table)} faces with their probabilities",
    )
    st.caption("Click a heading to sort, a row's box to see it close up.")
    rows = event.selection.rows  # type: ignore[attr-defined]
    names = {item.name: item.digest for item, _ in items}
    return names[table["image"].iloc[rows[0]]] if rows else chosen


def _gallery(found: Found, below: float, chosen: str | None) -> str | None:
    pages = -(-len(found) // PAGE_SIZE)
    page = st.pagination(pages, key="batch-page") if pages > 1 else 1
    with st.container(horizontal=True, gap="small", key="pictures"):
        for item, faces in found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]:
            said = ", ".join("unsure" if face.unsure(below) else face.label for face in faces[:3])
            small, alt = _thumb(item, faces, below), f"{item.name}: {said}"
            if pick(small, item.name, item.digest[:16], caption=said, alt=alt):
                chosen = item.digest
    return chosen


def _thumb(item: Item, faces: Sequence[Prediction], below: float) -> bytes:
    """Return a small annotated picture."""
    key = (item.digest, None, "thumb", *((face.label, face.unsure(below)) for face in faces))
    if key not in known():
        picture = annotated(item.pixels(), faces, below=below)
        known()[key] = encode(picture, quality=75, within=(THUMB, THUMB))
    return known()[key]


def whole_table(models: Sequence[Model], found: Sequence[Found], below: float) -> pd.DataFrame:
    """Return all faces as a table, with the run where two are compared."""
    parts = []
    for model, faces_of in zip(models, found, strict=True):
        named = {"run": model.id} if len(models) > 1 else {}
        parts.append(face_table([(item.name, faces) for item, faces in faces_of], below=below, **named))
    return pd.concat(parts, ignore_index=True)


def downloads(models: Sequence[Model], found: Sequence[Found], below: float) -> None:
    """Draw the downloads: CSV, JSON and annotated images; each is made when its button is pressed."""

    def as_json() -> str:
        rows = [
            {
                "run": model.id,
                "system": system(model.definition),
                "fold": model.member,
                "unsure_below": below,
                "images": [
                    {"image": item.name, "faces": [face.to_dict() for face in faces]}
                    for item, faces in faces_of
                ],
            }
            for model, faces_of in zip(models, found, strict=True)
        ]
        return json.dumps(rows, indent=2)

    def as_zip() -> bytes:
        return annotated_zip(((item.name, item.pixels(), faces) for item, faces in found[0]), below=below)

    def as_csv() -> str:
        return defused_table(whole_table(models, found, below)).to_csv(index=False)

    faces = sum(len(answers) for _, answers in found[0])
    unsure = sum(face.unsure(below) for _, answers in found[0] for face in answers)
    with st.container(horizontal=True, vertical_alignment="center"):
        for label, make, name, kind in (
            ("CSV", as_csv, "predictions.csv", "text/csv"),
            ("JSON", as_json, "predictions.json", "application/json"),
            ("Annotated images", as_zip, "annotated.zip", "application/zip"),
        ):
            st.download_button(label, make, name, kind, on_click="ignore", icon=":material/download:")
        if faces > 1:
            st.caption(f"{faces} answers, {unsure} unsure ({percent(unsure / faces, 0)})")
