"""Predictors kept in memory for all visitors, the best run's loaded before the first of them asks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from fer_core.errors import FerError
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.storage.store import Store, StoredRun

from . import resources
from .hashes import HASHES

if TYPE_CHECKING:
    from fer_core.prediction.predictor import Predictor

log = logging.getLogger("fer_core.ui")

#: Runs offered: a list that a person still reads.
MOST_OFFERED = 200


@st.cache_resource(max_entries=3, show_spinner=False, hash_funcs=HASHES)  # two runs to compare and one more
def predictor(run: StoredRun) -> Predictor:
    """Return a finished run's predictor, loaded once for the server.

    Raises:
        NotFoundError, WeightsError: as `Predictor.load`.
    """
    resources.libraries()
    from fer_core.prediction.predictor import Predictor

    return Predictor.load(run.id, run.config, resources.settings())


def offered(store: Store, asked: Sequence[str] = ()) -> list[StoredRun]:
    """Return the newest finished runs that leave networks to predict with: those without a leak first, then the best.

    Args:
        asked: ids of runs to offer as well, however old; ids of other runs are passed over.
    """
    chosen: dict[str, Any] = {"status": ["done"], "goal": "train", "transferred": True}
    runs = store.runs(**chosen, limit=MOST_OFFERED)
    known = {run.id for run in runs}
    if older := [run_id for run_id in asked if run_id not in known]:
        runs += store.runs(**chosen, ids=older)
    return sorted(runs, key=lambda run: (PROTOCOLS[run.protocol].leaks, -run.summary["val_accuracy"]))


def warm_up() -> None:
    """Load the run that the Predict page offers first, in a thread that keeps no page waiting.

    The process waits for it when it ends: a daemon thread would be torn out of torch's C++ frames, which aborts.
    """
    threading.Thread(target=_warm_up, args=(resources.store(),), name="warm-up").start()


def _warm_up(store: Store) -> None:
    try:
        if runs := offered(store):
            predictor(runs[0]).warm()
    except FerError as error:  # the page says the same once it is asked
        log.info("no run was loaded ahead: %s", error)
