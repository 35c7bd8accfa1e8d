"""The frames themselves, to be browsed before faces have been looked for or while they are."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import streamlit as st

from fer_core.config.run import CLASSES
from fer_core.datasets.base import TABLE_LAYOUT, Sample
from fer_core.datasets.images import decode
from fer_core.errors import DataError
from fer_core.ui.cache import resources
from fer_core.ui.parts.gallery import PAGE_SIZE, Tile, encode, grid
from fer_core.ui.parts.url import links_here, one_of, page
from fer_core.ui.parts.widgets import escaped
from fer_core.ui.shell.setup import Lab

#: Pixels of a small picture's longer side, and about how many it is made from.
SIDE, MOST_PIXELS = 240, 400_000


def browse(lab: Lab) -> None:
    """Draw the filters and one page of frames, each a link to itself; or the one frame that the URL names."""
    if lab.dataset.layout == TABLE_LAYOUT:
        return
    fingerprint, name = resources.data_config(lab.source).fingerprint, st.query_params.get("frame")
    if name:
        _frame(lab, name)
        return
    found = _filtered(lab.dataset.samples)
    if not found:
        st.info("No frame passes these filters.", icon=":material/filter_alt_off:")
        return
    chosen, link = found[page(len(found), PAGE_SIZE)], links_here("faces", "frame")
    tiles = []
    for one in chosen:
        label = CLASSES[one.label]
        jpeg = resources.picture(partial(_small, one.path), "small", lab.source, fingerprint, one.name)
        note = one.group or one.split or one.name.rpartition("/")[2]
        tiles.append(Tile(jpeg, label, note, f"{label}: {one.name}", link(one.name)))
    grid(tiles)
    st.caption(f"{len(chosen)} of {len(found):,} frames, whole: faces have not been looked for.")


def _filtered(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Draw the filters of what is known before faces are looked for, and return the frames that pass."""
    groups = sorted({one.group for one in samples} - {""})
    splits = sorted({one.split for one in samples if one.split})
    first, second, third = st.columns(3)
    wanted = {
        "label": [CLASSES.index(name) for name in first.multiselect("Class", **one_of("class", CLASSES))],
        "group": second.multiselect("Movie or person", **one_of("group", groups)) if groups else [],
        "split": third.multiselect("Split", **one_of("split", splits)) if splits else [],
    }
    asked = {field: set(values) for field, values in wanted.items() if values}
    return [one for one in samples if all(getattr(one, field) in values for field, values in asked.items())]


def _small(path: Path) -> bytes:
    """Return a picture as a small JPEG, grey where it can't be read."""
    try:
        return encode(decode(path, most=MOST_PIXELS).pixels, within=(SIDE, SIDE))
    except DataError:
        return encode(np.full((SIDE, SIDE, 3), 128, np.uint8))


def _frame(lab: Lab, name: str) -> None:
    if st.button("Back to the gallery", icon=":material/arrow_back:"):
        del st.query_params["frame"]
        st.rerun()
    pixels = resources.frame_array(lab.source, name)
    st.image(pixels, caption=escaped(name), alt=f"Frame {name}")
