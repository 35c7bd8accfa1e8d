"""The Train page's other form: what transfer learning is compared with, an SVM, a BDNN and its control."""

from pathlib import Path
from typing import Any

import streamlit as st

from fer_core.config.comparators import Inputs, LpqConfig, LpqPhogConfig, PhogConfig, PixelsConfig
from fer_core.config.run import FacesConfig, Model, RunConfig, TrainingConfig, parse
from fer_core.datasets.readers.feature_table import LAYOUT
from fer_core.learning.networks.naming import COLUMNS, INPUTS
from fer_core.runs.plans.comparison import comparator, inputs_of, require_rows
from fer_core.runs.plans.requests import settings_of, whole_numbers
from fer_core.ui.panels import selection
from fer_core.ui.parts.url import in_range, one_of, switch
from fer_core.ui.shell.setup import Lab

from . import form_fields
from .form_fields import EXTRACTION

WHAT = NETWORK, OTHER = "transferred network", "SVM, BDNN or MLP"
KINDS = {"SVM": "svm", "BDNN": "bdnn", "MLP": "mlp"}
TABLE = "feature table"
#: Keys of the form's link that are fields of a descriptor.
DESCRIPTORS = ("side", "levels", "bins", "degrees", "window", "blocks")


def chosen(lab: Lab) -> bool:
    """Draw the choice between both forms; True for this one, the only one for a feature table."""
    if lab.dataset.layout == LAYOUT:
        st.caption(
            "A feature table has no images, so no network can be transferred to it; these can be trained:"
        )
        return True
    what = st.segmented_control("What to train", default=NETWORK, required=True, **one_of("what", WHAT))
    return bool(what == OTHER)


def form(lab: Lab) -> list[RunConfig]:
    """Draw the form and return the runs it stands for, one per model and what it reads."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        kinds = st.pills(
            "Models (one run each)",
            selection_mode="multi",
            default=list(KINDS),
            **one_of("models", list(KINDS)),
        )
        read = _sheet_inputs(lab) if lab.dataset.layout == LAYOUT else _image_inputs()
        require_rows(lab.dataset, read)
        name = form_fields.protocol_choice(lab.dataset)
    with right:
        first, second = st.columns(2)
        protocol = form_fields.protocol(name, form_fields.folds(first), second)
        dense = _dense_settings()
        faces = _faces(lab)
        data = selection.trained_on(lab, second)
    models: list[Model] = []
    for kind in (KINDS[name] for name in kinds):
        settings = {} if kind == "svm" else {**dense["both"], **(dense["bdnn"] if kind == "bdnn" else {})}
        models += [comparator(kind, inputs, **settings) for inputs in read]
    return settings_of(data, faces, models, protocol, TrainingConfig())


def _image_inputs() -> list[Inputs]:
    """Draw what is read of each image, and return it."""
    names = st.pills(
        "What they read",
        selection_mode="multi",
        default=[INPUTS["phog"]],
        **one_of("reads", [*INPUTS.values(), TABLE]),
    )
    with st.popover("Descriptors", icon=":material/tune:"):
        st.caption(
            "PHOG: Bosch et al. 2007; LPQ: Ojansivu and Heikkilä 2008. As they stand here they gave the published "
            "46.28 and 43.71 %; both together gave 19.0 % (SPI) with 4 blocks, 4 levels and 16 bins."
        )
        one, two, three = st.columns(3)
        side = one.number_input("Pixels: side", value=32, **in_range("side", 4, 160))
        phog = {
            "levels": one.selectbox("PHOG: levels", **one_of("levels", [3, 4])),
            "bins": two.selectbox("PHOG: bins", **one_of("bins", [8, 16])),
            "degrees": two.selectbox("PHOG: degrees", **one_of("degrees", [360, 180])),
        }
        lpq = {
            "window": three.selectbox("LPQ: window", **one_of("window", [7, 3, 5, 9])),
            "blocks": three.selectbox("LPQ: blocks a side", **one_of("blocks", [3, 4])),
        }
    read: list[Inputs] = [PixelsConfig(side=side), parse(PhogConfig, phog), parse(LpqConfig, lpq)]
    read.append(parse(LpqPhogConfig, {"lpq": lpq, "phog": phog}))
    found = [inputs for name in names for inputs in read if INPUTS[inputs.kind] == name]
    if TABLE in names:
        path = st.text_input(
            "Feature table (.xlsx or .csv, joined to the images by file name)",
            key="table",
            bind="query-params",
        )
        if path.strip():
            found.append(inputs_of("table", Path(path.strip()).expanduser()))
        else:
            st.info("Give the path of the table on the machine that runs FER Lab.", icon=":material/table:")
    return found


def _sheet_inputs(lab: Lab) -> list[Inputs]:
    """Draw which columns of the data set's table are read, and return them."""
    named = {title: columns for columns, title in COLUMNS.items()}
    names = st.pills(
        "What they read",
        selection_mode="multi",
        default=[COLUMNS["both"]],
        **one_of("columns", list(named)),
    )
    return [inputs_of("table", Path(lab.dataset.source), named[name]) for name in names]


def _dense_settings() -> dict[str, dict[str, Any]]:
    """Draw what a BDNN and an MLP leave free, at the paper's values: fields of both, and of the BDNN alone."""
    with st.popover("BDNN and MLP", icon=":material/tune:", width="stretch"):
        st.caption("Table 1 of the paper: Adam at 0.03, 200 iterations. It states no layer sizes.")
        one, two = st.columns(2)
        both = {
            "epochs": one.number_input("Iterations", value=200, **in_range("iterations", 1, 10_000)),
            "lr": two.number_input(
                "Learning rate", value=0.03, format="%g", step=1e-3, **in_range("dense_lr", 1e-5, 10.0)
            ),
        }
        both["standardise"] = not st.checkbox(
            "Inputs as they are, not in standard units",
            **switch("raw"),
            help="The paper's footnote has M as the number of features; a sheet may have gone in raw",
        )
        hidden = one.text_input("Three hidden layers", "64,32,16", key="hidden", bind="query-params")
        bdnn = {
            "alternate": two.number_input(
                "BDNN: steps before turning round",
                value=0,
                **in_range("alternate", 0, 1000),
                help="m forward steps take turns with m reverse ones; 0: both directions in each step",
            ),
            "mean_node": st.checkbox(
                "BDNN: an output for the mean of the inputs",
                **switch("mean_node"),
                help="Makes the map invertible (Nejad and Gedeon 1995)",
            ),
        }
    return {"both": both | {"hidden": whole_numbers(hidden, "hidden layers", repeats=True)}, "bdnn": bdnn}


def _faces(lab: Lab) -> list[FacesConfig]:
    """Draw how frames become crops, and return it; a sheet has none."""
    if lab.dataset.layout == LAYOUT:
        return [FacesConfig(extract=False)]
    title = st.selectbox("Input", **one_of("input_of", list(EXTRACTION.values())))
    return form_fields.faces(lab, [title], st.container())
