"""The Train page's form: what would be trained, what it needs, and its start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import streamlit as st

from fer_core.config.recipes import described
from fer_core.config.run import ProtocolConfig, RunConfig, TransferConfig, parse
from fer_core.learning.networks.backbones import BACKBONES, PACKAGED, weight_status
from fer_core.learning.networks.naming import family
from fer_core.runs.jobs import executors
from fer_core.runs.jobs.queue import submit_together
from fer_core.runs.plans.requests import (
    faces_config,
    most_blocks_first,
    seeds,
    settings_of,
    sweep_name,
    transfer_configs,
)
from fer_core.ui.cache import resources
from fer_core.ui.parts.url import in_range, linked
from fer_core.ui.parts.widgets import escaped, run_link
from fer_core.ui.shell.setup import Lab

from . import queue, recipe_form
from .form_fields import EXTRACTION, no_face_choice, protocol_choice

WEIGHTS = ("imagenet", "none")
UNFREEZE = ("1", "2", "3")

#: State of weights with which a run can start -> how it is said.
GOOD_WEIGHTS = {
    "here": (st.success, "Pretrained weights are on this machine", ":material/download_done:"),
    "download": (st.info, "Pretrained weights are downloaded first", ":material/download:"),
    "none": (st.warning, "Random weights, as asked: nothing is transferred", ":material/casino:"),
}


def form(lab: Lab) -> list[RunConfig]:
    """Draw the form and return the runs it stands for: every n of every backbone, input and recipe."""
    usual = _usual(lab)
    left, right = st.columns([3, 2], gap="large")
    with left:
        first, second = st.columns([2, 1])
        backbones = first.multiselect(
            "Backbones",
            list(BACKBONES),
            default=[usual],
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
        if usual != next(iter(BACKBONES)) and backbones == [usual]:
            papers = BACKBONES[next(iter(BACKBONES))].title.split(" (")[0]
            st.caption(
                f"The paper's {papers} needs weights that are not here: choose it to see how to bring them."
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
        folds = first.number_input("Folds k", value=5, **in_range("folds", 2, 100))
        epochs = second.number_input("Epochs", value=20, **in_range("epochs", 1, 1000))
        batch = first.number_input("Batch size", value=32, **in_range("batch", 2, 1024))
        lr = second.number_input(
            "Learning rate", value=1e-3, format="%g", step=1e-4, **in_range("lr", 1e-6, 1.0)
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
    problem = resources.folds_problem(lab.dataset, configs[0].protocol, data.fingerprint)
    if problem:
        st.error(escaped(problem), icon=":material/rule:")
    return not problem


def weights_ready(lab: Lab, configs: Sequence[RunConfig]) -> bool:
    """Say where the weights are before anything is queued; False when a run could only fail."""
    models = {config.transfer.backbone: config.transfer for config in configs}
    found: dict[str, list[str]] = {}  # what is said of several backbones alike is said once
    for model in models.values():
        state = _state(model, lab.settings.weights_dir)
        if state in ("away", "missing"):
            st.error(_how_to_bring(model.backbone, lab.settings.weights_dir), icon=":material/cloud_off:")
        found.setdefault(state, []).append(BACKBONES[model.backbone].title)
    for state, (draw, words, icon) in GOOD_WEIGHTS.items():
        if state in found:
            draw(f"{words}: {', '.join(found[state])}.", icon=icon)
    bad = found.keys() - GOOD_WEIGHTS.keys()
    if bad:
        st.button(
            f"Take {BACKBONES[PACKAGED].title}, whose weights came with the installation",
            icon=":material/swap_horiz:",
            on_click=_take_packaged,
        )
    return not bad


def _state(model: TransferConfig, weights_dir: Path) -> str:
    """Return `WeightStatus.state`, with 'away' for a download that can't be made and 'missing' for no source."""
    state = weight_status(model.backbone, model.weights, weights_dir, model.weights_file).state
    if state == "download" and not resources.reachable(model.backbone):
        return "away"
    return "missing" if state == "bring" else state


def _how_to_bring(name: str, weights_dir: Path) -> str:
    row = BACKBONES[name]
    if row.weights is None:
        return (
            f"**{row.title}** has no pretrained weights. Choose *none* under *Weights*, or another backbone."
        )
    if not row.weights.url:
        package = row.weights.package[0] if row.weights.package else ""
        return f"**{row.title}**: its weights come in the Python package {package}, which is not installed."
    host = urlsplit(row.weights.url).netloc
    return (
        f"**{row.title}**: its pretrained weights are not on this machine, and {host} does not answer from here. "
        f"Download [{row.weights.file}]({row.weights.url}) elsewhere and put it into `{weights_dir}` "
        "(FER_WEIGHTS_DIR), or choose another backbone."
    )


def _take_packaged() -> None:
    st.session_state.update(backbone=[PACKAGED], weights="imagenet")


def _usual(lab: Lab) -> str:
    """Return the backbone that the form starts with: the paper's, or the packaged one where its weights are away.

    It stays the same for a visit: the choice is kept in the URL only where it differs.
    """
    if "usual-backbone" not in st.session_state:
        papers = next(iter(BACKBONES))
        away = _state(TransferConfig(backbone=papers), lab.settings.weights_dir) == "away"
        st.session_state["usual-backbone"] = PACKAGED if away else papers
    return str(st.session_state["usual-backbone"])


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
                **({"Backbone": family(config.transfer)} if several else {}),
                "n": config.transfer.unfreeze,
                **({"Recipe": described(config.training) or "paper"} if recipes else {}),
                "Trains": " + ".join(row.unfreeze[config.transfer.unfreeze]),
                "Trainable": row.trainable[config.transfer.unfreeze],
                "Share": 100 * row.trainable[config.transfer.unfreeze] / row.parameters,
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
            "Share": st.column_config.NumberColumn("of all", format="%.2f %%"),
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
        queue.say(f"{cached} of {len(created)} had been asked for before: no work twice.", ":material/bolt:")
    if len(created) == 1:
        st.query_params["run"] = ordered[0].key()
    else:
        st.query_params["sweep"] = name
    st.rerun()
