"""The Train page's parts: the form, what it would train, and one run from queue to figures."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from .. import charts
from ..config import CLASSES, ProtocolConfig, RunConfig, TransferConfig, parse
from ..jobs import executors
from ..jobs.queue import retry, submit
from ..models.backbones import BACKBONES, can_download, weight_status
from ..planning import faces_config, most_blocks_first, seeds, settings_of, transfer_configs
from ..protocols import PROTOCOLS
from ..results import title
from ..store import StoredRun
from . import downloads, recipe_form, resources, share_view
from .setup import Lab
from .two_sets_view import two_sets_figures
from .widgets import age, honesty, protocol_note, run_link, run_status, summary_figures

EXTRACTION = {True: "faces (MTCNN)", False: "whole frames"}


def form(lab: Lab) -> list[RunConfig]:
    """Draw the form and return the runs it stands for, one per unfreeze setting and kind of input."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        first, second = st.columns(2)
        backbone = first.selectbox(
            "Backbone",
            list(BACKBONES),
            key="backbone",
            bind="query-params",
            help="Its title, blocks and weights are below.",
        )
        weights = second.selectbox(
            "Weights",
            ["imagenet", "none"],
            key="weights",
            bind="query-params",
            help="imagenet: pretrained; none: random, explicitly",
        )
        unfreeze = st.pills(
            "Unfreeze the last n blocks (one run each)",
            ["1", "2", "3"],
            selection_mode="multi",
            default=["1", "2", "3"],
            key="unfreeze",
            bind="query-params",
        )
        inputs = st.pills(
            "Input (table 3 of the paper compares both)",
            list(EXTRACTION.values()),
            selection_mode="multi",
            default=[EXTRACTION[True]],
            key="input",
            bind="query-params",
        )
        name = st.selectbox(
            "Protocol",
            list(PROTOCOLS),
            index=list(PROTOCOLS).index(_fair(lab)),
            key="protocol",
            bind="query-params",
        )
        protocol_note(name)
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
        training = recipe_form.recipe(second, epochs=int(epochs), batch_size=int(batch), lr=float(lr))
        policy = st.selectbox(
            "A frame with no face",
            ["manual", "resize", "drop"],
            key="no_face",
            bind="query-params",
            help="manual: its hand-drawn box, resized whole where none is drawn; resize: whole (the paper); "
            "drop: left out",
        )
    data = resources.data_config(lab.source)
    models = transfer_configs(backbone, weights, sorted(int(n) for n in unfreeze))
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
    configs = settings_of(data, faces, models, protocol, training)
    recipe_form.trade(configs, len(lab.dataset.samples))
    return configs


def _fair(lab: Lab) -> str:
    """Return the protocol a form starts with: whole movies held out where they are known."""
    groups = {sample.group for sample in lab.dataset.samples} - {""}
    return "group" if len(groups) >= 5 else "stratified"


def weights_ready(lab: Lab, model: TransferConfig) -> bool:
    """Say where the weights are before anything is queued; False when a run could only fail."""
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
        f"{status.message} The host does not answer from here. {fix}, or choose EfficientNet-Lite0, "
        "whose weights came with the installation.",
        icon=":material/cloud_off:",
    )
    return False


@st.cache_data(ttl=60, show_spinner="Asking whether the weights can be downloaded ...")
def _answers(backbone: str) -> bool:
    return can_download(backbone)


def plan_table(lab: Lab, configs: list[RunConfig]) -> None:
    """Draw what each run would train, and which of them have an answer already."""
    known = {run.id: run for run in lab.store.runs(ids=[config.key() for config in configs])}
    rows = []
    for config in configs:
        row = BACKBONES[config.transfer.backbone]
        run = known.get(config.key())
        rows.append(
            {
                "n": config.transfer.unfreeze,
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
    """Submit the runs, make sure that a worker takes them, and open the run if it is only one."""
    created = [submit(lab.store, config)[1] for config in most_blocks_first(configs)]
    if any(created):
        executors.launch(lab.settings)
    cached = len(created) - sum(created)
    if cached:
        st.toast(
            f"{cached} of {len(created)} had been asked for before: no work twice.", icon=":material/bolt:"
        )
    if len(configs) == 1:
        st.query_params["run"] = configs[0].key()
        st.rerun()


def active(lab: Lab) -> None:
    """Draw the runs that wait or go on, refreshed while there are any."""
    if lab.store.runs(status=["queued", "running"], limit=1):
        _active(lab)


@st.fragment(run_every=1.0)
def _active(lab: Lab) -> None:
    runs = lab.store.runs(status=["queued", "running"], limit=50)
    if not runs:
        st.rerun()
    st.subheader("In the queue")
    for run in reversed(runs):
        with st.container(border=True):
            left, right = st.columns([3, 2], vertical_alignment="center")
            name = title(run) if run.config.goal == "train" else "face detection"
            with left.container(horizontal=True, vertical_alignment="center"):
                if st.button(name, key=f"open-{run.id}", type="tertiary", icon=":material/open_in_full:"):
                    st.query_params["run"] = run.id
                    st.rerun(scope="app")
                st.caption(f"{run.data_name} · {run.protocol}")
            with right:
                run_status(run, lab.store.queue_place(run.id))


def run_view(lab: Lab, run_id: str) -> None:
    """Draw one run: its progress while it goes on, its figures once it is done."""
    run = lab.store.run(run_id)
    st.subheader(title(run) if run.config.goal == "train" else "Face detection")
    st.caption(f"Run {run.id} on {run.data_name} · submitted {age(run.created)}")
    if run.ended:
        _body(lab, run)
    else:
        _live(lab, run_id)


@st.fragment(run_every=1.0)
def _live(lab: Lab, run_id: str) -> None:
    run = lab.store.run(run_id)
    if run.ended:
        st.toast(f"Run {run.id[:8]} is {run.status}.", icon=":material/notifications:")
        st.rerun()
    _body(lab, run)


def _body(lab: Lab, run: StoredRun) -> None:
    run_status(run, lab.store.queue_place(run.id))
    _buttons(lab, run)
    if run.config.goal != "train":
        return
    protocol_note(run.config.protocol.name)
    if run.status == "done":
        share_view.buttons(lab, run)
        summary_figures(run)
        honesty(run)
    epochs = resources.epochs(run)
    if not epochs.empty:
        table = epochs.assign(system=title(run))
        downloads.figure(charts.learning_curves(table), table, "learning-curves", key=f"curves-{run.id}")
    if run.status == "done":
        left, right = st.columns(2)
        counts = run.summary["confusion"]
        table = (
            pd.DataFrame(counts, columns=list(CLASSES)).assign(true=CLASSES).set_index("true").reset_index()
        )
        with left:
            st.markdown("**Confusion of held-out images**")
            downloads.figure(charts.confusion(counts, CLASSES), table, "confusion", key=f"confusion-{run.id}")
        right.markdown("**Per class**")
        shares = ("precision", "recall", "specificity", "f1")
        right.dataframe(
            pd.DataFrame(run.summary["per_class"]),
            hide_index=True,
            column_config={name: st.column_config.NumberColumn(format="%.3f") for name in shares},
            alt="Figures per class",
        )
        two_sets_figures(run)
    with st.expander("Log, definition and environment"):
        log = lab.store.log(run.id)
        st.code("\n".join(log["text"]) or "No lines yet.", language=None)
        st.json(run.config.model_dump(mode="json"), expanded=False)
        st.json(run.environment, expanded=False)


def _buttons(lab: Lab, run: StoredRun) -> None:
    if lab.demo:
        return
    if not run.ended and st.button("Cancel", icon=":material/stop:", key=f"cancel-{run.id}"):
        executors.cancel(lab.settings, lab.store, run.id)
        st.rerun()
    if run.status in ("failed", "cancelled") and st.button(
        "Try again", icon=":material/replay:", key=f"retry-{run.id}", help="Goes on from its last epoch"
    ):
        retry(lab.store, run.id)
        executors.launch(lab.settings)
        st.rerun()
