"""A grid of frames, each opened in this session by a click and selected by a tick; a return finds its place."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from fer_core.config.run import digest
from fer_core.ui.parts.gallery import Tile

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Frames:
    """Tiles by the frames' names, which of them are selected, and the frame that was looked at last."""

    tiles: dict[str, Tile]
    picked: frozenset[str]
    last: str


@cache
def _component() -> Callable[..., Any]:
    css, js = ((HERE / f"grid.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return st.components.v2.component("fer_frame_grid", html='<div class="fer-grid"></div>', css=css, js=js)


def frame_grid(frames: Frames, turn: int, on_open: Callable[[str], None]) -> frozenset[str]:
    """Draw the grid and return the names of those selected on it.

    Args:
        turn: another number lets go of what is selected on the grid and begins with `frames.picked`.
        on_open: called with a frame's name before the page's next run.
    """
    names: Sequence[str] = list(frames.tiles)
    key = f"frames-{digest([turn, *names])}"
    picked = [name for name in names if name in frames.picked]
    data = {
        "id": key,
        "picked": picked,
        "last": frames.last,
        "tiles": [
            {
                "name": name,
                "image": "data:image/jpeg;base64," + base64.b64encode(tile.jpeg).decode(),
                "title": tile.title,
                "note": tile.note,
                "alt": tile.alt,
                "link": tile.link,
            }
            for name, tile in frames.tiles.items()
        ],
    }
    result = _component()(
        key=key,
        data=data,
        default={"picked": picked},
        on_picked_change=lambda: None,
        on_opened_change=lambda: on_open(st.session_state[key].opened),
    )
    return frozenset(result.picked or ())
