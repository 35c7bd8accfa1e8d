"""The frames selected in the gallery, which outlive its pages and filters, and what is done with them."""

from collections.abc import Collection, Iterable, Sequence
from urllib.parse import urlencode

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fer_core.config.run import DataConfig
from fer_core.storage.said_of_frames import exclusion_key
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.cache.crop_facts import CropFacts
from fer_core.ui.parts.frame_grid import frame_grid
from fer_core.ui.parts.gallery import Tile
from fer_core.ui.parts.url import one_of
from fer_core.ui.parts.widgets import age, carried, escaped, follow
from fer_core.ui.shell.setup import Lab

#: Key of the URL, on Train, and whose value is the key of an exclusion.
WITHOUT = "without"
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
    last, turn = st.session_state.get(LAST, ""), st.session_state.get(TURN, 0)
    here = frame_grid(tiles, before, last, turn, _open)
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


def exclude(lab: Lab, before: Collection[str] = (), form: str = "") -> None:
    """Draw what leaves the selected frames out of the next run, kept for Train, which opens without them, or lets go.

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
        _set()
        st.session_state.pop("part", None)  # the next run opens at its figures
        form = form or f"./train?{urlencode(carried())}"
        follow(f"{form}&{WITHOUT}={key}")
    st.button("Clear", icon=":material/close:", on_click=_set)


def steps(names: Sequence[str], name: str, *more: tuple[str, str, str | None, str, str]) -> None:
    """Draw the ways out of a frame: back to all, to the one before it and after it among names, and `more`.

    Args:
        more: label, icon, the frame that it leads to (None: nowhere), shortcut and help of each.
    """
    place = names.index(name) if name in names else None
    before = names[place - 1] if place else None
    after = names[place + 1] if place is not None and place + 1 < len(names) else None
    ways = (
        ("Back to the frames", "arrow_back", "", "G", ""),
        ("Previous", "chevron_left", before, "K", "The frame before it"),
        ("Next", "chevron_right", after, "J", "The frame after it"),
        *more,
    )
    for label, icon, to, key, text in ways:
        if st.button(label, icon=f":material/{icon}:", disabled=to is None, shortcut=key, help=text or None):
            if to:
                st.query_params["frame"] = to
            else:
                del st.query_params["frame"]
            st.rerun()


def every(names: Iterable[str]) -> None:
    """Draw what selects all frames of these names, on whatever page of the gallery, beside those that are."""
    wanted = picked().union(names)
    if wanted != picked():
        label = f"Select all {len(wanted)}"
        st.button(label, icon=":material/select_all:", type="tertiary", on_click=_set, args=(wanted,))


def _open(name: str, stage: str = "") -> None:
    st.query_params["frame"] = name
    if stage:
        st.query_params["stage"] = stage


def _pick(names: frozenset[str]) -> None:
    st.session_state[PICKED] = st.session_state.get("source"), names


def _set(names: frozenset[str] = frozenset()) -> None:
    _pick(names)
    st.session_state[TURN] = st.session_state.get(TURN, 0) + 1


def trained_on(lab: Lab, place: DeltaGenerator) -> DataConfig:
    """Draw which frames are trained on, where some were left out before, and return the data set without them."""
    whole = resources.data_config(lab.source)
    known = lab.store.exclusions(whole.fingerprint)
    if not known:
        return whole

    def words(key: str) -> str:
        return f"without {len(known[key].names)} ({key[:8]})" if key else f"all {whole.images:,}"

    key = place.selectbox(
        "Frames", **one_of(WITHOUT, ["", *known], words), help="Frames are excluded on Faces"
    )
    return resources.data_config(lab.source, known[key].names) if key else whole


def excluded(lab: Lab, run: StoredRun) -> str:
    """Return how many frames a run leaves out, who said so and when, as the end of a sentence; '' for none."""
    names = run.config.data.excluded
    if not names:
        return ""
    one = lab.store.exclusions(run.data).get(exclusion_key(names))
    by = f" by {escaped(one.author)} {age(one.created)}" if one and one.author else ""
    return f" · **{len(names)} of {run.config.data.whole.images:,} frames excluded**{by}"
