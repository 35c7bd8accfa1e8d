"""Win back lost faces: second looks tried on all lost frames, believed or not one by one, kept under a name."""

from functools import partial

import streamlit as st

from fer_core.config.run import CLASSES, RESCUES, FacesConfig, RunConfig
from fer_core.faces.crops import Faces, choose, cut
from fer_core.faces.crops_artifact import freeze_names
from fer_core.faces.explanation import shown
from fer_core.faces.rescue import POLICIES, stretched
from fer_core.ui.cache import resources
from fer_core.ui.cache.crop_facts import CropFacts
from fer_core.ui.panels import selection
from fer_core.ui.panels.trace import outlined
from fer_core.ui.parts.gallery import encode
from fer_core.ui.parts.url import page
from fer_core.ui.shell.setup import Lab, computing, errors_shown

from .settings import keep

#: Tried in this order: what won most of a film's lost frames and got the fewest wrong comes first.
TRIED = ("stretch", "light", "rotate")

#: Frames shown at once.
SHOWN = 24

#: Where the session holds the names of the frames that are not believed.
TURNED_DOWN = "win-back-turned-down"


def offer(lab: Lab, config: RunConfig, facts: CropFacts) -> None:
    """Draw the button that opens the panel, and the panel while the URL asks for it (`?win_back=true`).

    Of selected frames only those are tried, and only they are kept. There is none where no frame is lost or no face
    was looked for.
    """
    if not facts.lost_names or not config.faces.extract:
        return
    if "win_back" not in st.query_params or lab.demo:
        if st.button(
            f"Win back lost faces ({len(selection.among(facts.lost_names)):,})",
            type="primary",
            icon=":material/settings_backup_restore:",
            disabled=lab.demo,
            help="Looks again at the frames with no face, with stretched contrast, evened light and turned; nothing is "
            "kept before you say so",
        ):
            st.query_params["win_back"] = "true"
            st.session_state[TURNED_DOWN] = set()
            st.rerun()
        return
    with st.container(border=True):
        _panel(lab, config, selection.among(facts.lost_names), facts.lost_names)


@st.fragment
@errors_shown("Faces")
def _panel(lab: Lab, config: RunConfig, lost: list[str], of: list[str]) -> None:
    head = st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute")
    head.markdown("#### Win back lost faces", width="content")
    if head.button("Close", icon=":material/close:"):
        del st.query_params["win_back"]
        st.rerun()
    chosen = st.pills(
        "Second looks, tried from left to right until one finds a face",
        RESCUES,
        selection_mode="multi",
        default=TRIED,
        format_func=lambda name: POLICIES[name].title.capitalize(),
        key="win-back-looks",
    )
    looks = tuple(name for name in RESCUES if name in chosen)
    faces = config.faces.model_copy(update={"rescue": looks, "turned_down": ""})
    place, found, turn = st.empty(), {}, partial(computing, lab, 0)
    for done, name in enumerate(lost, start=1):
        if again := resources.second_look(lab.source, config.data.fingerprint, name, faces, turn):
            found[name] = again
        place.progress(done / len(lost), text=f"{done} of {len(lost)} frames looked at")
    place.empty()
    down = st.session_state.setdefault(TURNED_DOWN, set())
    taken = len(found.keys() - down)
    st.markdown(
        f"**{len(found)} of {len(lost)}** show a face now, **{taken}** are taken. Look at each: what a second look "
        "finds is not always a face. Frames are shown with stretched contrast, crops as the network gets them."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = (
            st.text_input("Name", "Won back", max_chars=60, key="win-back-name", width=220).strip()
            or "Won back"
        )
        kept = st.button(
            f"Keep {taken} as “{name}”",
            type="primary",
            icon=":material/check:",
            disabled=not taken,
            on_click=_keep,
            args=(
                lab,
                config,
                faces.model_copy(update={"name": name}),
                sorted({*of} - {*lost} | found.keys() & down),
            ),
            help="These become the detection settings of this page, under this name",
        )
        st.button("Take all", icon=":material/done_all:", on_click=_take, args=(list(found), True))
        st.button("Take none", icon=":material/remove_done:", on_click=_take, args=(list(found), False))
    if kept:
        st.rerun()
    labels = {sample.name: CLASSES[sample.label] for sample in lab.dataset.samples}
    cells = st.container(key="won-back").grid(3, border=True)
    for name in list(found)[page(len(found), SHOWN, "win_back_page")]:
        with cells.cell():
            _picture(lab, faces, name, found[name], labels[name])


def _take(names: list[str], taken: bool, only: str = "") -> None:
    """Believe or turn down frames, or `only` as its own box says."""
    down = st.session_state[TURNED_DOWN]
    for name in names:
        own = st.session_state[f"take-{only}"] if only else taken
        (down.discard if own else down.add)(name)
        if not only:
            st.session_state[f"take-{name}"] = taken


def _picture(lab: Lab, config: FacesConfig, name: str, faces: Faces, label: str) -> None:
    chosen = choose(faces, config)
    key = ("won back", lab.source, name, faces.rescued_by, config.model_dump_json())

    def frame() -> bytes:
        return outlined(stretched(resources.frame_array(lab.source, name)), faces, chosen.status, chosen.box)

    def crop() -> bytes:
        return encode(cut(resources.frame_array(lab.source, name), chosen, config))

    left, right = st.columns([5, 3], vertical_alignment="center")
    left.image(
        resources.picture(frame, *key, "frame"), alt=f"Frame {name} with the face found", width="stretch"
    )
    right.image(resources.picture(crop, *key, "crop"), alt=f"Crop of {name}", width="stretch")
    how = POLICIES[str(faces.rescued_by)].title
    asked = f"{label} · {how} · {shown(float(chosen.probability or 0))}"
    st.session_state.setdefault(f"take-{name}", name not in st.session_state[TURNED_DOWN])
    st.checkbox(asked, key=f"take-{name}", help=name, on_change=_take, args=([name], True, name))


def _keep(lab: Lab, config: RunConfig, faces: FacesConfig, down: list[str]) -> None:
    """Ask for the detection under its name and make it this page's: the form takes it at the next run."""
    key = freeze_names(resources.artifacts(), down)
    keep(lab, config, faces.model_copy(update={"turned_down": key}))
    del st.query_params["win_back"]
