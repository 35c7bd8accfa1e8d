"""The finished runs of one data set, and what the Compare page asks of every one of them, worked out once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from types import FunctionType
from typing import Any

import pandas as pd

from fer_core.config.run import TransferConfig
from fer_core.learning.networks.naming import family
from fer_core.results.rows import title
from fer_core.storage.store import StoredRun
from fer_core.ui.parts.widgets import listed


@dataclass(frozen=True)
class Compared:
    """Finished runs that all visitors share: they stay as they are.

    Attributes:
        data: the data set's fingerprint.
        finished: `Store.finished` at the time; another one once a run was added.
        runs: the newest of them, newest first.
        more: whether there may be older ones.
    """

    data: str
    finished: tuple[int, float]
    runs: tuple[StoredRun, ...]
    more: bool

    @cached_property
    def by_id(self) -> dict[str, StoredRun]:
        """The runs by their ids."""
        return {run.id: run for run in self.runs}

    @cached_property
    def table(self) -> pd.DataFrame:
        """What `widgets.listed` says of each run, by its id."""
        return listed(self.runs).set_index("run_id", drop=False)

    @cached_property
    def families(self) -> dict[str, str]:
        """Each run's system without its settings, by the run's id."""
        return {run.id: family(run.config.model) for run in self.runs}

    @cached_property
    def networks(self) -> set[tuple[str, str]]:
        """Each backbone that was run with its weights: 'imagenet', 'none' or the file's path."""
        models = {run.config.model for run in self.runs if isinstance(run.config.model, TransferConfig)}
        return {(model.backbone, model.weights_file or model.weights) for model in models}

    @cached_property
    def _names(self) -> dict[str, str]:
        return {run.id: name for name, run in labels(self.runs).items()}

    def rows(self, runs: Sequence[StoredRun]) -> pd.DataFrame:
        """Return the rows of `table` for some of the runs, in their order."""
        return self.table.loc[[run.id for run in runs]]

    def named(self, runs: Sequence[StoredRun]) -> dict[str, StoredRun]:
        """Return some of the runs by their names, as `labels` gives them."""
        return {self._names[run.id]: run for run in runs}


def label(run: StoredRun, called: str = "") -> str:
    """Return what people call a run, else its title, with its protocol and k: several of one system stand together."""
    called = called or run.name or title(run)
    if run.protocol == "unseen":
        return f"{called} · {run.protocol}"
    return f"{called} · {run.protocol}, {run.config.protocol.folds} folds"


def labels(runs: Sequence[StoredRun]) -> dict[str, StoredRun]:
    """Return runs by a name that no other has, as the URL keeps it.

    Eight digits of the id end it, by which `url.linked` knows a run that was renamed; runs of one name that share those
    have all sixteen.
    """
    names = {run.id: label(run) for run in runs}
    short = {run_id: f"{name} ({run_id[:8]})" for run_id, name in names.items()}
    times = Counter(short.values())
    return {
        short[run.id] if times[short[run.id]] == 1 else f"{names[run.id]} ({run.id})": run for run in runs
    }


#: Functions of a module count by their names; a finished run changes only by another attempt.
HASHES: dict[str | type[Any], Any] = {
    FunctionType: lambda function: f"{function.__module__}.{function.__qualname__}",
    StoredRun: lambda run: (run.id, run.attempts),
    Compared: lambda compared: (compared.data, compared.finished),
}
