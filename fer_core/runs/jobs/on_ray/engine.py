"""The engine of runs under FER_EXECUTOR=ray: what is computed where, and how its tasks report to the driver."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fer_core.config.devices import resolve
from fer_core.config.run import FacesConfig
from fer_core.config.settings import Settings
from fer_core.datasets.base import Sample
from fer_core.errors import StoreError
from fer_core.evaluation.protocols import Fold
from fer_core.faces.extraction import CROPS
from fer_core.learning.inputs.views import prepare
from fer_core.learning.networks.transfer import build
from fer_core.learning.reporting import EpochRecord, Report
from fer_core.runs.pipeline.engine import LOCAL, Engine
from fer_core.runs.pipeline.fitting import FITTERS, Work
from fer_core.storage.artifacts import Artifacts

from . import cluster, images

#: The prefix of at least so many images is computed through Ray Data.
LARGE = 4096
#: How often the driver takes in what its tasks report, and looks whether the run was cancelled (seconds).
LOOK_SECONDS = 0.2
#: Tasks that are to stop have so long before they are killed (seconds).
STOP_SECONDS = 10.0


class OnRay(Engine):
    """Heavy steps on a Ray cluster; the driver, in this process, reads, writes and reports.

    Args:
        large: the prefix of a set of fewer images is computed where their folds are fitted: there a network is
            loaded anyway.
    """

    def __init__(self, large: int = LARGE) -> None:
        self._large = large

    def describe(self, settings: Settings) -> tuple[str, dict[str, object]]:
        """Describe a node that computes, and the cluster."""
        device, environment = _described(settings)
        found = {"version": cluster.package().__version__, "slots": cluster.slots(settings)}
        return device, environment | {"ray": found}

    def detect(
        self, samples: Sequence[Sample], faces: FacesConfig, artifacts: Artifacts, settings: Settings
    ) -> Iterable[list[str]]:
        """Detect through Ray Data."""
        return images.detect(samples, faces, artifacts, settings)

    def fit(self, work: Work, folder: Path) -> None:
        """Fit as tasks, a task each group of folds that can be fitted alone; activations of a large set come first."""
        if work.config.trains_backbone and len(work.inputs) >= self._large:
            prepare(
                build(work.config.transfer, work.settings.weights_dir),
                work.inputs,
                config=work.config,
                artifacts=work.artifacts,
                report=work.report,
                device=torch.device("cpu"),
                compute=lambda passed, rows: images.activations(passed, rows, work.artifacts, work.settings),
            )
        groups = FITTERS[work.config.model.kind].apart(work)
        if work.config.trains_backbone and work.config.training.precision == "auto":
            # The first fold measures which arithmetic to train in and leaves the answer to the others.
            _fit(work, folder, groups, range(1))
        _fit(work, folder, groups, range(len(groups)))


def _fit(work: Work, folder: Path, groups: list[list[Fold]], numbers: Iterable[int]) -> None:
    """Fit some groups as tasks at once; whatever ends this ends them too: the folder has one writer at a time."""
    ray = cluster.connect()
    from ray.util.queue import Queue

    queue = Queue(actor_options={"num_cpus": 0})
    received = Received(queue, work.report, [len(group) * work.config.epochs for group in groups])
    task = ray.remote(max_retries=0, **cluster.resources(work.settings))(fit)
    running: list[Any] = []
    try:
        with cluster.failures():
            running = [
                task.remote(*_given(work, groups[number], number, queue), str(folder)) for number in numbers
            ]
            while running:
                ended, running = ray.wait(running, timeout=LOOK_SECONDS)
                received.pass_on()
                ray.get(ended)
            received.pass_on()
    finally:
        for force in (False, True):
            for one in running:
                ray.cancel(one, force=force)
            if running:
                _, running = ray.wait(running, num_returns=len(running), timeout=STOP_SECONDS)
        queue.shutdown(force=True)


def _given(work: Work, folds: list[Fold], number: int, queue: Any) -> tuple[Work, int]:
    """Return what a task is given: the work with its folds, and how many crops it opens itself."""
    settings = cluster.on_node(work.settings)
    report = TaskReport(queue, number, work.report.run_id, work.report.attempt)
    crops = len(work.inputs) if work.config.trains_backbone else 0
    inputs = np.empty(0, np.uint8) if crops else np.asarray(work.inputs)
    return replace(work, folds=folds, inputs=inputs, report=report, settings=settings), crops


def fit(work: Work, crops: int, folder: str) -> None:
    """Fit a group of folds into the run's folder: the body of a task.

    Args:
        work: its report is a `TaskReport`.
        crops: the inputs are so many of the run's crops, which are opened here; 0 where they came along.

    Raises:
        StoreError: this node doesn't see the folder.
    """
    if not Path(folder).is_dir():
        raise StoreError(
            "Every node of a Ray cluster must see the folder of artifacts at the same path",
            got=f"no {folder}",
            fix="Put FER_HOME on a folder that all nodes share",
        )
    inputs = work.inputs
    if crops:
        found = work.artifacts.open("crops", work.config.crops_key()) / CROPS
        inputs = np.load(found, mmap_mode="r")[:crops]
    here = replace(work, inputs=inputs, device=resolve(work.settings))
    FITTERS[work.config.model.kind].build(here, Path(folder))
    if isinstance(work.report, TaskReport):
        work.report.flush()


@lru_cache(maxsize=8)
def _described(settings: Settings) -> tuple[str, dict[str, object]]:
    ray = cluster.connect()
    task = ray.remote(**cluster.resources(settings))(
        lambda given: LOCAL.describe(given)
    )  # no method can be a task
    with cluster.failures():
        return ray.get(task.remote(cluster.on_node(settings)))


#: A task sends what it has to report at most so often (seconds).
SEND_SECONDS = 0.25


class TaskReport:
    """A task's `Report`, sent as (group, kind, values): an epoch's record, a step's name and counts, a log's text.

    Args:
        queue: a `ray.util.queue.Queue`.
        group: number of the task's group of folds.
    """

    def __init__(self, queue: Any, group: int, run_id: str, attempt: int) -> None:
        self.run_id, self.attempt = run_id, attempt
        self._queue, self._group = queue, group
        self._waiting: list[tuple[int, str, Any]] = []
        self._sent = float("-inf")

    def step(self, name: str, done: int, total: int) -> None:
        """Report a step's progress."""
        if self._waiting and self._waiting[-1][1] == "step":
            self._waiting.pop()  # only the newest matters
        self._add("step", (name, done, total))

    def epoch(self, record: EpochRecord) -> None:
        """Report an epoch."""
        self._add("epoch", record)

    def log(self, text: str) -> None:
        """Report a line of the log."""
        self._add("log", text)

    def check(self) -> None:
        """Send what waits; the driver interrupts a task that is to stop."""
        if self._waiting and time.monotonic() - self._sent >= SEND_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Send all that waits."""
        waiting, self._waiting = self._waiting, []
        self._queue.put_nowait_batch(waiting)
        self._sent = time.monotonic()

    def _add(self, kind: str, values: Any) -> None:
        self._waiting.append((self._group, kind, values))
        self.check()


class Received:
    """Passes what tasks report on to the report of the run, their steps summed up.

    Args:
        queue: the one that the tasks send to.
        epochs: of each group, over its folds.
    """

    def __init__(self, queue: Any, report: Report, epochs: list[int]) -> None:
        self._queue, self._report = queue, report
        self._done = [(0, count) for count in epochs]

    def pass_on(self) -> None:
        """Report what has come, and look whether the run must stop. Raises Cancelled."""
        for group, kind, values in self._queue.get_nowait_batch(self._queue.qsize()):
            if kind == "epoch":
                self._report.epoch(values)
            elif kind == "log":
                self._report.log(values)
            elif values[0] == "train":
                self._done[group] = values[1:]
                done, total = (sum(counts) for counts in zip(*self._done, strict=True))
                self._report.step("train", done, total)
            else:
                self._report.step(*values)
        self._report.check()
