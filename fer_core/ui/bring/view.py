"""The Bring data page's parts: what was understood, its name, and the data sets that were brought before."""

import re
import shutil
from functools import partial
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from fer_core.config.reading import Reading
from fer_core.config.run import parse
from fer_core.datasets.base import Dataset
from fer_core.datasets.open import DEMO
from fer_core.datasets.understood import Understood
from fer_core.errors import FerError
from fer_core.storage.store import NamedData
from fer_core.ui.cache import resources, samples
from fer_core.ui.panels import reading
from fer_core.ui.parts.widgets import empty, escaped, folded
from fer_core.ui.shell.setup import BROUGHT, Lab

from . import declaring

#: Lines of reasons why images are left out.
MOST_REASONS = 50


def draft(place: str, layout: str, declared: dict[str, str]) -> tuple[Dataset, Understood] | None:
    """Return the data set as it would be read; draw what is wrong and return None where it can't be."""
    if not place:
        empty(
            "Give a folder, or a list of images",
            "FER Lab recognises the usual layouts: a folder a class, CSV lists, SFEW, RAF-DB, FER2013, FERPlus, "
            "AffectNet, CK+, ExpW, Aff-Wild2, JAFFE, KDEF, RaFD, image folders of Hugging Face. What it understood "
            "shows here, with pictures of each class, before anything is opened.",
        )
        return None
    if place == DEMO:
        st.info("The generated faces are in the list of data sets already.", icon=":material/draw:")
        return None
    try:
        return samples.draft(place, layout, tuple(sorted(declared.items())))
    except FerError as error:
        st.error(declaring.in_words(error), icon=":material/error:")
        return None


def shown(dataset: Dataset, found: Understood, declared: dict[str, str]) -> None:
    """Draw what was understood."""
    known = [f"**{name or 'no split'}** {images:,}" for name, images in found.splits.items()]
    st.markdown(
        f"#### {found.images:,} images, read as layout {escaped(found.layout)}, "
        + (f"labels by the map {escaped(found.label_map)}" if found.label_map else "labels by their words")
    )
    parts = [f"splits: {', '.join(known)}"] if set(found.splits) - {""} else ["no splits"]
    parts.append(
        f"**{len(found.groups):,}** movies or persons" if found.groups else "no movies or persons known"
    )
    parts += [f"**{found.clips:,}** clips"] if found.clips else []
    out = sum(one.images for one in found.left_out)
    parts.append(f"**{out:,}** left out" if out else "nothing left out")
    st.markdown(" · ".join(parts))
    key = (dataset.source, found.layout, *map(str, sorted(declared.items())))
    reading.pictures(found, samples.class_samples(dataset, *key))


def details(dataset: Dataset, found: Understood) -> None:
    """Draw each label as it is written, what else is to be known, what is left out and why, images per class."""
    reading.table(found)
    for remark in found.remarks:
        st.caption(f":material/info: {escaped(remark)}")
    if found.left_out:
        out = sum(one.images for one in found.left_out)
        rows = [(one.images, one.reason, one.example) for one in found.left_out[:MOST_REASONS]]
        table = pd.DataFrame(rows, columns=["Images or rows", "Why", "For example"])
        with st.expander(f"Left out: {out:,}, and why", icon=":material/filter_alt_off:", expanded=out <= 5):
            st.dataframe(table, hide_index=True, alt="Why images are left out")
    folded("Images per class and movie, person or split", partial(reading.classes, dataset), key="classes")


def opening(dataset: Dataset, layout: str, declared: dict[str, str]) -> None:
    """Draw the name and the button that opens the data set under it."""
    usual = " ".join([dataset.name, *filter(None, [declared.get("variant")])])
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    typed = left.text_input(
        "Its name",
        key="called",
        bind="query-params",
        placeholder=usual,
        max_chars=60,
        help="Under this name it is in the sidebar's list, read as declared here.",
    )
    name = typed.strip() or usual
    one = NamedData(name, dataset.source, layout, parse(Reading, declared))
    wrong = name == DEMO or re.search(r"[/\\]", name)
    if wrong:
        st.error("A name must not be a path, or that of the demo.", icon=":material/error:")
    before = resources.brought().get(name)
    if before and before != one:
        st.warning(
            f"**{escaped(name)}** is {escaped(before.source)} so far, read by {escaped(_words(before))}. Opening "
            "replaces that; its runs stay.",
            icon=":material/swap_horiz:",
        )
    if right.button(
        "Open data set", type="primary", icon=":material/folder_open:", disabled=bool(wrong), width="stretch"
    ):
        resources.bring(one)
        st.session_state[BROUGHT] = name
        st.switch_page("app.py", query_params={"data": name})


def _words(one: NamedData) -> str:
    given = [f"{name}={value}" for name, value in one.reading.declared().items()]
    return ", ".join([f"layout {one.layout}", *given])


def before(lab: Lab) -> None:
    """Draw the data sets that were brought before, each with a link to it and one to its declaration."""
    known = resources.brought()
    if not known:
        return
    st.subheader("Brought before")
    rows = [
        {
            "Open": "./?" + urlencode({"data": one.name}),
            "Name": one.name,
            "Lies at": one.source,
            "Read by": _words(one),
            "Change": declaring.link(one),
        }
        for one in known.values()
    ]
    links = {
        name: st.column_config.LinkColumn(name, display_text=name, width="small")
        for name in ("Open", "Change")
    }
    st.dataframe(pd.DataFrame(rows), column_config=links, hide_index=True, alt="Data sets brought before")
    with st.popover("Forget one", icon=":material/delete:"):
        name = st.selectbox("Name", list(known), key="forget-name")
        sent = _sent(lab, known[name].source)
        used = bool(lab.store.runs(source=known[name].source, limit=1))
        away = sent and not used and sum(_sent(lab, one.source) == sent for one in known.values()) == 1
        st.caption(
            "It was uploaded and no run used it: its files are deleted."
            if away
            else "Its name goes; its files and runs stay."
        )
        if st.button("Forget", type="primary", key="forget"):
            resources.bring(None, forget=name)
            if away:
                shutil.rmtree(lab.settings.uploads / sent)
            st.rerun()


def _sent(lab: Lab, source: str) -> str:
    """Return the folder of uploads in which a data set lies, '' where it wasn't uploaded."""
    found = re.match(re.escape(f"{lab.settings.uploads}/") + "([0-9a-f]{16})(?=/|$)", source)
    return found[1] if found else ""
