"""The Predict page's choices: what answers, which of its networks, a second one beside it, when an answer is unsure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from fer_core.config.recognition import RecogniserConfig, VoteConfig
from fer_core.config.run import FacesConfig
from fer_core.config.run import Model as Definition
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.learning.networks.naming import recogniser_name
from fer_core.learning.networks.recognisers import named
from fer_core.prediction.answers import UNSURE_BELOW
from fer_core.results.rows import folds_words, pictures, recogniser_pictures, title
from fer_core.results.shares import accuracy_interval, percent
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.cache.predictors import as_it_is, offered, predictor, recognisers
from fer_core.ui.parts.url import by_name, in_range, linked
from fer_core.ui.parts.widgets import carried, escaped
from fer_core.ui.shell.setup import Lab

if TYPE_CHECKING:
    from fer_core.prediction.answering import Answerer

ALL = "All folds vote"
NONE = "Nothing else"

#: Where the session keeps which model a page has chosen by itself.
BY_ITSELF = "answers-by-itself"


@dataclass(frozen=True)
class Model:
    """What answers: a finished run, with all its networks or the one of (seed, fold), or a recogniser without a run.

    Attributes:
        id: the run's, or the recogniser's name.
        title: what people call it.
        measured: the run that says how often it is right: its own, or the newest that judged frames as it does.
    """

    id: str
    title: str
    definition: Definition
    faces: FacesConfig
    run: StoredRun | None = None
    member: tuple[int, int] | None = None
    measured: StoredRun | None = None

    @classmethod
    def of_run(cls, run: StoredRun) -> Model:
        """Return a finished run as what answers."""
        return cls(run.id, run.name or title(run), run.config.model, run.config.faces, run, measured=run)

    @classmethod
    def of_recogniser(cls, name: str, runs: Sequence[StoredRun]) -> Model:
        """Return a recogniser as what answers, measured by one of the runs if any was its. Raises NotFoundError."""
        model, faces = named(name, resources.artifacts())
        own = [run for run in runs if run.config.model == model and run.config.faces.cut == faces.cut]
        newest = max(own, key=lambda run: run.created, default=None)
        return cls(name, f"{recogniser_name(model)}, as it is", model, faces, measured=newest)

    @property
    def key(self) -> tuple[object, ...]:
        """What identifies its answers."""
        return self.id, self.run and self.run.attempts, self.member

    @property
    def calibrated(self) -> bool:
        """Whether temperatures were fitted for it."""
        if self.run is None:
            return False
        vote = isinstance(self.definition, VoteConfig) and self.definition.calibrated
        trained = self.run.config.trains_backbone and self.run.config.training.calibrate
        return vote or trained or "temperature" in self.run.summary

    @property
    def learnt(self) -> bool:
        """Whether it was trained on the data set of its run."""
        return self.run is not None and not isinstance(self.definition, RecogniserConfig)

    @property
    def drawn(self) -> bool:
        """Whether it was trained on drawn faces."""
        return self.run is not None and self.learnt and self.run.config.data.generated

    @property
    def pictures(self) -> str:
        """Which pictures it was trained on, in words."""
        if isinstance(self.definition, RecogniserConfig):
            return recogniser_pictures(self.definition)
        assert self.run is not None  # only recognisers answer without one
        return pictures(self.run.config)

    def load(self) -> Answerer:
        """Return what answers; it is loaded once for the server."""
        with st.spinner("Loading the networks ...", show_time=True):
            whole = as_it_is(self.id) if self.run is None else predictor(self.run)
        return whole if self.member is None else whole.only(*self.member)


def asked() -> list[str]:
    """Return the ids of the runs that the URL asks for."""
    return [st.query_params[name] for name in ("run", "against") if st.query_params.get(name, NONE) != NONE]


def known(lab: Lab, fingerprint: str = "") -> dict[str, Model]:
    """Return what may answer by its id, the one to begin with first.

    Runs on photographs come first, then the recognisers, then runs on drawn faces, which know nothing else; but before
    all of them what was trained on the data set of this fingerprint.
    """
    runs = offered(lab.store, asked())
    models = [Model.of_run(run) for run in runs] + [Model.of_recogniser(name, runs) for name in recognisers()]

    def place(model: Model) -> tuple[bool, int]:
        here = model.run is not None and model.run.data == fingerprint
        return not here, 0 if model.run and not model.run.config.data.generated else 1 + (
            model.run is not None
        )

    return {model.id: model for model in sorted(models, key=place)}


def choose(lab: Lab, fingerprint: str = "") -> tuple[list[Model], float]:
    """Draw the choice of what answers, of its folds, of a second one and of a threshold.

    Args:
        fingerprint: of the data set whose sample is looked at, if one is.

    Returns:
        One model or two, and the probability below which an answer is unsure.
    """
    by_id = known(lab, fingerprint)
    titles = {NONE: NONE} | {model.id: _line(model) for model in by_id.values()}
    for unknown in [run_id for run_id in asked() if run_id not in by_id]:
        st.warning(
            f"The link asks for run `{escaped(unknown[:40])}`, which is no finished run with networks here: another is "
            "chosen.",
            icon=":material/link_off:",
        )
    first = st.container()
    with st.expander("Options", icon=":material/tune:"):
        if lab.settings.demo:
            first = st.container()
        with first:
            wanted = st.query_params.get("run")
            if wanted == st.session_state.get(BY_ITSELF):
                wanted = None  # nobody asked for it
            model = by_id[by_name("Answered by", "run", list(by_id), titles.__getitem__, asked=wanted)]
            st.session_state[BY_ITSELF] = (
                model.id if wanted is None and model.id == next(iter(by_id)) else None
            )
        model = replace(model, member=_member(model))
        others = [NONE, *(key for key in by_id if key != model.id)]
        wanted = st.query_params.get("against")
        against = by_name("Compare with", "against", others, titles.__getitem__, asked=wanted, default=NONE)
        below = _unsure_below()
    models = [model] if against == NONE else [model, by_id[against]]
    if any(each.drawn for each in models):
        st.warning(
            "Trained on drawn faces only: on photographs the answers mean little.", icon=":material/draw:"
        )
    return models, below


def _member(model: Model) -> tuple[int, int] | None:
    """Draw the choice of one network among a run's folds; return (seed, fold), None for all."""
    found = [] if model.run is None else members(model.run)
    names = [ALL, *(f"{seed}.{fold}" for seed, fold in found)]
    wanted = st.query_params.get(linked("fold", names))
    fold = by_name("Networks", "fold", names, _fold_words, asked=wanted, default=ALL)
    return None if fold == ALL else found[names.index(fold) - 1]


def _fold_words(name: str) -> str:
    return name if name == ALL else f"Seed, fold {name}"


def _unsure_below() -> float:
    return float(
        st.slider(
            "Unsure below",
            value=UNSURE_BELOW,
            step=0.05,
            **in_range("unsure", 0.0, 1.0),
            help="An answer whose highest probability is lower is called unsure. Seven classes by chance: 0.14.",
        )
    )


def _line(model: Model) -> str:
    if model.run is None:
        return f"{model.title} (recogniser)"
    return f"{model.title} · {_protocol(model.run)} · {percent(model.run.summary['val_accuracy'])}"


def _protocol(run: StoredRun) -> str:
    return f"{run.protocol}{', leaks' * PROTOCOLS[run.protocol].leaks}"


def members(run: StoredRun) -> list[tuple[int, int]]:
    """Return (seed, fold) of the networks that a run has left, here or where hosts share them."""
    artifacts = resources.artifacts()
    if not run.unfreeze or not artifacts.has("runs", run.id):
        return []
    found = []
    for path in artifacts.open("runs", run.id).glob("seed*-fold*.safetensors"):
        seed, fold = path.stem.removeprefix("seed").split("-fold")
        found.append((int(seed), int(fold)))
    return sorted(found)


def about(models: Sequence[Model]) -> None:
    """Say of what answers which pictures it learned from, how often it was right, and where to read on."""
    with st.container(key="cards-about" if len(models) > 1 else None):
        for model in models:
            with st.container():
                _about(model)


def _about(model: Model) -> None:
    calibration = "calibrated" if model.calibrated else "**not calibrated**"
    said = f"**{escaped(model.title)}**, trained on {escaped(model.pictures)}"
    run = model.measured
    if run is None:
        said += ". No run here has measured it"
    else:
        figures, missing = run.summary, run.summary["missing_faces"]
        said += ": " if model.learnt else ". Measured here: "
        said += (
            f"{percent(figures['val_accuracy'])} of the {'held-out ' * model.learnt}images of "
            f"{escaped(run.data_name)} right ({accuracy_interval(figures)}; {_protocol(run)}, {folds_words(run)}; "
            f"{'faces not looked for' if missing is None else f'{missing} frames without a face'})"
        )
    if model.member is not None:
        said += f"; only seed {model.member[0]}, fold {model.member[1]} answers"
    st.caption(f"{said}. Probabilities are {calibration}.")
    st.page_link(
        "pages/made.py",
        label="How it was made and measured",
        icon=":material/fact_check:",
        query_params=carried(run=model.id),
    )
