"""A detection over a large data set, watched for its memory."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from fer_core.config import settings
from fer_core.config.run import CLASSES, FacesConfig, RunConfig
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.open import open_dataset
from fer_core.learning.reporting import EpochRecord
from fer_core.runs.pipeline import run
from fer_core.storage.artifacts import Artifacts


@dataclass(frozen=True)
class Memory:
    """Where a step stood, and what the process took then.

    Attributes:
        step: "detecting faces" or "cutting crops".
        frames: how many were done.
        fps: frames per second of the step so far.
        resident: MiB in RAM (VmRSS).
        anonymous: MiB of it that no file backs (RssAnon): what the program itself has allocated.
    """

    step: str
    frames: int
    fps: float
    resident: float
    anonymous: float


class Watch:
    """A report that notes the memory `times` times a step, evenly."""

    run_id, attempt = "benchmark", 1

    def __init__(self, times: int) -> None:
        self.rows: list[Memory] = []
        self._times, self._step = times, ""

    def step(self, name: str, done: int, total: int) -> None:
        """Note the memory where it is time."""
        if name != self._step:
            self._step, self._start, self._from, self._noted = name, time.perf_counter(), done, 0
        elif done * self._times // total > self._noted:
            self._noted = done * self._times // total
            fps = (done - self._from) / (time.perf_counter() - self._start)
            self.rows.append(Memory(name, done, fps, resident("VmRSS"), resident("RssAnon")))

    def epoch(self, record: EpochRecord) -> None:
        """Detection has no epochs."""

    def log(self, text: str) -> None:
        """Keep nothing."""

    def check(self) -> None:
        """Go on."""


def resident(field: str, process: int | str = "self") -> float:
    """Return a field of a process's /proc/PID/status in MiB."""
    status = Path(f"/proc/{process}/status").read_text("ascii")
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    if found is None:
        raise SystemExit(f"/proc/{process}/status has no {field}: memory is measured on Linux only")
    return int(found[1]) / 1024


def watch(images: Sequence[Image.Image], frames: int, device: str, times: int = 10) -> list[Memory]:
    """Run the detection of a data set of `frames` frames as a worker does, and say what memory it took.

    Args:
        images: RGB, of any sizes; written once each and linked under `frames` names, sizes mixed.
        frames: in the data set; detected and cut, each with the default settings.
        device: as FER_DEVICE.
        times: notes a step.
    """
    with tempfile.TemporaryDirectory() as folder:
        home, data = Path(folder) / "home", Path(folder) / "data"
        home.mkdir()
        for label in CLASSES:
            (data / label).mkdir(parents=True)
        for index, image in enumerate(images):
            image.save(Path(folder) / f"{index}.jpg", quality=92)
        for frame in range(frames):
            # A stride that shares no factor with the count, so that neighbours differ in size as in content.
            index = frame * 7919 % len(images)
            os.link(Path(folder) / f"{index}.jpg", data / CLASSES[frame % len(CLASSES)] / f"{frame:06d}.jpg")
        dataset = open_dataset(str(data))
        config = RunConfig(goal="faces", data=data_config(dataset), faces=FacesConfig())
        noted, here = Watch(times), settings.load(home=home, device=device)
        run.run(config, dataset, Artifacts(here.artifacts), noted, here)
        return noted.rows
