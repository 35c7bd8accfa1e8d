"""The paper's tables beside this machine's figures: what holds, what does not, what is within noise."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from fer_core.config.comparators import BdnnConfig
from fer_core.config.run import FacesConfig, RunConfig
from fer_core.datasets.base import generated_words
from fer_core.datasets.readers.feature_table import LAYOUT
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.networks.naming import weights_words
from fer_core.results import charts
from fer_core.results.paper import reported as paper
from fer_core.results.paper.counterparts import Runs
from fer_core.results.paper.verdicts import (
    DIFFERS,
    FAILS,
    HOLDS,
    MISSING,
    NOISE,
    PAPER_IMAGES,
    Checked,
    JudgedStatement,
    Measured,
    check_figures,
    check_statements,
    noise,
)
from fer_core.results.shares import interval_over, percent
from fer_core.runs.plans.comparison import Plan, choose_backbone, paper_plan
from fer_core.runs.plans.requests import faces_config
from fer_core.ui.cache import resources
from fer_core.ui.cache.finished_runs import Compared
from fer_core.ui.parts import figure
from fer_core.ui.parts.url import one_of
from fer_core.ui.shell.setup import Lab

from . import missing_runs

MARKS = {HOLDS: "✓ holds", FAILS: "✗ does not hold", NOISE: "≈ within noise", DIFFERS: "✗ differs"}
#: Weights that are no file.
PRETRAINED = ("imagenet", "none")
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
        "Means over the epochs under the per-epoch reshuffle, as the paper prints them, with faces cut out; above and "
        "everywhere else stand the figures of the reported epoch.",
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


@dataclass(frozen=True)
class PaperHere:
    """The paper beside the runs here: the runs it calls for by id, its figures and statements, the BDNN's settings."""

    plan: Plan
    configs: dict[str, RunConfig]
    stand_in: str
    figures: list[Checked]
    statements: pd.DataFrame
    settings: pd.DataFrame


def view(lab: Lab, compared: Compared) -> None:
    """Draw everything the paper reports beside what was measured here."""
    if lab.settings.published and lab.dataset.layout == LAYOUT:
        st.info("The sheet was not published: what the paper's tables call for isn't known.")
        return
    backbone, weights = (None, "imagenet") if lab.dataset.layout == LAYOUT else _network(compared)
    if lab.dataset.generated:
        st.warning(
            f"{generated_words(lab.dataset.layout)[0]} can neither confirm nor refute the paper. Point FER Lab at SFEW "
            "for that; here the same tables show how it would look.",
            icon=":material/draw:",
        )
    data = resources.data_config(lab.source)
    # On the faces as their hand-drawn boxes are now.
    faces = faces_config(lab.store, resources.artifacts(), data, {"no_face": "manual", "choice": "largest"})
    found = resources.of_trained(
        paper_here,
        compared,
        lab.source,
        data.fingerprint,
        faces.model_dump_json(),
        backbone,
        weights,
        _file(weights),
    )
    _figure(found.figures, found.stand_in)
    _statements(found)
    missing_runs.offer(
        lab,
        found.configs,
        "the paper's tables call for (20 epochs, 5 folds)",
        (*found.plan.notes, *found.plan.absent.values()),
    )
    st.subheader("Its tables")
    _overall(found.figures)
    ran = {one.reported.source for one in found.figures if one.like or one.by_group}
    with st.container(key="cards-tables" if ran else None):
        for source, heading, note in TABLES:
            own = [one for one in found.figures if one.reported.source == source]
            with st.expander(heading + " (not run)" * (source not in ran), expanded=source in ran):
                st.table(pd.DataFrame([_row(one) for one in own]).set_index("Figure"))
                st.caption(note)
        with st.expander("Table 1: settings of the BDNN"):
            st.table(found.settings)
    _against_itself()


def _network(compared: Compared) -> tuple[str, str]:
    """Draw the choice of what stands beside the paper's ResNet18: backbone, and weights as `paper_plan` takes them.

    Random weights can be chosen before anything ran with them; what was pretrained stands first.
    """
    # Weights from a file are looked for there again, to plan what is missing.
    known = {
        (backbone, weights)
        for backbone, weights in compared.networks
        if weights in PRETRAINED or Path(weights).is_file()
    }
    usual = choose_backbone(None, resources.settings())[0]
    offered = sorted({*known, (usual, "imagenet"), ("resnet18", "none")}, key=_papers_first)
    # What has been run goes before what could be.
    offered.sort(key=lambda network: network not in known and bool(known))
    named = {_name(*network): network for network in offered}
    what = "Another network stands in for the paper's: its figures are its own"
    chosen = st.selectbox("Beside the paper's ResNet18", **one_of("beside", list(named)), help=what)
    backbone, weights = named[chosen]
    if weights == "none":
        st.warning(
            f"**{_name(backbone, weights)}.** The paper's network was pretrained on ImageNet; these figures are of "
            "one that starts from nothing, and can neither confirm nor refute the paper's.",
            icon=":material/casino:",
        )
    return backbone, weights


def _papers_first(network: tuple[str, str]) -> tuple[bool, bool, str]:
    backbone, weights = network
    return weights != "imagenet", backbone != "resnet18", backbone


def _name(backbone: str, weights: str) -> str:
    file = f" ({Path(weights).name})" if weights not in PRETRAINED else ""
    return f"{BACKBONES[backbone].title}{weights_words(weights)}{file}"


def _file(weights: str) -> tuple[int, int] | None:
    """Return what tells that a file of weights has changed: its size and time; None for no file."""
    if weights in PRETRAINED:
        return None
    found = Path(weights).stat()
    return found.st_size, found.st_mtime_ns


def paper_here(
    compared: Compared,
    source: str,
    fingerprint: str,
    faces_json: str,
    backbone: str | None,
    weights: str,
    file: tuple[int, int] | None,
) -> PaperHere:
    """Set the paper beside the runs of a data set; `fingerprint` and `file` renew it when a file changes."""
    plan = paper_plan(
        resources.dataset(source),
        resources.data_config(source),
        FacesConfig.model_validate_json(faces_json),
        resources.settings(),
        backbone=backbone,
        weights=weights,
    )
    runs = Runs(
        compared.runs,
        plan.backbone,
        resources.epochs,
        resources.finished_predictions,
        plan.weights,
        plan.absent,
    )
    return PaperHere(
        plan,
        {config.key(): config for config in plan.configs},
        runs.stand_in,
        check_figures(runs),
        _judgements(runs),
        _settings(runs),
    )


def _overall(figures: Sequence[Checked]) -> None:
    counts = Counter(one.verdict for one in figures if one.reported.measure.endswith("accuracy"))
    judged = counts[NOISE] + counts[DIFFERS]
    shown = {"Accuracies without a run here": str(counts[MISSING])}
    if judged:
        alike, differ = f"{counts[NOISE]} of {judged}", f"{counts[DIFFERS]} of {judged}"
        shown = {"Accuracies within noise": alike, "Accuracies that differ": differ} | shown
    what = (
        f"Noise: an accuracy of 43 % on {PAPER_IMAGES} frames has ±{100 * noise(0.43):.1f} points or more at 95 %, as "
        "frames of a movie are alike, and the figure here its own; both count. A mean over epochs has the width of "
        "the last one's interval, by odds. A loss has no interval in the paper."
    )
    for column, (name, count) in zip(st.columns(len(shown)), shown.items(), strict=True):
        column.metric(name, count, help=what)


def _figure(figures: Sequence[Checked], stand_in: str) -> None:
    rows = []
    for one in figures:
        if one.reported.measure != "val_accuracy" or one.reported.iterations == 100:
            continue
        for protocol, here in ((one.reported.protocol, one.like), ("group", one.by_group)):
            value, interval = here.of_the_run if here else (np.nan, None)
            rows.append(
                {
                    "system": one.reported.system,
                    "reported": one.reported.value,
                    "measured": value,
                    **dict(zip(("low", "high"), interval or (np.nan, np.nan), strict=True)),
                    "protocol": protocol,
                    "leaks": PROTOCOLS[protocol].leaks,
                    "here": stand_in if one.reported.model == "resnet18" else "",
                }
            )
    table = pd.DataFrame(rows)
    figure.figure(resources.chart(charts.paper_vs_here, table, stand_in), table, "paper-and-here")
    st.caption(
        "Here: held-out images at the reported epoch. The paper's for n = 1, 2, 3 are means over 20 epochs; the "
        "tables below set the same beside them."
    )


def _row(one: Checked) -> dict[str, str]:
    reported = one.reported
    return {
        "Figure": f"{reported.system}: {MEASURES[reported.measure]}",
        "Paper": reported.printed + ("\N{NO-BREAK SPACE}%" if reported.measure.endswith("accuracy") else ""),
        "Here, same protocol": _shown(one.like),
        "Here, by movie or person": _shown(one.by_group),
        "Verdict": _verdict(one),
    }


def _shown(here: Measured | None) -> str:
    if here is None:
        return "–"
    if not here.over:
        return f"{here.value:.3f}"
    return f"{percent(here.value)} ({interval_over(here.interval, here.over)})"


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
    parts = pd.DataFrame(paper.BDNN_SETTINGS).apply(lambda column: column.str.strip("$"))
    parts.columns = pd.Index(["Paper, forward", "Paper, backward"])
    return parts.assign(Here=here).rename_axis("Setting")


def _judgements(runs: Runs) -> pd.DataFrame:
    rows: dict[str, dict[str, Any]] = {}
    for one in check_statements(runs):
        column = "Here, by movie or person" if one.protocol == "group" else "Here, as the paper"
        row = rows.setdefault(f"{one.statement} ({one.source})", {"Judged by": one.rule, "run": False})
        row["run"] |= one.verdict != MISSING
        row[column] = _verdict(one)
    judged = pd.DataFrame.from_dict(rows, orient="index").rename_axis("Statement")
    return judged[[*judged.columns.drop("Judged by"), "Judged by"]]


def _verdict(one: Checked | JudgedStatement) -> str:
    return f"**{MARKS.get(one.verdict, one.verdict)}.** {one.words}"


def _statements(found: PaperHere) -> None:
    st.subheader(
        "What the paper says of them",
        help="Differences are of the same images under the same folds, with a 95 % interval over movies or persons; "
        "'within noise' means that the interval holds zero, or an end of the tolerance. 'As the paper' is its "
        "reshuffle, or random folds across systems.",
    )
    if found.stand_in:
        st.caption(f"Judged with {found.stand_in} instead of ResNet18.")
    judged = found.statements[found.statements["run"]].drop(columns="run")
    if len(judged):
        with st.container(key="statements"):
            st.table(judged)
    if waiting := list(found.statements.index[~found.statements["run"]]):
        with st.expander(f"{len(waiting)} of its statements wait{'s' * (len(waiting) == 1)} for runs"):
            st.markdown("\n".join(f"- {statement}" for statement in waiting))


def _against_itself() -> None:
    st.subheader("What the paper leaves open")
    with st.expander(f"It disagrees with itself on {len(paper.DISAGREEMENTS)} things"):
        for disagreement in paper.DISAGREEMENTS:
            quotes = "\n".join(f"- {source}: “{quote}”" for source, quote in disagreement.places)
            st.markdown(f"**On {disagreement.about}**\n{quotes}\n\n{disagreement.reading}")
    with st.expander(f"It does not state {len(paper.NOT_STATED)} things"):
        st.markdown("\n".join(f"- {thing}" for thing in paper.NOT_STATED))
