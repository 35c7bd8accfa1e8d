"""The frames selected in the gallery: they outlive its pages and filters, and what is done next is done to them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from urllib.parse import urlencode

import streamlit as st

from fer_core.ui.cache import resources
from fer_core.ui.cache.crop_facts import CropFacts
from fer_core.ui.parts.frame_grid import Frames, frame_grid
from fer_core.ui.parts.gallery import Tile
from fer_core.ui.parts.url import carried
from fer_core.ui.parts.widgets import follow
from fer_core.ui.shell.setup import Lab

from . import exclusions

#: Where a session holds the names of the selected frames with their data set, how often they were let go, and the frame
#: that was looked at last.
PICKED, TURN, LAST = "frames-picked", "frames-turn", "frame-last"


def picked() -> frozenset[str]:
    """Return the names of the selected frames."""
    source, names = st.session_state.get(PICKED, ("", frozenset()))
    return names if source == st.session_state.get("source") else frozenset()


def among(names: Sequence[str]) -> list[str]:
    """Return those of the names that are selected; all of them where none is."""
    return [name for name in names if name in picked()] or list(names)


def looked_at(name: str) -> None:
    """Remember the frame that is looked at: the gallery comes back to it."""
    st.session_state[LAST] = name


def grid(tiles: dict[str, Tile]) -> None:
    """Draw a page of the gallery and take in what is selected on it."""
    before = picked()
    frames = Frames(tiles, before, st.session_state.get(LAST, ""))
    here = frame_grid(frames, st.session_state.get(TURN, 0), _open)
    _pick(before - tiles.keys() | here)


def bar(lab: Lab, facts: CropFacts) -> None:
    """Draw what can be done on Faces with the selected frames; nothing where none is."""
    names = picked()
    if not names:
        return
    lost = names & set(facts.lost_names)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(names)} selected**", width="content")
        st.button(
            "Look through and draw",
            icon=":material/draw:",
            on_click=_open,
            args=(min(names), "Draw"),
            help="Opens the first; N leads to the next",
        )
        st.button(
            f"Win back {len(lost)}" if lost else "Win back",
            icon=":material/settings_backup_restore:",
            disabled=not lost or lab.demo,
            on_click=lambda: st.query_params.update(win_back="true"),
            help="Looks again at those of them with no face; the other lost frames stay as they are",
        )
        exclude(lab)
        clearing()


def exclude(lab: Lab, before: Collection[str] = (), form: str = "") -> None:
    """Draw what leaves the selected frames out of the next run: that is kept, and Train opens without them.

    Args:
        before: names of frames that are left out already.
        form: link of the form as it is to be filled; '' for its beginning.
    """
    names = picked()
    if st.button(
        f"Exclude {len(names)}",
        icon=":material/do_not_disturb_on:",
        disabled=lab.demo,
        help="For the next run: opens Train without these frames. Runs there are stay as they are",
    ):
        data = resources.data_config(lab.source).fingerprint
        key = lab.store.exclude(data, {*names, *before}, author=str(st.user.get("email") or "local"))
        _clear()
        st.session_state.pop("part", None)  # the next run opens at its figures
        form = form or f"./train?{urlencode(carried())}"
        follow(f"{form}&{exclusions.KEY}={key}")


def clearing() -> None:
    """Draw what lets go of the selected frames."""
    st.button("Clear", icon=":material/close:", on_click=_clear)


def _open(name: str, stage: str = "") -> None:
    st.query_params["frame"] = name
    if stage:
        st.query_params["stage"] = stage


def _pick(names: frozenset[str]) -> None:
    st.session_state[PICKED] = st.session_state.get("source"), names


def _clear() -> None:
    _pick(frozenset())
    st.session_state[TURN] = st.session_state.get(TURN, 0) + 1
