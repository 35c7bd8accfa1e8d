"""What both forms of the Train page have: protocol, folds and seeds, and the table of what would be trained."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fer_core.config.run import FacesConfig, ProtocolConfig, RunConfig, TransferConfig, parse
from fer_core.config.training import described
from fer_core.datasets.base import Dataset
from fer_core.evaluation.protocols import OF_TRAINING
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.networks.naming import family, system
from fer_core.results.pace import duration, estimate
from fer_core.runs.plans.comparison import fair_protocol
from fer_core.runs.plans.requests import faces_config, seeds
from fer_core.ui.cache import resources
from fer_core.ui.panels import detections
from fer_core.ui.parts.url import in_range, one_of
from fer_core.ui.parts.widgets import RUN_COLUMNS, protocol_note, run_link
from fer_core.ui.shell.setup import Lab

#: Finished runs that a time is estimated from: the newest.
NEWEST = 50
EXTRACTION = {True: "faces (MTCNN)", False: "whole frames"}


def protocol_choice(dataset: Dataset) -> str:
    """Draw the choice of protocol and return its name; it starts by movie or person where they can be held out."""
    names = list(OF_TRAINING)
    fair = "group" if fair_protocol(dataset, 5) else "stratified"
    name = st.selectbox("Protocol", index=names.index(fair), **one_of("protocol", names))
    protocol_note(name)
    return str(name)


def folds(place: DeltaGenerator) -> int:
    """Draw the number of folds."""
    return place.number_input("Folds k", value=5, **in_range("folds", 2, 100))


def protocol(name: str, folds: int, place: DeltaGenerator) -> ProtocolConfig:
    """Draw the seeds and return the protocol with them.

    Raises:
        ConfigError: what was typed names no seeds.
    """
    typed = place.text_input(
        "Seeds", "1", key="seeds", bind="query-params", help="How many, or a list: 3,5,8"
    )
    return parse(ProtocolConfig, {"name": name, "folds": folds, "seeds": seeds(typed)})


def weights_file() -> tuple[str, dict[str, str]]:
    """Draw which file of weights, and how its network was fed; return both, '' for no file."""
    path = st.text_input(
        "File of weights",
        key="weights_file",
        bind="query-params",
        placeholder="/data/networks/resnet18_affectnet.pth",
        help="On the machine that runs FER Lab: tensors saved by torch.save, or safetensors, of the backbone chosen; "
        "checked here. Its head is drawn anew, whatever its classes.",
    )
    if not path.strip():
        st.caption("Name the file: what would be trained is listed below once it has been judged.")
    columns = st.columns(3)
    text = (
        "Of pixel values in 0..1 that it was trained with, one number or three. Empty: the backbone's usual."
    )
    pixels = {
        name: place.text_input(name.capitalize(), key=f"weights_{name}", bind="query-params", help=text)
        for name, place in zip(("mean", "std"), columns, strict=False)
    }
    order = columns[2].selectbox(
        "Channel order", **one_of("channels", ("rgb", "bgr")), help="OpenCV reads images as BGR."
    )
    return path.strip(), {**pixels, "channels": str(order)}


def faces(lab: Lab, inputs: Sequence[str], place: DeltaGenerator) -> list[FacesConfig]:
    """Draw which detection is trained on and what a frame with no face becomes; return each kind of input's settings.

    Args:
        inputs: values of `EXTRACTION`.
    """
    if EXTRACTION[True] not in inputs:
        return [FacesConfig(extract=False) for _ in inputs]
    detection = detections.choice(lab, place)
    with place:
        policy = detections.no_face(detection.no_face)
    data = resources.data_config(lab.source)
    values = detection.model_dump(exclude={"manual_boxes"}) | {"no_face": policy}
    cut = faces_config(lab.store, resources.artifacts(), data, values)
    return [cut if title == EXTRACTION[True] else FacesConfig(extract=False) for title in inputs]


def plan_table(lab: Lab, configs: Sequence[RunConfig]) -> None:
    """Draw what each run would train, and which of them have an answer already."""
    known = {run.id: run for run in lab.store.runs(ids=[config.key() for config in configs])}
    rows = []
    for config in configs:
        run = known.get(config.key())
        state = {"State": run.status if run else "new", "Run": run_link(run) if run else None}
        rows.append(_definition(config) | state)
    table = pd.DataFrame(rows)
    alike = [name for name in ("Backbone", "Recipe") if name in table and table[name].nunique() == 1]
    st.dataframe(
        table.drop(columns=alike),
        hide_index=True,
        column_config={
            "Trainable": st.column_config.NumberColumn("Trainable parameters", format="localized"),
            "Share": st.column_config.NumberColumn("of all", format="%.2f %%"),
            "Run": RUN_COLUMNS["link"],
        },
        placeholder="–",
        alt="What each run would train",
    )
    new = [config for config in configs if config.key() not in known or known[config.key()].status != "done"]
    done = lab.store.runs(status=["done"], goal="train", limit=NEWEST)
    times = [estimate(config, done) for config in new]
    if times and None not in times:
        total = duration(sum(filter(None, times)))
        st.caption(f":material/schedule: About {total}, one after another, as runs like these took here.")


def _definition(config: RunConfig) -> dict[str, Any]:
    model = config.model
    if not isinstance(model, TransferConfig):
        return {"Model": system(model), "Iterations": config.epochs if config.epochs > 1 else None}
    row = BACKBONES[model.backbone]
    trainable = row.trainable[model.unfreeze]
    return {
        "Backbone": family(model),
        "n": model.unfreeze,
        "Recipe": described(config.training) or "paper",
        "Trains": " + ".join(row.unfreeze[model.unfreeze]),
        "Trainable": trainable,
        "Share": 100 * trainable / row.parameters,
        "Input": EXTRACTION[config.faces.extract],
    }
