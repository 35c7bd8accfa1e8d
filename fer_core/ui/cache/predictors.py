"""Predictors kept in memory for all visitors, the best run's loaded before the first of them asks."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fer_core.config.settings import Settings
from fer_core.errors import FerError
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.storage.store import Store, StoredRun

if TYPE_CHECKING:
    from fer_core.prediction.predictor import Predictor

log = logging.getLogger("fer_core.ui")

#: Predictors kept: two runs to compare and one more; the longest unused goes first.
MOST = 3

#: Runs offered: a list that a person still reads.
MOST_OFFERED = 200


class Loaded:
    """Predictors by run; each is loaded once, by one thread, while others wait for it."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._lock = settings, threading.Lock()
        self._kept: OrderedDict[tuple[str, int], Predictor] = OrderedDict()

    def get(self, run: StoredRun) -> Predictor:
        """Return a finished run's predictor; `attempts` renews it after a retry.

        Raises:
            NotFoundError, WeightsError: as `Predictor.load`.
        """
        from fer_core.prediction.predictor import Predictor

        key = run.id, run.attempts
        with self._lock:
            if key not in self._kept:
                self._kept[key] = Predictor.load(run.id, run.config, self._settings)
            self._kept.move_to_end(key)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
            return self._kept[key]

    def warm(self, store: Store) -> threading.Thread:
        """Load the run that the Predict page offers first, in a thread that keeps no page waiting.

        The process waits for it when it ends: a daemon thread would be torn out of torch's C++ frames, which aborts.
        """
        thread = threading.Thread(target=self._warm, args=(store,), name="warm-up")
        thread.start()
        return thread

    def _warm(self, store: Store) -> None:
        try:
            if runs := offered(store):
                self.get(runs[0]).warm()
        except FerError as error:  # the page says the same once it is asked
            log.info("no run was loaded ahead: %s", error)


def offered(store: Store, asked: Sequence[str] = ()) -> list[StoredRun]:
    """Return the newest finished runs that leave networks to predict with: those without a leak first, then the best.

    Args:
        asked: ids of runs to offer as well, however old; ids of other runs are passed over.
    """
    chosen: dict[str, Any] = {"status": ["done"], "goal": "train", "transferred": True}
    runs = store.runs(**chosen, limit=MOST_OFFERED)
    known = {run.id for run in runs}
    older = [run_id for run_id in asked if run_id not in known]
    if older:
        runs += store.runs(**chosen, ids=older)
    return sorted(runs, key=lambda run: (PROTOCOLS[run.protocol].leaks, -run.summary["val_accuracy"]))
