"""What can be declared of a data set, as fields: all that the command line takes. Each is in the URL."""

from urllib.parse import urlencode

import streamlit as st

from fer_core.datasets.open import LAYOUTS
from fer_core.datasets.readers.meanings.labels import LABEL_MAPS
from fer_core.datasets.readers.unpacking import unpack
from fer_core.storage.store import NamedData
from fer_core.ui.parts.url import one_of
from fer_core.ui.parts.widgets import escaped
from fer_core.ui.shell.setup import Lab
from fer_core.ui.shell.uploads import held

#: A field's title by what it declares.
TITLES = {
    "label_map": "Label map",
    "variant": "Whole frames or aligned faces",
    "label_pattern": "Label pattern",
    "group_pattern": "Group pattern",
    "columns": "Columns",
    "image_root": "Folder of the images",
}

#: What a field is called in the URL, where another page has a key of its name.
KEYS = {"columns": "list_columns"}

VARIANTS = ("whole", "aligned")

#: A zip may unfold to so many times what an upload may have.
UNFOLDS = 4

_TEXTS = {
    "label_pattern": (
        r"^(?P<group>S\d+)_(?P<label>[a-z]+)",
        "A regular expression that finds the label in a file's name; it may name a group and a clip as well.",
    ),
    "group_pattern": (
        r"^(\d+)_",
        "A regular expression that finds the person or movie in a file's name, or failing that in its path.",
    ),
    "columns": ("path=img,label=emo", "Which column of a list is which: path, label, split, group, clip."),
    "image_root": (
        "/data/images",
        "What the paths of a list are relative to, where it isn't its own folder.",
    ),
}


def place(lab: Lab) -> str:
    """Draw where the data set lies and return it; a zip that is sent lies where it was unpacked."""
    if not _allowed(lab):
        return _path()
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with right.popover("Upload a zip", icon=":material/folder_zip:", width="stretch"):
        most = lab.settings.limits.upload_mb
        file = held(
            st.file_uploader("A zip of images, with their lists", ["zip"], key="zip", max_upload_size=most)
        )
        st.caption(
            f"Up to {most} MB, unpacked to `{lab.settings.uploads}`. A larger one: unpack it on that "
            "machine and give its path."
        )
        if file and st.button("Unpack", type="primary", key="unpack"):
            found, out = unpack(file, lab.settings.uploads, UNFOLDS * most << 20)
            st.session_state["path"] = str(found)
            rest = f" {out:,} of its files are neither images nor lists, and were left out." if out else ""
            st.success(f"Unpacked.{rest}", icon=":material/check:")
    with left:
        return _path()


def _allowed(lab: Lab) -> bool:
    """Return whether what is uploaded would lie where data sets may lie."""
    roots = [root.resolve() for root in lab.settings.data_roots]
    home = lab.settings.uploads.resolve()
    return not roots or any(home.is_relative_to(root) for root in roots)


def _path() -> str:
    typed = st.text_input(
        "Where it lies",
        key="path",
        bind="query-params",
        placeholder="/data/rafdb",
        help="The path of a folder or a list on the machine that runs FER Lab.",
    )
    return typed.strip()


def declared() -> tuple[str, dict[str, str]]:
    """Draw the fields and return the layout, and what is declared by the fields of `Reading`."""
    left, middle, right = st.columns(3)
    layout = left.selectbox(
        "Layout",
        **one_of("layout", ("auto", *LAYOUTS)),
        help="auto: the first that recognises it. What each reads is in docs/datasets.md.",
    )
    found = {
        "label_map": middle.selectbox(
            TITLES["label_map"],
            list(LABEL_MAPS),
            index=None,
            accept_new_options=True,
            key="label_map",
            bind="query-params",
            placeholder="none: labels are words",
            help="Whose numbers they are, or pairs of your own, such as 4=sad,5=surprise. Never guessed.",
        ),
        "variant": right.selectbox(
            TITLES["variant"], index=None, placeholder="what there is", **one_of("variant", VARIANTS)
        ),
    }
    given = any(st.query_params.get(KEYS.get(name, name)) for name in _TEXTS)
    with st.expander("Patterns, columns, folder of the images", expanded=given):
        columns = st.columns(2)
        for number, (name, (example, text)) in enumerate(_TEXTS.items()):
            found[name] = columns[number % 2].text_input(
                TITLES[name], key=KEYS.get(name, name), bind="query-params", placeholder=example, help=text
            )
    return str(layout), {name: value.strip() for name, value in found.items() if value and value.strip()}


def in_words(error: Exception) -> str:
    """Return what is wrong with a declaration; options of the command line under the names that they have here."""
    text = escaped(error)
    for name, title in TITLES.items():
        option = escaped("--" + name.replace("_", "-"))
        text = text.replace(f"{option} NAME", f"*{title}*").replace(option, f"*{title}*")
    return text


def link(one: NamedData) -> str:
    """Return the address of the page with what a data set is read by."""
    given = {KEYS.get(name, name): value for name, value in one.reading.declared().items()}
    return "./bring?" + urlencode({"path": one.source, "layout": one.layout, "called": one.name} | given)
