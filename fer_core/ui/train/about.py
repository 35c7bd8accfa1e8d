"""What people say of a run, and where it stands: its name, note, tags, sweeps, what differs, again with changes."""

from typing import Any

import pandas as pd
import streamlit as st

from fer_core.config.comparators import BdnnConfig, MlpConfig, SvmConfig, TableConfig
from fer_core.config.run import TrainingConfig, TransferConfig
from fer_core.config.training import FREE, recipe_name
from fer_core.learning.networks.naming import COLUMNS, INPUTS
from fer_core.results.rows import differences, names, title
from fer_core.runs.plans.detections import detection_key
from fer_core.storage.said_of_frames import exclusion_key
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.panels import selection
from fer_core.ui.parts.widgets import escaped, follow, run_link, train_link
from fer_core.ui.shell.setup import Lab

from . import queue
from .comparator_form import DESCRIPTORS, OTHER, TABLE
from .form_fields import EXTRACTION
from .recipe_form import OWN

#: Runs of a data set that a run is told apart from: the newest.
NEIGHBOURS = 200


def name_of(lab: Lab, run: StoredRun) -> str:
    """Return a run's name: what people call it, else its title and what its neighbours of that title haven't."""
    if run.name or run.config.goal != "train":
        return queue.name_of(run)
    alike = [other for other in _neighbours(lab, run) if title(other) == title(run)]
    return f"{names([run, *alike])[run.id]} · {run.protocol}"


def _neighbours(lab: Lab, run: StoredRun) -> list[StoredRun]:
    found = lab.store.runs(goal="train", data=run.data, limit=NEIGHBOURS)
    return [other for other in found if other.id != run.id]


def back() -> None:
    """Draw the way to all runs."""
    if st.button("All runs", icon=":material/arrow_back:"):
        for key in ("run", "sweep", "frame"):
            st.query_params.pop(key, None)
        st.rerun()


def bar(lab: Lab, run: StoredRun) -> None:
    """Draw the way back, what may be said of a run, and the ways to its neighbours."""
    note = (
        st.container()
    )  # there at all times: what follows keeps its place, and the focus, once there is a note
    if run.note:
        note.markdown(escaped(run.note))
    with st.container(horizontal=True, vertical_alignment="center"):
        back()
        if run.config.goal != "train":
            return
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            for tag in run.tags.split():
                st.badge(escaped(tag), icon=":material/sell:", color="gray")
            if run.archived:
                st.badge("archived", icon=":material/archive:", color="gray")
            for sweep, count in lab.store.sweeps_of(run.id).items():
                if st.button(
                    f"Sweep of {count} runs", icon=":material/account_tree:", type="tertiary", key=sweep
                ):
                    follow(train_link(run, sweep=sweep))
        if not lab.demo:
            with st.popover("Name, note, tags", icon=":material/edit:"):
                _words(lab, run)
        with st.popover("What differs", icon=":material/difference:"):
            _differences(lab, run)
        link, changed = again(run), "The form, filled from this run"
        if (
            not lab.demo
            and link
            and st.button("Again with changes", icon=":material/edit_note:", help=changed)
        ):
            follow(link)


def _words(lab: Lab, run: StoredRun) -> None:
    with st.form(f"words-{run.id}", border=False):
        name = st.text_input("Name", run.name, max_chars=80, placeholder=queue.plain(run))
        tags = st.text_input("Tags", run.tags, max_chars=120, help="Words with spaces between them")
        note = st.text_area("Note", run.note, max_chars=2000)
        archived = st.toggle("Archived", run.archived, help="Out of the list of runs; it stays at its link")
        if st.form_submit_button("Save", type="primary"):
            lab.store.describe(run.id, name=name.strip(), tags=tags, note=note.strip(), archived=archived)
            resources.trained_at.clear()
            st.rerun()


def _differences(lab: Lab, run: StoredRun) -> None:
    others = _neighbours(lab, run)
    known = names([run, *others])
    by_id = {other.id: other for other in others}
    chosen = st.selectbox(
        "From",
        list(by_id),
        index=None,
        placeholder="Choose another run of this data set",
        format_func=lambda key: f"{known[key]} · {by_id[key].protocol} · {key[:8]}",
        key=f"differs-{run.id}",
    )
    if chosen is None:
        return
    rows = differences(run.config, by_id[chosen].config)
    table = pd.DataFrame(rows, columns=["What", "This run", "The other"])
    st.dataframe(table, hide_index=True, alt=f"{len(rows)} differences")
    if st.button("Open the other", key=f"other-{run.id}", icon=":material/arrow_forward:"):
        follow(run_link(by_id[chosen]))


def again(run: StoredRun) -> str:
    """Return the link of the form filled from a run, its detection with it; '' for a vote, which no form makes."""
    config, protocol = run.config, run.config.protocol
    query: dict[str, Any] = {
        "no_face": config.faces.no_face,
        "protocol": protocol.name,
        "folds": protocol.folds,
        "seeds": ",".join(map(str, protocol.seeds)) + ",",
    }
    if config.faces.extract:
        query["faces"] = detection_key(config.faces)
    if config.data.excluded:
        query[selection.WITHOUT] = exclusion_key(config.data.excluded)
    model = config.model
    if isinstance(model, TransferConfig):
        query |= _transferred(model, config.faces.extract, config.training)
    elif isinstance(model, SvmConfig | BdnnConfig | MlpConfig):
        query |= _compared_with(model, config.faces.extract)
    else:
        return ""
    return train_link(run, **{key: _written(value) for key, value in query.items()})


def _transferred(model: TransferConfig, extract: bool, training: TrainingConfig) -> dict[str, Any]:
    recipe = recipe_name(training)
    query: dict[str, Any] = {
        "backbone": model.backbone,
        "weights": "none" if model.weights == "none" else "imagenet",
        "unfreeze": model.unfreeze,
        "input": EXTRACTION[extract],
        "epochs": training.epochs,
        "batch": training.batch_size,
        "lr": training.lr,
        "precision": training.precision,
        "recipe": recipe or OWN,
    }
    if model.weights_file:
        query |= {"weights": "file", "weights_file": model.weights_file, "channels": model.channels}
        query |= {f"weights_{name}": getattr(model, name) or "" for name in ("mean", "std")}
    if not recipe:
        query |= training.model_dump(exclude={*FREE, "augmentation"}) | training.augmentation.model_dump()
    return query


def _compared_with(model: SvmConfig | BdnnConfig | MlpConfig, extract: bool) -> dict[str, Any]:
    inputs = model.inputs
    query: dict[str, Any] = {"what": OTHER, "models": model.kind.upper(), "input_of": EXTRACTION[extract]}
    if isinstance(inputs, TableConfig):
        query |= {"reads": TABLE, "table": inputs.file or "", "columns": COLUMNS[inputs.columns]}
    else:
        fields = inputs.model_dump(exclude={"kind"})
        fields |= fields.pop("phog", {}) | fields.pop("lpq", {})
        query |= {"reads": INPUTS[inputs.kind]} | {key: fields[key] for key in DESCRIPTORS if key in fields}
    if not isinstance(model, SvmConfig):
        query |= {"iterations": model.epochs, "dense_lr": model.lr, "raw": not model.standardise}
        query["hidden"] = model.hidden
    if isinstance(model, BdnnConfig):
        query |= {"alternate": model.alternate, "mean_node": model.mean_node}
    return query


def _written(value: Any) -> Any:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else value
