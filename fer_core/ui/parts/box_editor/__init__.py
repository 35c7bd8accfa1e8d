"""The box editor: draw, move and resize one box on a frame by mouse, finger or keyboard."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from fer_core.faces.crops import Box, Faces
from fer_core.ui.parts.gallery import encode, inline

HERE = Path(__file__).parent

#: The longer side, in pixels, that a frame is sent to the browser with.
SHOWN = 1280

#: Box corners are kept to this many digits after the point: far finer than a pointer.
DIGITS = 2


@cache
def _component() -> Callable[..., Any]:
    html, css, js = ((HERE / f"editor.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
    return st.components.v2.component("fer_box_editor", html=html, css=css, js=js)


def box_editor(
    jpeg: bytes,
    size: tuple[int, int],
    name: str,
    *,
    faces: Faces | None,
    chosen: Box | None = None,
    box: Box | None,
    key: str,
) -> Box | None:
    """Draw the editor and return its box.

    Args:
        jpeg: the frame, or a smaller copy of it: `shown`.
        size: (width, height) of the frame in source pixels.
        name: what a screen reader calls the frame.
        faces: those found, shown as dashed boxes that can be taken by a click; None for none.
        chosen: the box that the frame is cut at, marked among them; None for none.
        box: the box to begin with, source pixels.
        key: identity of the editor; a new key begins with `box` again.

    Returns:
        (x1, y1, x2, y2) in source pixels inside the frame, to `DIGITS` digits; `box` until it was edited.
    """
    width, height = size
    found = [] if faces is None else zip(faces.boxes, faces.probabilities, strict=True)
    data = {
        "id": key,
        "name": name,
        "image": inline(jpeg),
        "width": width,
        "height": height,
        "faces": [
            {
                "box": [float(value) for value in corners],
                "probability": float(probability),
                "chosen": chosen is not None and bool(np.allclose(corners, chosen)),
            }
            for corners, probability in found
        ],
        "box": None if box is None else list(box),
    }
    result = _component()(key=key, data=data, default={"box": data["box"]}, on_box_change=lambda: None)
    return clip(result.box, (width, height))


def clip(box: Sequence[float] | None, frame: tuple[int, int]) -> Box | None:
    """Return a box cut to a frame of (width, height) and rounded; None for none or where nothing is left."""
    if box is None or len(box) != 4:
        return None
    width, height = frame
    x1, x2 = (round(min(max(float(value), 0.0), width), DIGITS) for value in (box[0], box[2]))
    y1, y2 = (round(min(max(float(value), 0.0), height), DIGITS) for value in (box[1], box[3]))
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def shown(image: np.ndarray) -> bytes:
    """Return an (H, W, 3) uint8 RGB frame as JPEG, its longer side `SHOWN` pixels at most."""
    return encode(image, within=(SHOWN, SHOWN))
