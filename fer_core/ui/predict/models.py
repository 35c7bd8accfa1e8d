"""The Predict page's choices: which run and which of its networks, a run to compare with, when an answer is unsure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.prediction.answers import UNSURE_BELOW
from fer_core.results.rows import title
from fer_core.results.shares import accuracy_interval
from fer_core.storage.store import StoredRun
from fer_core.ui.cache import resources
from fer_core.ui.cache.predictors import predictor
from fer_core.ui.parts.url import in_range, linked
from fer_core.ui.parts.widgets import escaped, percent

if TYPE_CHECKING:
    from fer_core.prediction.predictor import Predictor

ALL = "All folds vote"
NONE = "No other run"


@dataclass(frozen=True)
class Model:
    """A run and which of its networks vote: all, or the one of (seed, fold)."""

    run: StoredRun
    member: tuple[int, int] | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """What identifies its answers."""
        return self.run.id, self.run.attempts, self.member

    @property
    def calibrated(self) -> bool:
        """Whether its run fitted temperatures."""
        return self.run.config.trains_backbone and self.run.config.training.calibrate

    def load(self) -> Predictor:
        """Return its predictor; the run is loaded once for the server."""
        with st.spinner("Loading the model ...", show_time=True):
            whole = predictor(self.run)
        return whole if self.member is None else whole.only(*self.member)


def asked() -> list[str]:
    """Return the ids of the runs that the URL asks for."""
    return [st.query_params[name] for name in ("run", "against") if st.query_params.get(name, NONE) != NONE]


def choose(runs: list[StoredRun]) -> list[Model]:
    """Draw the choice of a finished run, of its folds and of a second run; return one model or two."""
    by_id, titles = {run.id: run for run in runs}, {NONE: NONE}
    for run in runs:
        titles[run.id] = f"{title(run)} · {_protocol(run)} · {percent(run.summary['val_accuracy'])}"
    for unknown in [run_id for run_id in asked() if run_id not in by_id]:
        st.warning(
            f"The link asks for run `{escaped(unknown[:40])}`, which is no finished run with networks here: another is "
            "chosen.",
            icon=":material/link_off:",
        )
    left, middle, right = st.columns([5, 2, 5])
    with left:
        run = by_id[_bound("Finished run", "run", list(by_id), titles.__getitem__)]
    with middle:
        members = _members(run)
        names = [ALL, *(f"{seed}.{fold}" for seed, fold in members)]
        fold = _bound(
            "Networks",
            linked("fold", names),
            names,
            lambda name: name if name == ALL else f"Seed, fold {name}",
            default=ALL,
        )
    with right:
        others = [NONE, *(key for key in by_id if key != run.id)]
        against = _bound("Compare with", "against", others, titles.__getitem__, default=NONE)
    models = [Model(run, None if fold == ALL else members[names.index(fold) - 1])]
    if against != NONE:
        models.append(Model(by_id[against]))
    for model in models:
        _about(model)
    if any(model.run.config.data.generated for model in models):
        st.warning(
            "Trained on drawn faces only: on photographs the answers mean little.", icon=":material/draw:"
        )
    return models


def unsure_below() -> float:
    """Draw the slider below which an answer is called unsure."""
    return float(
        st.slider(
            "Unsure below",
            value=UNSURE_BELOW,
            step=0.05,
            **in_range("unsure", 0.0, 1.0),
            help="An answer whose highest probability is lower is called unsure. Seven classes by chance: 0.14.",
        )
    )


def _bound(
    label: str, name: str, options: Sequence[str], shown: Callable[[str], str], *, default: str | None = None
) -> str:
    """Draw a choice that the URL holds under a name; the default is not written there."""
    asked = st.query_params.get(name)
    index = options.index(asked) if asked in options else 0
    chosen = str(st.selectbox(label, options, index=index, format_func=shown))
    if chosen != default:
        st.query_params[name] = chosen
    elif name in st.query_params:
        del st.query_params[name]
    return chosen


def _protocol(run: StoredRun) -> str:
    return f"{run.protocol}{', leaks' * PROTOCOLS[run.protocol].leaks}"


def _members(run: StoredRun) -> list[tuple[int, int]]:
    """Return (seed, fold) of the networks that a run has left, here or where hosts share them."""
    artifacts = resources.artifacts()
    if not artifacts.has("runs", run.id):
        return []
    found = []
    for path in artifacts.open("runs", run.id).glob("seed*-fold*.safetensors"):
        seed, fold = path.stem.removeprefix("seed").split("-fold")
        found.append((int(seed), int(fold)))
    return sorted(found)


def _about(model: Model) -> None:
    run, figures = model.run, model.run.summary
    trained = "generated faces" if run.config.data.generated else run.data_name
    missing = figures["missing_faces"]
    voting = (
        "the folds' networks vote"
        if model.member is None
        else f"seed {model.member[0]}, fold {model.member[1]}"
    )
    st.caption(
        f"**{title(run)}**, trained on {escaped(trained)}: {percent(figures['val_accuracy'])} of held-out images right "
        f"({accuracy_interval(figures)}; {_protocol(run)}, {figures['folds']} folds, seeds "
        f"{', '.join(map(str, figures['seeds']))}; "
        f"{'faces not looked for' if missing is None else f'{missing} frames without a face'}); {voting}. "
        + ("Probabilities are calibrated." if model.calibrated else "Probabilities are **not calibrated**.")
    )
