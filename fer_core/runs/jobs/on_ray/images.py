"""Detection and prefix activations over an image set through Ray Data: actors that hold the nets, results in order.

The batches are the ones that a single process works on, so the bits are its bits. Ray Data starts a lost actor
again and repeats what it was at. What is found comes back to the driver, the one writer of the artifact.
"""

import importlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_core.config.devices import resolve
from fer_core.config.run import FacesConfig
from fer_core.config.settings import Settings
from fer_core.datasets.base import Sample
from fer_core.faces.extraction import BATCH, CROPS, detected
from fer_core.faces.finding import detectors
from fer_core.learning.inputs.prefix import CHUNK, Pass, outputs
from fer_core.learning.networks.transfer import build
from fer_core.storage.artifacts import Artifacts

from . import cluster

#: Frames planned at once: the plan of a set of any size fits into memory (about 20 MB).
PART = 1 << 17

#: An actor takes seconds to start: one is not worth it for fewer batches than this.
ROWS_AN_ACTOR = 8


class Detect:
    """An actor with a detector.

    Args:
        faces: what is asked of detection; its fine-tuned weights are looked for among `artifacts`.
    """

    def __init__(self, faces: FacesConfig, artifacts: Artifacts, settings: Settings) -> None:
        self._faces, self._detector_of = faces, detectors(faces, artifacts, settings)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return a line of JSON a frame, for one batch of `BATCH` frames given as lists of names and paths."""
        named = zip(batch["names"][0], batch["paths"][0], strict=True)
        samples = [Sample(name=str(name), path=Path(str(path)), label=0) for name, path in named]
        lines = [line for lines in detected(samples, self._faces, self._detector_of) for line in lines]
        return {"lines": np.array(lines, dtype=object)}


def detect(
    samples: Sequence[Sample], faces: FacesConfig, artifacts: Artifacts, settings: Settings
) -> Iterator[list[str]]:
    """Yield one line of JSON a frame, in order, a batch or more at a time. Raises AttemptLost."""
    for start in range(0, len(samples), PART):
        part = samples[start : start + PART]
        batches = [part[first : first + BATCH] for first in range(0, len(part), BATCH)]
        rows = [
            {"names": [one.name for one in batch], "paths": [str(one.path) for one in batch]}
            for batch in batches
        ]
        given = {"faces": faces, "artifacts": artifacts, "settings": cluster.on_node(settings)}
        for found in _mapped(rows, Detect, given, settings):
            yield [str(line) for line in found["lines"]]


@dataclass
class Activate:
    """An actor with the part of a network that one pass goes through."""

    passed: Pass
    artifacts: Artifacts
    settings: Settings

    def __post_init__(self) -> None:
        import torch

        self._device = torch.device(resolve(self.settings))
        self._chain = build(self.passed.config.transfer, self.settings.weights_dir)
        crops = self.artifacts.open("crops", self.passed.config.crops_key()) / CROPS
        self._crops = np.load(crops, mmap_mode="r")

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return what enters the block, a row an image, for the images at one list of places."""
        rows = np.asarray(batch["rows"][0])
        found = outputs(self.passed, rows, self._chain, self._crops, self.artifacts, self._device)
        return {"values": np.concatenate(list(found))}


def activations(
    passed: Pass, rows: np.ndarray, artifacts: Artifacts, settings: Settings
) -> Iterator[np.ndarray]:
    """Yield what a pass gives for some rows, (n, ...) float32 in order, maps channels last. Raises AttemptLost."""
    chunk = CHUNK["cuda" if cluster.gpus(settings) else "cpu"]
    given = {"passed": passed, "artifacts": artifacts, "settings": cluster.on_node(settings)}
    for start in range(0, len(rows), PART):
        part = rows[start : start + PART]
        places = [{"rows": part[first : first + chunk]} for first in range(0, len(part), chunk)]
        for found in _mapped(places, Activate, given, settings):
            yield found["values"]


def _mapped(
    rows: list[dict[str, Any]], actor: type, given: dict[str, Any], settings: Settings
) -> Iterator[dict[str, np.ndarray]]:
    """Yield what actors make of each row, in the rows' order."""
    cluster.connect()
    data: Any = importlib.import_module("ray.data")
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    context = data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    most = max(1, min(cluster.slots(settings), len(rows) // ROWS_AN_ACTOR))
    with cluster.failures():
        mapped = data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            actor,
            fn_constructor_kwargs=given,
            batch_size=1,
            batch_format="numpy",
            compute=data.ActorPoolStrategy(min_size=1, max_size=most),
            **cluster.resources(settings),
        )
        yield from mapped.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0)
