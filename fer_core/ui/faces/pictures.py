"""What the gallery, a frame and the bench have in common: outlined faces, and tiles that lead to their frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import quote_plus, urlencode

import numpy as np
import streamlit as st

from fer_core.faces.crops import Faces
from fer_core.faces.drawing import CHOSEN, DRAWN, OTHER, annotate
from fer_core.faces.explanation import shown
from fer_core.ui.parts.gallery import encode


def outlined(image: np.ndarray, faces: Faces, status: str, box: Sequence[float] | None) -> bytes:
    """Return a frame as JPEG with every face outlined, the chosen one and a hand-drawn box in their colours.

    Args:
        image: (H, W, 3) uint8 RGB.
        status: what became of the frame; `box` is drawn by hand where it is 'manual'.
        box: the frame is cut there; None for no face.
    """
    drawn = [list(box)] if box is not None and status == "manual" else []
    chosen = [box is not None and not drawn and np.allclose(face, box) for face in faces.boxes]
    picture = annotate(
        image,
        [*faces.boxes.tolist(), *drawn],
        labels=[*(shown(float(value)) for value in faces.probabilities), "drawn"],
        colours=[*(CHOSEN if this else OTHER for this in chosen), DRAWN],
        landmarks=list(faces.landmarks),
    )
    return encode(picture)


def frame_links() -> Callable[[str], str]:
    """Return what gives a frame's link by its name; the rest of the URL stays as it is."""
    query = [(name, st.query_params.get_all(name)) for name in st.query_params if name != "frame"]
    start = "./faces?" + urlencode([*query, ("frame", "")], doseq=True)
    return lambda name: start + quote_plus(name)
