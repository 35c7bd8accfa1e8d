"""The leak meter warns of a face detector fine-tuned on frames of the data set, with each protocol's share."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_case import at_home
from faces_case import keep_detector
from streamlit.testing.v1 import AppTest

from fer_core.config.comparators import PixelsConfig, SvmConfig
from fer_core.config.run import FacesConfig, ProtocolConfig, RunConfig
from fer_core.config.settings import load
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.generated.frames import GeneratedConfig, generate
from fer_core.datasets.open import open_dataset
from fer_core.results.shares import percent
from fer_core.runs.jobs.queue import submit
from fer_core.runs.jobs.worker import run_worker
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store

HERE, ELSEWHERE = "ab" * 8, "cd" * 8
WARNING = "The face detector was fine-tuned"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, float]:
    """Return a home with finished runs of three detectors, the frames, and the share of frames one of them knows."""
    home = tmp_path_factory.mktemp("tuned")
    frames = generate(GeneratedConfig(ordinary=42, hard=0, width=160, height=128), home / "frames", workers=1)
    with pytest.MonkeyPatch.context() as patch:
        at_home(patch, home)
        here, dataset = load(), open_dataset(frames)
        data, artifacts, store = data_config(dataset), Artifacts(here.artifacts), Store(here.database)
        groups = [sample.group for sample in dataset.samples]
        movies = sorted(set(groups))[:2]
        keep_detector(artifacts, HERE, data.fingerprint, training_groups=movies)
        keep_detector(artifacts, ELSEWHERE, "f" * 16, training_groups=movies)
        for margin, detector in ((0, ""), (2, HERE), (4, ELSEWHERE)):
            faces = FacesConfig(size=32, margin=margin, detector=detector)
            model = SvmConfig(inputs=PixelsConfig(side=8), costs=(1.0,), gammas=(1.0,), inner_folds=2)
            for name in ("stratified", "group"):
                protocol = ProtocolConfig(name=name, folds=2)  # type: ignore[arg-type]
                submit(store, RunConfig(data=data, faces=faces, model=model, protocol=protocol))
        run_worker(here, until_idle=True)
        assert {run.status for run in store.runs()} == {"done"}, [run.error for run in store.runs()]
        store.close()
    return home, frames, sum(group in movies for group in groups) / len(groups)


@pytest.fixture
def meter(made: tuple[Path, Path, float], page: Callable[..., AppTest]) -> Callable[[str], list[str]]:
    """Return a function that opens the leak meter of a detector's runs and returns its warnings."""

    def open_meter(detector: str) -> list[str]:
        home, frames, _ = made
        store = Store(home / "fer.sqlite")
        own = [run for run in store.runs(status=["done"]) if run.config.faces.detector == detector]
        store.close()
        app = page("pages/compare.py", home, data=str(frames), view="Leak meter")
        assert not app.exception
        choice = next(box for box in app.selectbox if box.label == "Model")
        # Models of one name are distinguished by the key of one of their runs.
        wanted = [option for option in choice.options if any(f"({run.id[:8]})" in option for run in own)]
        assert len(choice.options) == 3
        if not wanted:
            others = [option for option in choice.options if "(" in option.rpartition("k = ")[2]]
            wanted = [option for option in choice.options if option not in others]
        choice.set_value(wanted[0]).run()
        assert not app.exception
        return [one.value.replace("\\", "") for one in app.warning if WARNING in one.value]

    return open_meter


def test_frames_that_the_detector_knows_are_counted(
    meter: Callable[[str], list[str]], made: tuple[Path, Path, float]
) -> None:
    (warning,) = meter(HERE)
    share = percent(made[2])
    assert 0 < made[2] < 1
    assert f"Stratified k-fold: {share}; By-group k-fold: {share}" in warning


def test_a_detector_of_other_data_is_named(meter: Callable[[str], list[str]]) -> None:
    (warning,) = meter(ELSEWHERE)
    assert "not known: it was trained on my films" in warning


def test_the_pretrained_detector_is_no_leak(meter: Callable[[str], list[str]]) -> None:
    assert meter("") == []
