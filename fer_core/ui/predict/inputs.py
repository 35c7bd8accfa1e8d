"""How images come to the Predict page: files and zips, a sample of the data set, a webcam shot."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st

from fer_core.config.run import CLASSES
from fer_core.errors import DataError
from fer_core.prediction import limits
from fer_core.prediction.uploads import SUFFIXES, Refusal, Sent, Upload, unfold
from fer_core.ui.cache import resources
from fer_core.ui.parts.url import linked
from fer_core.ui.parts.widgets import escaped
from fer_core.ui.shell.setup import Lab
from fer_core.ui.shell.uploads import held

from .models import Model, unsure_below

SOURCES = {
    "upload": ":material/upload: Upload",
    "sample": ":material/photo_library: Sample",
    "webcam": ":material/photo_camera: Webcam",
}

PRIVATE = "Images stay in the server's memory while you look at them: they are never written to disk and never logged."

#: Bytes of decoded uploads that are kept until the page is drawn; of more, the rest is decoded again when needed.
DECODED_BYTES = 48 << 20


@dataclass(frozen=True)
class Item:
    """An image to classify: its name, what identifies its pixels, where those come from, a sample's label.

    Attributes:
        visitor: who sent it.
        image: its pixels, where they are at hand: (H, W, 3) uint8 RGB.
    """

    name: str
    digest: str
    sent: Sent | None = None
    source: str = ""
    label: str = ""
    visitor: str = ""
    image: np.ndarray | None = field(default=None, compare=False, repr=False)

    def pixels(self) -> np.ndarray:
        """Return (H, W, 3) uint8 RGB, decoded again unless they are at hand."""
        if self.image is not None:
            return self.image
        assert self.sent is not None  # a sample's are
        found = limits.read(self.sent, self.visitor)
        if isinstance(found, Refusal):  # on a busy host it may take too long this time
            raise DataError(f"{self.name} could be read before", got=found.reason, fix="Send it again")
        return found.pixels


def known() -> dict[tuple[Any, ...], Any]:
    """Return all that this visit knows of the images on its page, by (digest, key of a model or None, what it is).

    The only cache between an upload and its probabilities: it lives in the session and goes with it.
    """
    return st.session_state.setdefault("known", {})


def forget(unwanted: Callable[[tuple[Any, ...]], bool]) -> None:
    """Drop what is known under unwanted keys."""
    for key in [key for key in known() if unwanted(key)]:
        del known()[key]


def take(lab: Lab, model: Model) -> tuple[list[Item], float]:
    """Draw the ways to bring images, and below which probability an answer is unsure.

    Args:
        model: who will be asked; the first sample offered is a frame in which its run found a face.

    Returns:
        The readable images, and that probability; files that can't be read are named with the reason.
    """
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
    with left:
        chosen = _source()
    with right:
        below = unsure_below()
    return _taken(lab, chosen, model), below


def _source() -> str:
    """Draw the choice of where images come from; the URL holds it."""
    asked = st.query_params.get(linked("from", list(SOURCES)))
    if asked is None and ("image" in st.query_params or st.query_params.get("sample") == "true"):
        asked = "sample"
    chosen = st.segmented_control(
        "Images from",
        list(SOURCES),
        default=asked if asked in SOURCES else "upload",
        required=True,
        format_func=SOURCES.__getitem__,
        label_visibility="collapsed",
    )
    st.query_params["from"] = str(chosen)
    if chosen != "sample" and "image" in st.query_params:
        del st.query_params["image"]
    return str(chosen)


def _taken(lab: Lab, chosen: str, model: Model) -> list[Item]:
    if chosen == "sample":
        return _sample(lab, model)
    if chosen == "webcam":
        shot = held(st.camera_input("Look into the camera", width=640))
        return read_all([("webcam.jpg", shot.getvalue())] if shot else [], lab.visitor)
    most = limits.guard().limits
    files = held(
        st.file_uploader(
            f"JPEG, PNG, WebP, TIFF or HEIC, one or up to {most.files}, or a zip of them",
            type=list(SUFFIXES),
            accept_multiple_files=True,
            max_upload_size=most.upload_mb,
        )
    )
    st.caption(PRIVATE)
    return read_all([(file.name, file.getvalue()) for file in files], lab.visitor)


def nothing_yet() -> None:
    """Say what to do while there is no image."""
    with st.container(border=True):
        st.markdown("#### See what a network makes of a face")
        st.markdown(
            "1. **Bring an image**: drop files above, take a sample of the data set, or use the webcam.\n"
            "2. Every face found is **boxed and numbered**, cut as in training, and gets seven probabilities.\n"
            "3. See **where** the network looked (Grad-CAM) and **which training faces** it finds most alike.\n"
            "4. Where no face is found, see at which stage it was lost, and **draw the box yourself**."
        )


def _sample(lab: Lab, model: Model) -> list[Item]:
    samples = {sample.name: sample for sample in lab.dataset.samples}
    names = list(samples)
    asked = st.query_params.get("image")
    if asked not in samples:
        crops = resources.crops(model.run.config)
        found = set() if crops is None else set(crops.table.loc[crops.table["status"] == "found", "name"])
        asked = next((name for name in names if name in found), names[0])
    name = str(st.selectbox("Sample", names, index=names.index(asked)))
    st.query_params["image"] = name
    image = resources.frame_array(lab.source, name)
    label = CLASSES[samples[name].label]
    return [Item(name, f"{lab.source}:{name}", None, lab.source, label, image=image)]


def read_all(files: list[tuple[str, bytes]], visitor: str) -> list[Item]:
    """Return the images among uploaded files, (name, bytes) each, and draw why others are none.

    Raises:
        BusyError: the visitor sends more a minute than is taken.
    """
    most = limits.guard().limits
    taken, refused = unfold(files, most)
    digests = [hashlib.sha256(sent.data).hexdigest() for sent in taken]
    forget(lambda key: key[0] not in digests)
    if new := len({digest for digest in digests if (digest, None, "verdict") not in known()}):
        limits.admit_files(visitor, new)
    items: list[Item] = []
    room = DECODED_BYTES
    for sent, digest in zip(taken, digests, strict=True):
        image = None
        if (digest, None, "verdict") not in known():
            found = limits.read(sent, visitor)
            known()[digest, None, "verdict"] = found if isinstance(found, Refusal) else found.note
            if isinstance(found, Upload) and (not items or found.pixels.nbytes <= room):
                image, room = found.pixels, room - found.pixels.nbytes
        verdict: Refusal | str = known()[digest, None, "verdict"]
        if isinstance(verdict, Refusal):
            refused.append(Refusal(sent.name, verdict.reason))
            continue
        items.append(Item(sent.name, digest, sent, visitor=visitor, image=image))
        if verdict:
            st.caption(f"{escaped(sent.name)}: {verdict}.")
    for one in refused[:8]:
        st.error(
            f"**{escaped(one.name)}** was not taken: {escaped(one.reason)}", icon=":material/broken_image:"
        )
    if len(refused) > 8:
        st.error(f"{len(refused) - 8} more files were not taken.")
    return items
