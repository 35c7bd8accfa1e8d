"""The Train page's form: what would be trained, what it needs, and its start."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from ..config import ProtocolConfig, RunConfig, TransferConfig, parse
from ..datasets.base import Dataset
from ..errors import DataError
from ..jobs import executors
from ..jobs.queue import submit_together
from ..models.backbones import BACKBONES, PACKAGED, can_download, weight_status
from ..planning import (
    faces_config,
    most_blocks_first,
    require_folds,
    seeds,
    settings_of,
    transfer_configs,
)
from ..recipes import described
from ..sweep import sweep_name
from . import queue_view, recipe_form, resources
from .form_fields import EXTRACTION, no_face_choice, protocol_choice
from .linked import linked
from .setup import Lab
from .widgets import run_link

WEIGHTS = ("imagenet", "none")
UNFREEZE = ("1", "2", "3")


def form(lab: Lab) -> list[RunConfig]:
    """Draw the form and return the runs it stands for: every n of every backbone, input and recipe."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        first, second = st.columns(2)
        backbones = first.multiselect(
            "Backbones",
            list(BACKBONES),
            default=[next(iter(BACKBONES))],
            key=linked("backbone", list(BACKBONES)),
            bind="query-params",
            help="Several make a sweep. Blocks and weights are below.",
        )
        weights = second.selectbox(
            "Weights",
            WEIGHTS,
            key=linked("weights", WEIGHTS),
            bind="query-params",
            help="imagenet: pretrained; none: random, explicitly",
        )
        unfreeze = st.pills(
            "Unfreeze the last n blocks (one run each)",
            UNFREEZE,
            selection_mode="multi",
            default=UNFREEZE,
            key=linked("unfreeze", UNFREEZE),
            bind="query-params",
        )
        inputs = st.pills(
            "Input (table 3 of the paper compares both)",
            list(EXTRACTION.values()),
            selection_mode="multi",
            default=[EXTRACTION[True]],
            key=linked("input", list(EXTRACTION.values())),
            bind="query-params",
        )
        name = protocol_choice(lab.dataset)
    with right:
        first, second = st.columns(2)
        folds = first.number_input("Folds k", 2, 100, 5, key="folds", bind="query-params")
        epochs = second.number_input("Epochs", 1, 1000, 20, key="epochs", bind="query-params")
        batch = first.number_input("Batch size", 2, 1024, 32, key="batch", bind="query-params")
        lr = second.number_input(
            "Learning rate", 1e-6, 1.0, 1e-3, format="%g", step=1e-4, key="lr", bind="query-params"
        )
        sown = first.text_input(
            "Seeds", "1", key="seeds", bind="query-params", help="How many, or a list: 3,5,8"
        )
        trainings = recipe_form.recipes(second, epochs=int(epochs), batch_size=int(batch), lr=float(lr))
        policy = no_face_choice(st.container())
    data = resources.data_config(lab.source)
    settings = sorted(int(n) for n in unfreeze)
    models = [model for name in backbones for model in transfer_configs(name, weights, settings)]
    faces = [
        faces_config(
            lab.store,
            resources.artifacts(),
            data,
            {"extract": kind, "no_face": policy} if kind else {"extract": False},
        )
        for kind in (name == EXTRACTION[True] for name in inputs)
    ]
    protocol = parse(ProtocolConfig, {"name": name, "folds": int(folds), "seeds": seeds(sown)})
    configs = [
        config for training in trainings for config in settings_of(data, faces, models, protocol, training)
    ]
    recipe_form.trade(configs, len(lab.dataset.samples))
    return configs


def folds_ready(lab: Lab, configs: Sequence[RunConfig]) -> bool:
    """Say why folds can't be drawn on this data set before anything is queued; False where they can't."""
    data = resources.data_config(lab.source)
    problem = _folds_problem(lab.dataset, configs[0].protocol, data.fingerprint)
    if problem:
        st.error(problem, icon=":material/rule:")
    return not problem


@st.cache_data(max_entries=64, show_spinner=False)
def _folds_problem(_dataset: Dataset, protocol: ProtocolConfig, fingerprint: str) -> str:
    try:
        require_folds(_dataset, protocol)
    except DataError as error:
        return str(error)
    return ""


def weights_ready(lab: Lab, configs: Sequence[RunConfig]) -> bool:
    """Say where the weights are before anything is queued; False when a run could only fail."""
    models = {config.transfer.backbone: config.transfer for config in configs}
    ready = [_weights_ready(lab, model) for model in models.values()]  # each says where its weights are
    if not all(ready):
        st.button(
            f"Take {BACKBONES[PACKAGED].title}, whose weights came with the installation",
            icon=":material/swap_horiz:",
            on_click=_take_packaged,
        )
    return all(ready)


def _take_packaged() -> None:
    st.session_state.update(backbone=[PACKAGED], weights="imagenet")


def _weights_ready(lab: Lab, model: TransferConfig) -> bool:
    status = weight_status(model.backbone, model.weights, lab.settings.weights_dir, model.weights_file)
    if status.state in ("here", "none"):
        (st.success if status.state == "here" else st.warning)(
            status.message, icon=":material/download_done:"
        )
        return True
    if status.state == "download" and _answers(model.backbone):
        st.info(status.message, icon=":material/download:")
        return True
    source = BACKBONES[model.backbone].weights
    fix = (
        f"Put {source.file} into {lab.settings.weights_dir} (FER_WEIGHTS_DIR)"
        if source
        else "Choose random weights"
    )
    st.error(
        f"{status.message} The host does not answer from here. {fix}, or take another backbone.",
        icon=":material/cloud_off:",
    )
    return False


@st.cache_data(ttl=60, show_spinner="Asking whether the weights can be downloaded ...")
def _answers(backbone: str) -> bool:
    return can_download(backbone)


def plan_table(lab: Lab, configs: list[RunConfig]) -> None:
    """Draw what each run would train, and which of them have an answer already."""
    known = {run.id: run for run in lab.store.runs(ids=[config.key() for config in configs])}
    several = len({config.transfer.backbone for config in configs}) > 1
    recipes = len({described(config.training) for config in configs}) > 1
    rows = []
    for config in configs:
        row = BACKBONES[config.transfer.backbone]
        run = known.get(config.key())
        rows.append(
            {
                **({"Backbone": row.title} if several else {}),
                "n": config.transfer.unfreeze,
                **({"Recipe": described(config.training) or "paper"} if recipes else {}),
                "Trains": " + ".join(row.unfreeze[config.transfer.unfreeze]),
                "Trainable": row.trainable[config.transfer.unfreeze],
                "Share": row.trainable[config.transfer.unfreeze] / row.parameters,
                "Input": EXTRACTION[config.faces.extract],
                "State": run.status if run else "new",
                "Run": run_link(run) if run else None,
            }
        )
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            "Trainable": st.column_config.NumberColumn("Trainable parameters", format="localized"),
            "Share": st.column_config.NumberColumn("of all", format="percent"),
            "Run": st.column_config.LinkColumn("Run", display_text=r"run=([0-9a-f]{8})"),
        },
        placeholder="",
        alt="What each run would train",
    )


def launch(lab: Lab, configs: list[RunConfig]) -> None:
    """Submit the runs as one, make sure that a worker takes them, and open the run, or the sweep, there and then."""
    ordered = most_blocks_first(configs)
    name = sweep_name(ordered)
    created = list(submit_together(lab.store, ordered, sweep=name).values())
    if any(created):
        executors.launch(lab.settings)
    if cached := len(created) - sum(created):
        queue_view.say(
            f"{cached} of {len(created)} had been asked for before: no work twice.", ":material/bolt:"
        )
    if len(created) == 1:
        st.query_params["run"] = ordered[0].key()
    else:
        st.query_params["sweep"] = name
    st.rerun()
