"""A detection over a data set killed with SIGKILL, while it detects and while it cuts: nothing is done twice."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from report_case import Recorder

from fer_core import ROOT
from fer_core.config import settings as settings_module
from fer_core.config.run import FacesConfig, RunConfig
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.images import load_rgb
from fer_core.datasets.open import open_dataset
from fer_core.faces import extraction
from fer_core.faces.extraction import CROPS, DETECTIONS, TABLE
from fer_core.faces.mtcnn.detector import MTCNN
from fer_core.runs.pipeline.run import run
from fer_core.storage.artifacts import Artifacts

CHILD = """
import sys
from pathlib import Path

sys.path[:0] = ["tests", "tests/faces"]
from test_killed_detection import detect_and_cut

detect_and_cut(sys.argv[1], Path(sys.argv[2]), pause=0.04)
"""


def detect_and_cut(source: str, log: Path, pause: float = 0.0) -> None:
    """Carry out a detection as a worker does, and note in `log` each frame that is detected or cut, by its pixels.

    Args:
        pause: seconds of rest after each frame, so that a kill comes in between.
    """
    torch.set_num_threads(1)
    detect, cut = MTCNN.detect, extraction.cut

    def note(what: str, image: np.ndarray) -> None:
        with log.open("a") as file:
            file.write(f"{what} {hashlib.sha256(image.tobytes()).hexdigest()}\n")
        time.sleep(pause)

    def noted_detect(self: MTCNN, images: list[np.ndarray]) -> object:
        for image in images:
            note("detected", image)
        return detect(self, images)

    def noted_cut(image: np.ndarray, *rest: object) -> np.ndarray:
        note("cut", image)
        return cut(image, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MTCNN, "detect", noted_detect)
        patch.setattr(extraction, "cut", noted_cut)
        dataset, here = open_dataset(source), settings_module.load()
        config = RunConfig(goal="faces", data=data_config(dataset), faces=FacesConfig(size=64))
        run(config, dataset, Artifacts(here.artifacts), Recorder(), here)


def kill_when(source: Path, log: Path, ready: Callable[[], bool]) -> None:
    """Start the detection in another process and kill it as soon as `ready`."""
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(source), str(log)], cwd=ROOT)
    try:
        end = time.monotonic() + 120
        while not ready():
            assert child.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.005)
    finally:
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL


def whole_lines(path: Path) -> list[bytes]:
    found = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [line for line in found if line.endswith(b"\n")]


def names(lines: list[bytes]) -> set[str]:
    return {json.loads(line)["name"] for line in lines}


def only(folder: Path, pattern: str) -> Path:
    """Return the one folder that matches, or one that isn't there."""
    found = list(folder.glob(pattern))
    assert len(found) <= 1
    return found[0] if found else folder / "not there"


def test_a_killed_detection_goes_on_does_nothing_twice_and_ends_as_one_left_in_peace(
    generated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_DEVICE", "cpu")
    samples = open_dataset(str(generated)).samples
    name_of = {hashlib.sha256(load_rgb(s.path).tobytes()).hexdigest(): s.name for s in samples}
    assert len(name_of) == len(samples)
    home = settings_module.load().artifacts
    logs = [tmp_path / f"{index}.log" for index in range(3)]

    def noted(log: Path, what: str) -> list[str]:
        lines = (line.split() for line in log.read_text().splitlines())
        return [name_of[digest] for did, digest in lines if did == what]

    def detections() -> Path:
        return only(home / "detections", ".*.partial") / DETECTIONS

    kill_when(generated, logs[0], lambda: len(whole_lines(detections())) > 0)
    detected = whole_lines(detections())
    assert 0 < len(detected) < len(samples)
    assert not list(home.glob("crops/*"))

    def cut() -> Path:
        return only(home / "crops", ".*.partial")

    kill_when(generated, logs[1], lambda: len(whole_lines(cut() / TABLE)) > 4)
    again = noted(logs[1], "detected")
    assert len(again) == len(set(again))
    assert set(again) == {sample.name for sample in samples} - names(detected)
    lines, pixels = whole_lines(cut() / TABLE), (cut() / CROPS).stat()
    assert 4 < len(lines) < len(samples)
    found = only(home / "detections", "[!.]*") / DETECTIONS
    assert whole_lines(found)[: len(detected)] == detected
    written = found.stat()

    detect_and_cut(str(generated), logs[2])
    assert noted(logs[2], "detected") == []
    assert found.stat().st_ino == written.st_ino
    assert found.stat().st_mtime_ns == written.st_mtime_ns
    again = noted(logs[2], "cut")
    assert len(again) == len(set(again))
    assert set(again) == {sample.name for sample in samples} - names(lines)
    crops = only(home / "crops", "[!.]*")
    assert (crops / CROPS).stat().st_ino == pixels.st_ino  # continued, not made again
    assert whole_lines(crops / TABLE)[: len(lines)] == lines

    monkeypatch.setenv("FER_HOME", str(tmp_path / "peace"))
    detect_and_cut(str(generated), tmp_path / "peace.log")
    peace = settings_module.load().artifacts
    for path in (found, crops / TABLE, crops / CROPS):
        assert path.read_bytes() == (peace / path.relative_to(home)).read_bytes(), path.name
