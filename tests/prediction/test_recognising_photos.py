"""A recogniser answers without any run, and as its run does."""

from pathlib import Path

import numpy as np
import pytest

from fer_core.config.settings import Settings, load
from fer_core.datasets.images import load_rgb
from fer_core.errors import NotFoundError
from fer_core.faces.crops import Chosen, cut
from fer_core.prediction.recognition import Recognition


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(home=tmp_path, device="cpu", threads=1)


def test_faces_are_cut_square_and_judged_as_in_a_run(generated: Path, settings: Settings) -> None:
    recognition = Recognition.named("mini_xception", settings)
    image = load_rgb(sorted(generated.rglob("*.png"))[0])
    box = (30.0, 20.0, 70.0, 90.0)
    ((face,),) = recognition.predict([image], boxes=[box], explain=True)
    assert np.array_equal(face.crop, cut(image, Chosen("manual", box), recognition.faces))
    (expected,) = recognition.network.recognise(face.crop[None], recognition.faces)
    assert np.allclose(face.probabilities, expected, atol=1e-6)
    views = recognition.network.views(face.crop[None], recognition.faces)[:, 0]
    assert face.agreement == (views.argmax(1) == expected.argmax()).mean()
    assert face.cam is not None
    assert face.cam.max() == 1
    with pytest.raises(NotFoundError, match="trained here"):
        recognition.predict([image], boxes=[box], nearest=3)
