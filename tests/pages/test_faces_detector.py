"""The choice of a fine-tuned detector on the Faces page: there only when one is, and part of the definition."""

from collections.abc import Callable
from pathlib import Path

import pytest
from faces_case import keep_detector
from page_case import words
from streamlit.testing.v1 import AppTest

from fer_core.config.run import RunConfig
from fer_core.faces.finetuning.finetuned import KIND
from fer_core.storage.artifacts import CONFIG, Artifacts
from fer_core.ui.cache import resources
from fer_core.ui.panels.trace import first_look

Open = Callable[..., AppTest]

KEY = "ab" * 8


def choices(app: AppTest) -> list[str]:
    assert not app.exception
    return [option for box in app.selectbox if box.label == "R- and O-Net" for option in box.options]


pytestmark = pytest.mark.usefixtures("config")


def test_without_a_fine_tuned_detector_there_is_no_choice(opened: Open) -> None:
    assert choices(opened()) == []


@pytest.mark.parametrize("generated", [True, False])
def test_a_fine_tuned_detector_is_offered_with_its_data_and_is_not_the_default(
    opened: Open, home: Path, generated: bool
) -> None:
    keep_detector(Artifacts(home / "artifacts"), KEY, generated=generated)
    app = opened()
    pretrained, tuned = choices(app)
    assert "pretrained" in pretrained
    assert "my films" in tuned
    assert ("generated" in tuned) is generated
    assert app.selectbox(key="detector").value == ""
    assert app.metric, "the detection without it is shown as before"


@pytest.mark.parametrize("content", ["{half", "{}", '{"data": 1, "settings": 2}'])
def test_a_damaged_detector_is_left_out_and_named(opened: Open, home: Path, content: str) -> None:
    keep_detector(Artifacts(home / "artifacts"), KEY, generated=False)
    other = home / "artifacts" / KIND / ("cd" * 8)
    other.mkdir()
    (other / CONFIG).write_text(content, encoding="utf-8")
    app = opened()
    assert [option[:6] for option in choices(app)] == ["MTCNN ", KEY[:6]]
    assert "cdcdcd" in words(app, "caption")


def test_a_frame_is_looked_at_with_the_chosen_detector(
    opened: Open, config: RunConfig, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_detector(Artifacts(home / "artifacts"), KEY, generated=True)
    tuned = config.model_copy(update={"faces": config.faces.model_copy(update={"detector": KEY})})
    assert tuned.crops_key() != config.crops_key()
    opened()
    first = first_look(tuned.faces)
    assert first.detector == KEY
    asked: list[str] = []
    monkeypatch.setattr(
        "fer_core.ui.cache.resources.detectors", lambda faces, *_: asked.append(faces.detector)
    )
    resources.detector_of(first)
    resources.detector_of(config.faces)
    assert asked == [KEY, ""]
