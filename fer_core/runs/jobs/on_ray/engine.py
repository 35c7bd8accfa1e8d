"""The engine of runs under FER_EXECUTOR=ray: what is computed where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fer_core.config.run import FacesConfig
from fer_core.config.settings import Settings
from fer_core.datasets.base import Sample
from fer_core.evaluation.protocols import Fold
from fer_core.learning.inputs.views import prepare
from fer_core.learning.networks.transfer import build
from fer_core.runs.pipeline.fitting import FITTERS, Work
from fer_core.storage.artifacts import Artifacts

from . import cluster, images, tasks
from .line import Heard, Line, TaskReport

#: How often the driver hears what its tasks say, and looks whether the run was cancelled (seconds).
LOOK_SECONDS = 0.2
#: Tasks that were told to stop have so long before they are killed (seconds).
STOP_SECONDS = 10.0


class OnRay:
    """Heavy steps on a Ray cluster; the driver, in this process, reads, writes and reports."""

    def device(self, settings: Settings) -> str:
        """Return the device of a node that computes."""
        return _described(settings)[0]

    def environment(self, settings: Settings, device: str) -> dict[str, object]:
        """Describe a node that computes, and the cluster."""
        found = {"version": cluster.package().__version__, "slots": cluster.slots(settings)}
        return {**_described(settings)[1], "ray": found}

    def detect(
        self, samples: Sequence[Sample], faces: FacesConfig, artifacts: Artifacts, settings: Settings
    ) -> Iterable[list[str]]:
        """Detect through Ray Data."""
        return images.detect(samples, faces, artifacts, settings)

    def fit(self, work: Work, folder: Path) -> None:
        """Fit as tasks, a task each group of folds that can be fitted alone; activations of a large set come first."""
        if work.config.trains_backbone and len(work.inputs) >= images.LARGE:
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
    """Fit some groups as tasks at once; whatever ends this ends them too."""
    ray = cluster.connect()
    line = ray.remote(num_cpus=0)(Line).remote()
    heard = Heard(work.report, [len(group) * work.config.epochs for group in groups])
    task = ray.remote(max_retries=0, **cluster.resources(work.settings))(tasks.fit)
    running: list[Any] = []
    try:
        with cluster.failures():
            running = [
                task.remote(*_given(work, groups[number], number, line), str(folder)) for number in numbers
            ]
            while running:
                ended, running = ray.wait(running, timeout=LOOK_SECONDS)
                heard.pass_on(ray.get(line.hear.remote()))
                ray.get(ended)
            heard.pass_on(ray.get(line.hear.remote()))
    finally:
        _end(ray, line, running)


def _given(work: Work, folds: list[Fold], number: int, line: Any) -> tuple[Work, int]:
    """Return what a task is given: the work with its folds, and how many crops it opens itself."""
    settings = cluster.on_node(work.settings)
    report = TaskReport(line, number, work.report.run_id, work.report.attempt)
    crops = len(work.inputs) if work.config.trains_backbone else 0
    inputs = np.empty(0, np.uint8) if crops else np.asarray(work.inputs)
    return replace(work, folds=folds, inputs=inputs, report=report, settings=settings), crops


def _end(ray: Any, line: Any, running: list[Any]) -> None:
    """End what still runs: by word where it listens, else by force; the folder has one writer at a time."""
    if running:
        line.stop.remote()
        _, left = ray.wait(running, num_returns=len(running), timeout=STOP_SECONDS)
        for one in left:
            ray.cancel(one, force=True)
        if left:
            ray.wait(left, num_returns=len(left), timeout=STOP_SECONDS)
    ray.kill(line)


@lru_cache(maxsize=8)
def _described(settings: Settings) -> tuple[str, dict[str, object]]:
    ray = cluster.connect()
    task = ray.remote(**cluster.resources(settings))(tasks.describe)
    with cluster.failures():
        return ray.get(task.remote(cluster.on_node(settings)))
