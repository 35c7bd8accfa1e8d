"""How images come to the Predict page: files and zips, a sample of the data set, a webcam shot."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image, ImageOps

from fer_core.config.run import CLASSES
from fer_core.datasets.base import Dataset
from fer_core.errors import DataError, FerError
from fer_core.prediction import limits
from fer_core.prediction.uploads import FORMAT_NAMES, SUFFIXES, Refusal, Sent, Upload, unfold
from fer_core.results.sharing.published import SAMPLES
from fer_core.ui.cache import resources
from fer_core.ui.cache.publication import published
from fer_core.ui.parts.gallery import encode, pick
from fer_core.ui.parts.url import linked, tell, told
from fer_core.ui.parts.widgets import escaped
from fer_core.ui.shell.setup import Lab, line
from fer_core.ui.shell.uploads import held

SOURCES = {
    "upload": ":material/upload: Upload",
    "sample": ":material/photo_library: Sample",
    "webcam": ":material/photo_camera: Webcam",
}

PRIVATE = "Images stay in the server's memory, never on disk or in logs."

#: Pixels of a side of a sample to try, shown at half of it.
THUMB = 264

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


def source() -> str:
    """Draw the choice of where images come from, and return it; the URL holds it."""
    asked = st.query_params.get(linked("from", list(SOURCES)))
    if asked is None and ("image" in st.query_params or st.query_params.get("sample") == "true"):
        asked = "sample"
    chosen = st.segmented_control(
        "Images from",
        list(SOURCES),
        key=told("from", list(SOURCES), asked or "upload"),
        required=True,
        format_func=SOURCES.__getitem__,
        label_visibility="collapsed",
    )
    tell("from", str(chosen))
    if chosen != "sample" and "image" in st.query_params:
        del st.query_params["image"]
    return str(chosen)


def take(lab: Lab, chosen: str) -> list[Item]:
    """Draw a way to bring images; return those that can be read, and name the others with the reason."""
    if chosen == "sample":
        return _sample(lab)
    if chosen == "webcam":
        shot = held(st.camera_input("Look into the camera", width=640))
        return read_all([("webcam.jpg", shot.getvalue())] if shot else [], lab.visitor)
    most = limits.guard().limits
    area = st.container(key="bring")
    files = held(
        area.file_uploader(
            f"A photo with a face: {FORMAT_NAMES}, up to {most.files}, or a zip of them",
            type=list(SUFFIXES),
            accept_multiple_files=True,
            max_upload_size=most.upload_mb,
        )
    )
    st.caption(PRIVATE)
    return read_all([(file.name, file.getvalue()) for file in files], lab.visitor)


def nothing_yet(lab: Lab) -> None:
    """Show faces to try, and say what will be seen, while there is no image."""
    try:
        dataset, offered = _to_try(lab)
    except (
        FerError
    ):  # a generated set that has yet to be drawn, or a data set that is gone: there is none to try
        offered = []
    if offered:
        note = " These are drawn faces, not photographs." if dataset.generated else ""
        st.markdown(f"**Or try one of these:**{note}")
        with st.container(horizontal=True, gap="small"):
            for place, name in enumerate(offered, 1):
                small = resources.picture(
                    partial(_small, dataset.source, name), "sample", dataset.source, name
                )
                if pick(small, f"Try face {place}", f"try-{place}"):
                    st.query_params.update({"from": "sample", "image": name})
                    st.rerun()
    with st.container(border=True):
        st.markdown(
            "1. Every face is **boxed and numbered** and gets seven probabilities, the likeliest in words.\n"
            "2. See **where** the network looked (Grad-CAM), how often such an answer is right, and what stands "
            "behind it.\n"
            "3. Where no face is found, see at which stage it was lost, and **draw the box yourself**."
        )


def fingerprint(lab: Lab, chosen: str) -> str:
    """Return that of the data set whose samples are looked at, '' for images of the visitor's own."""
    return resources.data_config(lab.source).fingerprint if chosen == "sample" else ""


def _sample(lab: Lab) -> list[Item]:
    dataset, offered = _to_try(lab)
    samples = {sample.name: sample for sample in dataset.samples}
    names = list(samples)
    asked = st.query_params.get("image")
    if asked not in samples:
        asked = next(iter(offered), names[0])
    name = str(st.selectbox("Sample", names, key=told("image", names, asked)))
    tell("image", name)
    image = resources.frame_array(dataset.source, name)
    known = (lab.source, CLASSES[samples[name].label])
    source, label = (samples[name].group, samples[name].written) if dataset.source == SAMPLES else known
    pixels = hashlib.sha256(image.tobytes()).hexdigest()[:16]  # a file may be replaced by another
    return [Item(name, f"{dataset.source}:{name}:{pixels}", None, source, label, image=image)]


def _to_try(lab: Lab) -> tuple[Dataset, list[str]]:
    """Return the data set whose pictures are offered to try, or the pictures published for that, and their names."""
    shown = published()
    if shown and shown.samples.samples:
        return shown.samples, [one.name for one in shown.samples.samples]
    data = next(iter(shown.pictured)) if shown and lab.source not in shown.pictured else lab.source
    return resources.dataset(data), _a_class_each(data)


def _a_class_each(source: str) -> list[str]:
    """Return the name of the first frame of each class in which the data set's newest run found one face."""
    runs = resources.trained(resources.data_config(source).fingerprint).runs
    tables = (found.crops.table for run in runs if (found := resources.crop_facts(run.config)))
    alone = next((set(table["name"][table["status"] == "found"]) for table in tables), None)
    first: dict[int, str] = {}
    for sample in resources.dataset(source).samples:
        if alone is None or sample.name in alone:
            first.setdefault(sample.label, sample.name)
    return [first[label] for label in sorted(first)]


def _small(source: str, name: str) -> bytes:
    picture = Image.fromarray(resources.frame_array(source, name))
    return encode(np.asarray(ImageOps.fit(picture, (THUMB, THUMB))))


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
    room, show = DECODED_BYTES, line("reading your picture")
    for sent, digest in zip(taken, digests, strict=True):
        image = None
        if (digest, None, "verdict") not in known():
            found = limits.read(sent, visitor, show)
            show(0)
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
