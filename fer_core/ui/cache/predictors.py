"""What answers, kept in memory for all visitors, the first choice loaded before the first of them asks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import streamlit as st

from fer_core.config.devices import release, resolve
from fer_core.config.recognition import VoteConfig
from fer_core.errors import FerError
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.learning.networks import onnx_files
from fer_core.learning.networks.recognisers import RECOGNISERS
from fer_core.prediction import limits
from fer_core.storage.store import Store, StoredRun

from . import resources
from .finished_runs import HASHES

if TYPE_CHECKING:
    from fer_core.prediction.answering import Answerer

log = logging.getLogger("fer_core.ui")

#: Runs offered: a list that a person still reads.
MOST_OFFERED = 200

#: Faces that are answered of an image: what one visitor sends must not hold the device for minutes.
MOST_FACES = 64


def _let_go(_: Answerer) -> None:
    release(resolve(resources.settings()))


# Two to compare and one more; the memory of one that makes room goes back to the device.
@st.cache_resource(max_entries=3, show_spinner=False, hash_funcs=HASHES, on_release=_let_go)
def predictor(run: StoredRun) -> Answerer:
    """Return what a finished run answers with, loaded once for the server.

    Raises:
        NotFoundError, WeightsError, ConfigError: as `loading.answerer`.
    """
    resources.libraries()
    from fer_core.prediction.loading import answerer

    return answerer(run, resources.settings()).bounded(MOST_FACES)


@st.cache_resource(max_entries=2, show_spinner=False)
def as_it_is(name: str) -> Answerer:
    """Return a recogniser without a run, loaded once for the server. Raises as `Recognition.named`."""
    resources.libraries()
    from fer_core.prediction.recognition import Recognition

    return Recognition.named(name, resources.settings()).bounded(MOST_FACES)


def recognisers() -> list[str]:
    """Return the names of the recognisers that are here: those that need no file, then files that were added.

    Where runs that answer were published there are none: those answer.
    """
    if resources.settings().published and offered(resources.store()):
        return []
    return [*RECOGNISERS, *(one.sha256[:16] for one in onnx_files.listed(resources.artifacts()))]


def offered(store: Store, asked: Sequence[str] = ()) -> list[StoredRun]:
    """Return the newest finished runs that can answer: those without a leak first, then the best.

    Args:
        asked: ids of runs to offer as well, however old; ids of other runs are passed over.
    """
    chosen: dict[str, Any] = {"status": ["done"], "goal": "train", "answers": True}
    runs = store.runs(**chosen, limit=MOST_OFFERED)
    known = {run.id for run in runs}
    if older := [run_id for run_id in asked if run_id not in known]:
        runs += store.runs(**chosen, ids=older)
    votes = {
        run.id: set(run.config.model.members) for run in runs if isinstance(run.config.model, VoteConfig)
    }
    voting = {run.id for run in store.runs(**chosen, ids=sorted(set().union(*votes.values())))}
    able = [run for run in runs if votes.get(run.id, set()) <= voting]
    return sorted(able, key=lambda run: (PROTOCOLS[run.protocol].leaks, -run.summary["val_accuracy"]))


def warm_up() -> None:
    """Load the recogniser, and the run that the Predict page offers first, in the thread that computes for all.

    No page waits for it. The process does when it ends: a daemon thread would be torn out of torch's C++ frames, which
    aborts.
    """
    begun = limits.guard().threads.submit(_warm_up, resources.store())
    begun.add_done_callback(Future.result)  # logs what it raised


def _warm_up(store: Store) -> None:
    try:
        for name in recognisers()[:1]:
            as_it_is(name).warm()
        if runs := offered(store):
            predictor(runs[0]).warm()
    except FerError as error:  # the page says the same once it is asked
        log.info("not all was loaded ahead: %s", error)
