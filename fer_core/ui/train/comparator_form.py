"""The Train page's other form: what transfer learning is compared with, an SVM, a BDNN and its control."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from fer_core.config.comparators import Inputs, LpqConfig, LpqPhogConfig, PhogConfig, PixelsConfig
from fer_core.config.run import FacesConfig, Model, ProtocolConfig, RunConfig, TrainingConfig, parse
from fer_core.datasets.readers.table_rows import LAYOUT
from fer_core.learning.networks.naming import COLUMNS, INPUTS, system
from fer_core.runs.plans.comparison import comparator, inputs_of
from fer_core.runs.plans.requests import faces_config, seeds, settings_of, whole_numbers
from fer_core.ui.cache import resources
from fer_core.ui.parts.url import SWITCH, in_range, linked
from fer_core.ui.parts.widgets import run_link
from fer_core.ui.shell.setup import Lab

from .form_fields import EXTRACTION, no_face_choice, protocol_choice

WHAT = NETWORK, OTHER = "transferred network", "SVM, BDNN or MLP"
KINDS = {"SVM": "svm", "BDNN": "bdnn", "MLP": "mlp"}
TABLE = "feature table"


def chosen(lab: Lab) -> bool:
    """Draw the choice between both forms; True for this one, which a feature table leaves no choice but."""
    if lab.dataset.layout == LAYOUT:
        st.caption(
            "A feature table has no images, so no network can be transferred to it; these can be trained:"
        )
        return True
    what = st.segmented_control(
        "What to train", WHAT, default=NETWORK, required=True, key=linked("what", WHAT), bind="query-params"
    )
    return bool(what == OTHER)


def form(lab: Lab) -> list[RunConfig]:
    """Draw the form and return the runs it stands for, one per model and what it reads."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        kinds = st.pills(
            "Models (one run each)",
            list(KINDS),
            selection_mode="multi",
            default=list(KINDS),
            key=linked("models", list(KINDS)),
            bind="query-params",
        )
        read = _sheet_inputs(lab) if lab.dataset.layout == LAYOUT else _image_inputs()
        name = protocol_choice(lab.dataset)
    with right:
        first, second = st.columns(2)
        folds = first.number_input("Folds k", value=5, **in_range("folds", 2, 100))
        sown = second.text_input(
            "Seeds", "1", key="seeds", bind="query-params", help="How many, or a list: 3,5,8"
        )
        dense = _dense_settings()
        faces = _faces(lab)
    models: list[Model] = []
    for kind in (KINDS[name] for name in kinds):
        own = {} if kind == "svm" else {**dense["both"], **(dense["bdnn"] if kind == "bdnn" else {})}
        models += [comparator(kind, inputs, **own) for inputs in read]
    protocol = parse(ProtocolConfig, {"name": name, "folds": int(folds), "seeds": seeds(sown)})
    return settings_of(resources.data_config(lab.source), [faces], models, protocol, TrainingConfig())


def _image_inputs() -> list[Inputs]:
    """Draw what is read of each image, and return it."""
    readable = [*INPUTS.values(), TABLE]
    names = st.pills(
        "What they read",
        readable,
        selection_mode="multi",
        default=[INPUTS["phog"]],
        key=linked("reads", readable),
        bind="query-params",
    )
    with st.popover("Descriptors", icon=":material/tune:"):
        st.caption("PHOG: Bosch et al. 2007; LPQ: Ojansivu and Heikkilä 2008.")
        one, two, three = st.columns(3)
        side = one.number_input("Pixels: side", value=32, **in_range("side", 4, 160))
        levels = one.selectbox("PHOG: levels", [3, 4], key=linked("levels", [3, 4]), bind="query-params")
        bins = two.selectbox("PHOG: bins", [8, 16], key=linked("bins", [8, 16]), bind="query-params")
        degrees = two.selectbox(
            "PHOG: degrees", [360, 180], key=linked("degrees", [360, 180]), bind="query-params"
        )
        window = three.selectbox(
            "LPQ: window", [7, 3, 5, 9], key=linked("window", [7, 3, 5, 9]), bind="query-params"
        )
        blocks = three.selectbox(
            "LPQ: blocks a side", [4, 3], key=linked("blocks", [4, 3]), bind="query-params"
        )
    phog = parse(PhogConfig, {"levels": levels, "bins": bins, "degrees": degrees})
    lpq = parse(LpqConfig, {"window": window, "blocks": blocks})
    known: dict[str, Inputs] = {
        INPUTS[one.kind]: one
        for one in (PixelsConfig(side=int(side)), phog, lpq, LpqPhogConfig(lpq=lpq, phog=phog))
    }
    found = [known[name] for name in names if name in known]
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
    """Draw which columns of the data set's own table are read, and return them."""
    named = {title: columns for columns, title in COLUMNS.items()}
    names = st.pills(
        "What they read",
        list(named),
        selection_mode="multi",
        default=[COLUMNS["both"]],
        key=linked("columns", list(named)),
        bind="query-params",
    )
    return [inputs_of("table", Path(lab.dataset.source), named[name]) for name in names]


def _dense_settings() -> dict[str, dict[str, Any]]:
    """Draw what a BDNN and an MLP leave free, at the paper's values: fields of both, and of the BDNN alone."""
    with st.popover("BDNN and MLP", icon=":material/tune:", width="stretch"):
        st.caption("Table 1 of the paper: Adam at 0.03, 200 iterations. It states no layer sizes.")
        one, two = st.columns(2)
        epochs = one.number_input("Iterations", value=200, **in_range("iterations", 1, 10_000))
        lr = two.number_input(
            "Learning rate", value=0.03, format="%g", step=1e-3, **in_range("dense_lr", 1e-5, 10.0)
        )
        hidden = one.text_input("Three hidden layers", "64,32,16", key="hidden", bind="query-params")
        alternate = two.number_input(
            "BDNN: steps before turning round",
            value=0,
            **in_range("alternate", 0, 1000),
            help="m forward steps take turns with m reverse ones; 0: both directions in each step",
        )
        mean = st.checkbox(
            "BDNN: an output for the mean of the inputs",
            key=linked("mean_node", SWITCH),
            bind="query-params",
            help="Makes the map invertible (Nejad and Gedeon 1995)",
        )
    sizes = whole_numbers(hidden, "hidden layers", repeats=True)
    return {
        "both": {"epochs": int(epochs), "lr": float(lr), "hidden": sizes},
        "bdnn": {"alternate": int(alternate), "mean_node": mean},
    }


def _faces(lab: Lab) -> FacesConfig:
    """Draw how frames become crops, and return it; a sheet has none."""
    if lab.dataset.layout == LAYOUT:
        return FacesConfig(extract=False)
    one, two = st.columns(2)
    titles = list(EXTRACTION.values())
    chosen = one.selectbox("Input", titles, key=linked("input_of", titles), bind="query-params")
    policy = no_face_choice(two)
    values = {"extract": True, "no_face": policy} if chosen == EXTRACTION[True] else {"extract": False}
    return faces_config(lab.store, resources.artifacts(), resources.data_config(lab.source), values)


def plan_table(lab: Lab, configs: Sequence[RunConfig]) -> None:
    """Draw what would be trained, and which of it has an answer already."""
    known = {run.id: run for run in lab.store.runs(ids=[config.key() for config in configs])}
    rows = []
    for config in configs:
        run = known.get(config.key())
        rows.append(
            {
                "Model": system(config.model),
                "Iterations": config.epochs if config.epochs > 1 else None,
                "State": run.status if run else "new",
                "Run": run_link(run) if run else None,
            }
        )
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={"Run": st.column_config.LinkColumn("Run", display_text=r"run=([0-9a-f]{8})")},
        placeholder="–",
        alt="What each run would train",
    )
