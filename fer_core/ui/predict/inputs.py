"""How images come to the Predict page: files and zips, a sample of the data set, a webcam shot."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import streamlit as st

from fer_core.config.run import CLASSES
from fer_core.prediction import limits
from fer_core.prediction.uploads import SUFFIXES, Refusal, Sent, Upload, read, unfold
from fer_core.ui.cache import resources
from fer_core.ui.parts.url import linked
from fer_core.ui.parts.widgets import escaped
from fer_core.ui.shell.setup import Lab

from .models import Model, unsure_below

SOURCES = {
    "upload": ":material/upload: Upload",
    "sample": ":material/photo_library: Sample",
    "webcam": ":material/photo_camera: Webcam",
}

PRIVATE = "Images stay in the server's memory while you look at them: they are never written to disk and never logged."


#: Bytes of decoded uploads that one view keeps while it is drawn.
DECODED_BYTES = 96 << 20


class Decoded:
    """The uploads that a view has decoded, so that it does so once; they go when the view is drawn.

    At most `most` bytes, or one image where that is larger; the longest unused goes first.
    """

    def __init__(self, most: int = DECODED_BYTES) -> None:
        self._most, self._kept = most, OrderedDict[str, np.ndarray]()

    def get(self, digest: str, decode: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the pixels kept under a digest, decoding them first where there are none."""
        if digest not in self._kept:
            self.keep(digest, decode())
        self._kept.move_to_end(digest)
        return self._kept[digest]

    def keep(self, digest: str, pixels: np.ndarray) -> None:
        """Keep pixels that have been decoded already."""
        self._kept[digest] = pixels
        while len(self._kept) > 1 and sum(image.nbytes for image in self._kept.values()) > self._most:
            self._kept.popitem(last=False)


@dataclass(frozen=True)
class Item:
    """An image to classify: its name, what identifies its pixels, where those come from, a sample's label."""

    name: str
    digest: str
    sent: Sent | None
    source: str = ""
    label: str = ""
    decoded: Decoded = field(default_factory=Decoded, compare=False, repr=False)

    def pixels(self) -> np.ndarray:
        """Return (H, W, 3) uint8 RGB; raises DataError where a sample can't be read."""
        return self.decoded.get(self.digest, self._decode)

    def _decode(self) -> np.ndarray:
        if self.sent is None:
            return resources.frame_array(self.source, self.name)
        found = read(self.sent, limits.guard().limits)
        assert isinstance(found, Upload)  # refusals are sorted out by `take`
        return found.pixels


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
        shot = st.camera_input("Look into the camera", width=640)
        return _read([("webcam.jpg", shot.getvalue())] if shot else [])
    most = limits.guard().limits
    files = st.file_uploader(
        f"JPEG, PNG, WebP, TIFF or HEIC, one or up to {most.files}, or a zip of them",
        type=list(SUFFIXES),
        accept_multiple_files=True,
        max_upload_size=most.upload_mb,
    )
    st.caption(PRIVATE)
    return _read([(file.name, file.getvalue()) for file in files])


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
    return [Item(name, f"{lab.source}:{name}", None, lab.source, CLASSES[samples[name].label])]


def _read(files: list[tuple[str, bytes]]) -> list[Item]:
    most = limits.guard().limits
    taken, refused = unfold(files, most)
    items = []
    known: dict[str, Refusal | str] = st.session_state.setdefault("uploads_seen", {})
    decoded = Decoded()
    for sent in taken:
        digest = hashlib.sha256(sent.data).hexdigest()
        if digest not in known:
            found = read(sent, most)
            known[digest] = found if isinstance(found, Refusal) else found.note
            if isinstance(found, Upload):
                decoded.keep(digest, found.pixels)
        told = known[digest]
        if isinstance(told, Refusal):
            refused.append(Refusal(sent.name, told.reason))
            continue
        items.append(Item(sent.name, digest, sent, decoded=decoded))
        if told:
            st.caption(f"{escaped(sent.name)}: {told}.")
    for one in refused[:8]:
        st.error(
            f"**{escaped(one.name)}** was not taken: {escaped(one.reason)}", icon=":material/broken_image:"
        )
    if len(refused) > 8:
        st.error(f"{len(refused) - 8} more files were not taken.")
    return items
