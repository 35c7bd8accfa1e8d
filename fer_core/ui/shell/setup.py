"""What every page starts with: page config, navigation, the choice of data set, errors made readable.

Streamlit's `st.navigation` lets a deep link on a fresh server skip the first page, so the pages are discovered from
`pages/` and each one enters `setup()` itself, whatever page comes first.
"""

import logging
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from fer_core.config.once import once
from fer_core.config.settings import Settings
from fer_core.datasets.base import Dataset
from fer_core.errors import ConfigError, FerError, UndrawnError, UnopenedError
from fer_core.prediction import limits
from fer_core.storage.store import Store
from fer_core.ui.cache import resources
from fer_core.ui.cache.predictors import warm_up
from fer_core.ui.parts.url import notices
from fer_core.ui.parts.widgets import carried, escaped, follow_clicked

from . import framework, uploads
from .access import Access, account, enter, visitor
from .card import share
from .preparing import preparing

log = logging.getLogger("fer_core.ui")

PAGES: tuple[tuple[str, str, str], ...] = (
    ("app.py", "Overview", ":material/home:"),
    ("pages/faces.py", "Faces", ":material/frame_person:"),
    ("pages/train.py", "Train", ":material/model_training:"),
    ("pages/compare.py", "Compare", ":material/compare_arrows:"),
    ("pages/predict.py", "Predict", ":material/add_photo_alternate:"),
)
BRING = ("pages/bring.py", "Bring data", ":material/upload:")

#: What the session keeps: the name of a data set that was just brought, to be chosen on the page after.
BROUGHT = "brought"

#: What a demo shows, its front door first.
DEMO_PAGES = (
    PAGES[4],
    ("pages/made.py", "How it was made", ":material/fact_check:"),
    PAGES[3],
    PAGES[1],
)

HERE = Path(__file__).parent
#: A file, for Streamlit fetches a Material icon for the browser's tab from another host.
ICON, STYLE = HERE / "icon.svg", HERE / "style.css"


@dataclass(frozen=True)
class Lab:
    """What a page works with: settings, the store, the data set named in the URL (`?data=`), who looks."""

    settings: Settings
    store: Store
    source: str
    access: Access

    @property
    def dataset(self) -> Dataset:
        """The chosen data set; opening it is cached."""
        return resources.dataset(self.source)

    @property
    def demo(self) -> bool:
        """True where nothing can be started or changed: on a hosted demo, and for a viewer who signed in."""
        return bool(self.access.closed)

    @property
    def closed(self) -> str:
        """Why nothing can be started or changed, as the start of a sentence; '' where it can."""
        return self.access.closed

    @property
    def visitor(self) -> str:
        """Who counts as one visitor for `fer_core.prediction.limits`."""
        return visitor(self.access, self.settings)


@contextmanager
def setup(title: str, heading: Callable[[Lab], str] | None = None) -> Iterator[Lab]:
    """Configure the page, draw the navigation and hand out the `Lab`.

    Above the page stands what `heading` returns, such as a run's name; its title where that is nothing.
    A demo's first page leads visitors to its front door, Predict. A `FerError` raised inside is shown with its rule,
    value and fix; any other error is logged with an id that the visitor sees. Streamlit's stop and rerun pass through.
    """
    st.set_page_config(page_title=f"{title} · FER Lab", page_icon=ICON, layout="wide")
    st.html(STYLE)
    with errors_shown(title):
        settings = resources.settings()
        access = enter(settings)
        if settings.demo and title == PAGES[0][1] and not access.owner:
            st.switch_page(DEMO_PAGES[0][0], query_params=carried())
        started()
        if not st.session_state.get("counted"):
            st.session_state["counted"] = True
            limits.count(visits=1)
        store = resources.reader() if access.role == "viewer" else resources.store()
        _whole_ids(store)
        lab = Lab(settings, store, _navigation(access, bool(settings.demo)), access)
        own = heading(lab) if heading else ""
        if own:
            st.set_page_config(page_title=f"{own} · FER Lab")
        st.title(escaped(own) if own else title)
        with notices(), uploads.of_this_run():
            try:
                yield lab
            except UndrawnError:
                preparing(access.closed)
            except UnopenedError as error:
                _unopened(error, lab)
        return
    st.stop()  # the page's body must not run without a lab


def _whole_ids(store: Store) -> None:
    """Write runs in full into the URL that a short address names by the first digits of their ids."""
    for name in ("run", "against"):
        given = st.query_params.get(name, "")
        if (whole := store.whole_id(given)) != given and store.runs(ids=[whole]):
            st.query_params[name] = whole


def _unopened(error: UnopenedError, lab: Lab) -> None:
    """Draw why the data set can't be opened, and the way to say how it is read."""
    st.error(escaped(error), icon=":material/error:")
    if not lab.closed:
        path, _, icon = BRING
        named = resources.brought().get(lab.source)
        place = {"path": named.source if named else lab.source}
        st.page_link(path, label="Say how it is read, and open it", icon=icon, query_params=place)


@contextmanager
def errors_shown(title: str) -> Iterator[None]:
    """Show what the body raises as `setup` does; a fragment needs it for itself."""
    try:
        yield
    except FerError as error:
        st.error(escaped(error), icon=":material/error:")  # it repeats what a link or a file says
    except Exception:
        ticket = secrets.token_hex(4)
        log.exception("error %s on page %s", ticket, title)
        st.error(
            f"Something went wrong here that is not your doing. Error id **{ticket}**: the server's log has the trace.",
            icon=":material/bug_report:",
        )


def _navigation(access: Access, demo: bool) -> str:
    """Draw the sidebar and return the source of the data set that is looked at."""
    st.logo(ICON, size="large", link=None)
    with st.sidebar:
        follow_clicked()
        st.markdown("### FER Lab")
        # Not bound by the widget: Streamlit drops a bound parameter on the way to another page. Set in every run: a
        # choice that a link made, not a click, would be the widget's first option again on the next page.
        brought = st.session_state.pop(BROUGHT, None)
        first = resources.sources()[0]
        chosen = brought or st.session_state.get("source") or st.query_params.get("data") or first
        chosen = resources.called(chosen)
        st.session_state["source"] = chosen
        if access.closed and chosen not in resources.sources():
            raise ConfigError(
                f"{access.closed}, which opens only the data sets it lists"
                if access.role == "visitor"
                else f"{access.closed}, who may open the data sets in the list",
                got=repr(chosen),
                fix="Choose one of the list",
            )
        source = st.selectbox(
            "Data set",
            list(dict.fromkeys([*resources.sources(), chosen])),
            key="source",
            persist_state="session",
            accept_new_options=not access.closed,
            format_func=lambda value: "Generated faces (demo)" if value == "demo" else value,
            help=None
            if access.closed
            else "Pick one, or type the path of a folder or list on the machine that runs FER Lab. *Bring data* "
            "shows how it is read, and lets you correct it.",
        )
        source = source or first
        if source != st.query_params.get("data", first):
            st.query_params["data"] = source
        pages = (*DEMO_PAGES, *PAGES[: access.owner]) if demo else PAGES if access.closed else (*PAGES, BRING)
        for path, label, icon in pages:
            st.page_link(
                path, label=label, icon=icon, query_params=None if source == first else {"data": source}
            )
        if demo and st.button("Share this page", icon=":material/qr_code_2:", type="tertiary"):
            share()
        if access.closed:
            st.info(
                f"{access.closed}: look around and predict; starting, importing and changing things is off. "
                "What you upload stays in memory and is never written or logged.",
                icon=":material/visibility:",
            )
        account(access)
    return source


@contextmanager
def computing(lab: Lab, images: int = 1) -> Iterator[None]:
    """Count images as the visitor's, wait for the device, and hold it for the body.

    Args:
        images: how many; 0 where they have been counted before.

    Raises:
        BusyError: too many a minute, or too many wait.
    """
    if images:
        limits.admit(lab.visitor, images)
    show = line("the device")
    with limits.device_turn(lab.visitor, show):
        show(0)
        yield


def line(what: str) -> Callable[[int], None]:
    """Return what tells a visitor here how many are before them in the line for something; 0 clears it."""
    place = st.empty()

    def show(ahead: int) -> None:
        if ahead:
            place.caption(
                f":material/group: You are number {ahead + 1} in line for {what}: {ahead} before you."
            )
        else:
            place.empty()

    return show


#: Seconds that a thread of Python's holds the others off. A pass through a network lets go of the interpreter in each
#: of its hundreds of operations; at Python's 5 ms each, two busy pages make an answer's 0.1 s four seconds long.
HELD = 0.0005


@once
def started() -> None:
    """Set the server up for all visitors and load a model ahead; nothing where pages run without a server."""
    if st.runtime.exists():
        sys.setswitchinterval(HELD)
        framework.mend()
        warm_up()
