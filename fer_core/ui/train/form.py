"""The Train page's form: what would be trained, what it needs, and its start."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st

from fer_core.config.run import RunConfig, TransferConfig
from fer_core.learning.networks.backbones import BACKBONES, PACKAGED
from fer_core.learning.networks.weight_status import how_to_bring, weight_status
from fer_core.runs.plans.requests import most_blocks_first, settings_of, sweep_name, transfer_configs
from fer_core.ui.cache import resources
from fer_core.ui.panels import at_work, selection
from fer_core.ui.parts.url import in_range, one_of
from fer_core.ui.parts.widgets import escaped
from fer_core.ui.shell.setup import Lab

from . import form_fields, queue, recipe_form
from .form_fields import EXTRACTION

WEIGHTS = ("imagenet", "none", "file")
UNFREEZE = ("1", "2", "3")

#: State of weights with which a run can start -> how it is said.
GOOD_WEIGHTS = {
    "here": (st.success, "Pretrained weights are on this machine", ":material/download_done:"),
    "download": (st.info, "Pretrained weights are downloaded first", ":material/download:"),
    "none": (st.warning, "Random weights, as asked: nothing is transferred", ":material/casino:"),
}


def form(lab: Lab) -> list[RunConfig]:
    """Draw the form and return the runs it stands for: every n of every backbone, input and recipe."""
    usual, papers = _usual(lab), next(iter(BACKBONES))
    left, right = st.columns([3, 2], gap="large")
    with left:
        first, second = st.columns([2, 1])
        backbones = first.multiselect(
            "Backbones",
            default=[usual],
            **one_of("backbone", list(BACKBONES), _short),
            help="Several make a sweep. Blocks and weights are below.",
        )
        weights = second.selectbox(
            "Weights",
            **one_of("weights", WEIGHTS),
            help="imagenet: the backbone's own pretrained ones; none: random, explicitly; file: your own",
        )
        pixels: dict[str, str] = {}
        if weights == "file":
            weights, pixels = form_fields.weights_file()
        if weights == "imagenet" and backbones:
            knows = (f"{_short(name)} on {BACKBONES[name].knows}" for name in backbones)
            st.caption(f"Pretrained: {', '.join(knows)}.")
        if usual != papers and backbones == [usual]:
            st.caption(
                f"The paper's {_short(papers)} needs weights that are not here: choose it to see how to bring them."
            )
        unfreeze = st.pills(
            "Unfreeze the last n blocks (one run each)",
            selection_mode="multi",
            default=UNFREEZE,
            **one_of("unfreeze", UNFREEZE),
        )
        inputs = st.pills(
            "Input (table 3 of the paper compares both)",
            selection_mode="multi",
            default=[EXTRACTION[True]],
            **one_of("input", list(EXTRACTION.values())),
        )
        name = form_fields.protocol_choice(lab.dataset)
    with right:
        with st.container(key="numbers"):
            first, second = st.columns(2)
        folds = form_fields.folds(first)
        epochs = second.number_input("Epochs", value=20, **in_range("epochs", 1, 1000))
        batch = first.number_input("Batch size", value=32, **in_range("batch", 2, 1024))
        lr = second.number_input(
            "Learning rate", value=1e-3, format="%g", step=1e-4, **in_range("lr", 1e-6, 1.0)
        )
        protocol = form_fields.protocol(name, folds, first)
        trainings = recipe_form.recipes(second, epochs=epochs, batch_size=batch, lr=lr)
        faces = form_fields.faces(lab, inputs, st.container())
    settings = sorted(int(n) for n in unfreeze)
    models = [
        model
        for name in backbones
        if weights
        for model in transfer_configs(name, weights, settings, **pixels)
    ]
    data = selection.trained_on(lab, right)
    configs = [
        config for training in trainings for config in settings_of(data, faces, models, protocol, training)
    ]
    recipe_form.trade(configs, data.images)
    return configs


def _short(name: str) -> str:
    """Return what a backbone is called, without what is said of it in brackets."""
    return BACKBONES[name].title.split(" (the paper's")[0]


def folds_ready(lab: Lab, configs: Sequence[RunConfig]) -> bool:
    """Say why folds can't be drawn on this data set before anything is queued; False where they can't."""
    data = configs[0].data
    problem = resources.folds_problem(
        lab.dataset.without(data.excluded), configs[0].protocol, data.fingerprint
    )
    if problem:
        st.error(escaped(problem), icon=":material/rule:")
    return not problem


def weights_ready(lab: Lab, configs: Sequence[RunConfig]) -> bool:
    """Say where the weights are before anything is queued; False when a run could only fail."""
    models = {config.transfer.backbone: config.transfer for config in configs}
    found: dict[str, list[str]] = {}  # what is said of several backbones alike is said once
    for model in models.values():
        state, row = _state(model, lab.settings.weights_dir), BACKBONES[model.backbone]
        if state in ("away", "bring"):
            url = row.weights.url if row.weights else ""
            host = f" on this machine, and {urlsplit(url).netloc} does not answer from here" if url else ""
            way = how_to_bring(row, lab.settings.weights_dir)
            st.error(f"**{row.title}** has no pretrained weights{host}. {way}.", icon=":material/cloud_off:")
        found.setdefault(state, []).append(row.title)
    for state, (draw, words, icon) in GOOD_WEIGHTS.items():
        if state in found:
            draw(f"{words}: {', '.join(found[state])}.", icon=icon)
    bad = found.keys() - GOOD_WEIGHTS.keys()
    if bad:
        st.button(
            f"Take {BACKBONES[PACKAGED].title}, whose weights came with the installation",
            icon=":material/swap_horiz:",
            on_click=lambda: st.session_state.update(backbone=[PACKAGED], weights="imagenet"),
        )
    return not bad


def _state(model: TransferConfig, weights_dir: Path) -> str:
    """Return `WeightStatus.state`, with 'away' for a download that can't be made."""
    state = weight_status(model.backbone, model.weights, weights_dir, model.weights_file).state
    return "away" if state == "download" and not resources.reachable(model.backbone) else state


def _usual(lab: Lab) -> str:
    """Return the backbone that the form starts with: the paper's, or the packaged one where its weights are away.

    It stays the same for a visit: the choice is kept in the URL only where it differs.
    """
    if "usual-backbone" not in st.session_state:
        papers = next(iter(BACKBONES))
        away = _state(TransferConfig(backbone=papers), lab.settings.weights_dir) == "away"
        st.session_state["usual-backbone"] = PACKAGED if away else papers
    return str(st.session_state["usual-backbone"])


def launch(lab: Lab, configs: list[RunConfig]) -> None:
    """Submit the runs as one, make sure that a worker takes them, and open the run, or the sweep, there and then."""
    ordered = most_blocks_first(configs)
    name = sweep_name(ordered)
    created = at_work.start(lab, ordered, sweep=name)
    if cached := len(created) - sum(created):
        queue.say(f"{cached} of {len(created)} had been asked for before: no work twice.", ":material/bolt:")
    if len(created) == 1:
        st.query_params["run"] = ordered[0].key()
    else:
        st.query_params["sweep"] = name
    st.rerun()
