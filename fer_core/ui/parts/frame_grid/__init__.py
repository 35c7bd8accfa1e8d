"""A grid of frames, each opened in this session by a click and selected by a tick; a return finds its place."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from fer_core.config.run import digest
from fer_core.ui.parts.gallery import Tile, inline

HERE = Path(__file__).parent


@cache
def _component() -> Callable[..., Any]:
    css, js = ((HERE / f"grid.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return st.components.v2.component("fer_frame_grid", html='<div class="fer-grid"></div>', css=css, js=js)


def frame_grid(
    tiles: dict[str, Tile], picked: frozenset[str], last: str, turn: int, on_open: Callable[[str], None]
) -> frozenset[str]:
    """Draw the grid and return the names of those selected on it.

    Args:
        tiles: by the frames' names, unique on the page.
        picked: names of frames that are selected, on the grid or elsewhere.
        last: name of the frame that was looked at last.
        turn: another number lets go of what is selected on the grid and begins with `picked`.
        on_open: called with a frame's name before the page's next run.
    """
    key = f"frames-{digest([turn, *tiles])}"
    here = [name for name in tiles if name in picked]
    data = {
        "id": key,
        "picked": here,
        "last": last,
        "tiles": [
            {
                "name": name,
                "image": inline(tile.jpeg),
                "title": tile.title,
                "note": tile.note,
                "alt": tile.alt,
                "link": tile.link,
            }
            for name, tile in tiles.items()
        ],
    }
    result = _component()(
        key=key,
        data=data,
        default={"picked": here},
        on_picked_change=lambda: None,
        on_opened_change=lambda: on_open(st.session_state[key].opened),
    )
    return frozenset(result.picked or ())
