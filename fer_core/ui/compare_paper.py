"""The paper's tables beside this machine's figures: what holds, what does not, what is within noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from .. import charts, paper
from ..comparison import paper_plan
from ..config import RunConfig, TransferConfig
from ..config_comparators import BdnnConfig
from ..models.backbones import BACKBONES
from ..planning import faces_config
from ..protocols import PROTOCOLS
from ..replication import (
    DIFFERS,
    FAILS,
    HOLDS,
    MISSING,
    NOISE,
    PAPER_IMAGES,
    Checked,
    Measured,
    Runs,
    check_figures,
    noise,
)
from ..statements import check_statements
from ..store import StoredRun
from . import downloads, resources
from .setup import Lab
from .train_view import launch

MARKS = {HOLDS: "✓ holds", FAILS: "✗ does not hold", NOISE: "≈ within noise", DIFFERS: "✗ differs"}
MEASURES = {
    "train_accuracy": "training accuracy",
    "val_accuracy": "validation accuracy",
    "train_loss": "training loss",
    "val_loss": "validation loss",
}
TABLES = (
    (
        paper.TABLE_2,
        "Table 2: accuracy for n = 1, 2, 3",
        "Means over the epochs under the per-epoch reshuffle, as the paper's, with faces cut out.",
    ),
    (
        paper.TABLE_3,
        "Table 3: mean loss with and without face extraction",
        "Cross-entropy in nats, mean over the epochs under the reshuffle; the paper does not say for which n: "
        "here n = 2.",
    ),
    (
        paper.BDNN_TABLE,
        "The BDNN's table: accuracy after 100 and 200 iterations",
        "Mean of random folds at that iteration; the paper has ten of them.",
    ),
    (
        paper.SFEW_PAPER,
        "SFEW's published baselines",
        "Random 5-fold, not person independent; SPI is SFEW's own protocol.",
    ),
)


def view(lab: Lab, runs: list[StoredRun]) -> None:
    """Draw everything the paper reports beside what was measured here."""
    backbone = _backbone(runs)
    if lab.dataset.generated:
        st.warning(
            "On drawn faces no figure can confirm or refute the paper. Point FER Lab at SFEW for that; here the same "
            "tables show how it would be told.",
            icon=":material/draw:",
        )
    _missing(lab, backbone)
    found = Runs(
        runs,
        backbone,
        resources.epochs,
        lambda run: resources.finished_predictions(run.id, run.attempts),
    )
    figures = check_figures(found)
    _overall(figures, backbone)
    _figure(figures)
    for source, heading, note in TABLES:
        st.markdown(f"**{heading}**")
        own = [one for one in figures if one.reported.source == source]
        st.table(pd.DataFrame([_row(one) for one in own]).set_index("Figure"))
        st.caption(note)
    st.markdown("**Table 1: settings of the BDNN**")
    st.table(_settings(found).set_index("Setting"))
    _statements(found)
    _against_itself()


def _backbone(runs: Sequence[StoredRun]) -> str:
    """Draw the choice of what stands beside the paper's ResNet18, among those that were run."""
    known = sorted({run.backbone for run in runs if isinstance(run.config.model, TransferConfig)})
    if not known:
        return "resnet18"
    known.sort(key=lambda name: name != "resnet18")
    name = st.selectbox("Beside the paper's ResNet18", known, key="beside", bind="query-params")
    if name != "resnet18":
        st.caption(
            f"{BACKBONES[name].title} stands in for the paper's ResNet18: its figures are another network's."
        )
    return str(name)


def _missing(lab: Lab, backbone: str) -> None:
    """Offer what the paper compares and has not been run here."""
    data = resources.data_config(lab.source)
    faces = faces_config(lab.store, resources.artifacts(), data, {"no_face": "manual"})
    known = any(isinstance(run.config.model, TransferConfig) for run in lab.store.runs(data=data.fingerprint))
    plan = paper_plan(lab.dataset, data, faces, lab.settings, backbone=backbone if known else None)
    states = {run.id: run.status for run in lab.store.runs(ids=[config.key() for config in plan.configs])}
    missing = [config for config in plan.configs if states.get(config.key()) != "done"]
    if not missing:
        return
    waiting = sum(states.get(config.key()) in ("queued", "running") for config in missing)
    with st.container(border=True):
        st.markdown(
            f"**{len(missing)} of the {len(plan.configs)} runs that the paper's tables call for (20 epochs, 5 folds) "
            "are not here** "
            f"({_kinds(missing)})." + (f" {waiting} of them wait or go on." if waiting else "")
        )
        for line in plan.notes:
            st.caption(line)
        if not lab.demo and st.button(f"Run the missing {len(missing)}", icon=":material/play_arrow:"):
            launch(lab, missing)
            st.rerun()


def _kinds(configs: Sequence[RunConfig]) -> str:
    counts = Counter(config.protocol.name for config in configs)
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _overall(figures: Sequence[Checked], backbone: str) -> None:
    counts = Counter(one.verdict for one in figures if one.reported.measure.endswith("accuracy"))
    judged = counts[NOISE] + counts[DIFFERS]
    columns = st.columns(3)
    columns[0].metric("Accuracies within noise", f"{counts[NOISE]} of {judged}")
    columns[1].metric("Accuracies that differ", f"{counts[DIFFERS]} of {judged}")
    columns[2].metric("Without a run here", counts[MISSING])
    st.caption(
        f"Noise: an accuracy of 43 % on {PAPER_IMAGES} frames has ±{100 * noise(0.43):.1f} points at 95 %, and the "
        "figure here its own; both count. A loss has no interval in the paper."
    )


def _figure(figures: Sequence[Checked]) -> None:
    rows = []
    for one in figures:
        if one.reported.measure != "val_accuracy":
            continue
        for protocol, here in ((one.reported.protocol, one.like), ("group", one.by_group)):
            low, high = here.interval if here and here.interval else (float("nan"),) * 2
            rows.append(
                {
                    "system": one.reported.system,
                    "reported": one.reported.value,
                    "measured": here.value if here else float("nan"),
                    "low": low,
                    "high": high,
                    "protocol": protocol,
                    "leaks": PROTOCOLS[protocol].leaks,
                }
            )
    table = pd.DataFrame(rows)
    downloads.figure(charts.paper_vs_here(table), table, "paper-and-here")


def _row(one: Checked) -> dict[str, str]:
    reported = one.reported
    return {
        "Figure": f"{reported.system}: {MEASURES[reported.measure]}",
        "Paper": f"{reported.printed} %" if reported.measure.endswith("accuracy") else reported.printed,
        "Here, same protocol": _shown(one.like),
        "Here, by movie or person": _shown(one.by_group),
        "Verdict": f"**{MARKS.get(one.verdict, one.verdict)}** {one.words}",
    }


def _shown(here: Measured | None) -> str:
    if here is None:
        return "–"
    if here.interval is None:
        return f"{here.value:.3f}"
    return f"{100 * here.value:.1f} % ({100 * here.interval[0]:.1f} – {100 * here.interval[1]:.1f})"


def _settings(found: Runs) -> pd.DataFrame:
    run = found.pick("bdnn", "stratified") or found.pick("bdnn", "group")
    model = run.config.model if run else None
    here = dict.fromkeys(paper.BDNN_SETTINGS["Forward Net"], "not run")
    if run and isinstance(model, BdnnConfig):
        here = {
            "Learning Rate": f"{model.lr:g}",
            "K-Fold": str(run.config.protocol.folds),
            "Num_Epoch": str(model.epochs),
            "Criterion": "cross-entropy forward, mean squared error in reverse",
            "Optimiser": "Adam",
            "Input shape": f"{model.inputs.kind}: "
            + (f"{model.inputs.side}²" if model.inputs.kind == "pixels" else "D"),
            "Output Shape": "7 forward, as the input in reverse",
        }
    parts = paper.BDNN_SETTINGS
    return pd.DataFrame(
        [
            {
                "Setting": name,
                "Paper, forward": value,
                "Paper, backward": parts["Backward Net"][name],
                "Here": here[name],
            }
            for name, value in parts["Forward Net"].items()
        ]
    )


def _statements(found: Runs) -> None:
    st.subheader("What the paper says of them")
    rows: dict[str, dict[str, str]] = {}
    for one in check_statements(found):
        row = rows.setdefault(one.statement, {"Statement": f"{one.statement} ({one.source})"})
        column = "Here, by movie or person" if one.protocol == "group" else "Here, as the paper"
        row[column] = f"**{MARKS.get(one.verdict, one.verdict)}** {one.words}"
    st.table(pd.DataFrame(list(rows.values())).set_index("Statement"))
    st.caption(
        "Differences are of the same images under the same folds, with a 95 % bootstrap over movies or persons; "
        "'within noise' means that the interval holds zero. 'As the paper' is its reshuffle, or random folds "
        "across systems."
    )


def _against_itself() -> None:
    st.subheader("Where the paper disagrees with itself, and what it leaves open")
    for disagreement in paper.DISAGREEMENTS:
        with st.expander(f"It disagrees on: {disagreement.about}"):
            for source, quote in disagreement.places:
                st.markdown(f"- {source}: “{quote}”")
            st.write(disagreement.reading)
    st.markdown("Not stated: " + "; ".join(paper.NOT_STATED) + ".")
