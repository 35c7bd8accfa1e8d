"""A vote answers with the mean of members that cut the face each in its own way."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fer_core.config.comparators import SvmConfig
from fer_core.config.recognition import RecogniserConfig, VoteConfig
from fer_core.config.run import DataConfig, FacesConfig, ProtocolConfig, RunConfig
from fer_core.config.settings import Settings, load
from fer_core.datasets.images import load_rgb
from fer_core.errors import ConfigError
from fer_core.evaluation.metrics import apply_temperature
from fer_core.learning.networks.recognisers import SQUARE
from fer_core.prediction.loading import answerer
from fer_core.prediction.recognition import Recognition
from fer_core.storage.artifacts import Artifacts

DATA = DataConfig(fingerprint="0123456789abcdef", name="noise")
ONE, FOUR = RecogniserConfig(zooms=(1.0,), mirror=False), RecogniserConfig()
BOX = (30.0, 20.0, 70.0, 90.0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(home=tmp_path, device="cpu", threads=1)


def kept(settings: Settings, *configs: RunConfig) -> list[str]:
    """Keep what runs of these definitions leave, and return their ids."""
    artifacts = Artifacts(settings.artifacts)
    for config in configs:
        artifacts.ensure("runs", config.key(), config.model_dump(mode="json"), lambda folder: None)
    return [config.key() for config in configs]


def unseen(model: RecogniserConfig, faces: FacesConfig) -> RunConfig:
    return RunConfig(data=DATA, faces=faces, model=model, protocol=ProtocolConfig(name="unseen"))


def voting(members: list[str], best: str, temperatures: dict[str, float]) -> SimpleNamespace:
    model = VoteConfig(members=tuple(sorted(members)), calibrated=bool(temperatures))
    summary = {"vote": {"run": best, "temperatures": temperatures}}
    return SimpleNamespace(id="f" * 16, config=RunConfig(data=DATA, model=model), summary=summary)


@pytest.mark.parametrize("softened", [(), (2.0, 0.5)])
def test_each_member_cuts_the_face_as_it_wants_it(
    generated: Path, settings: Settings, softened: tuple[float, ...]
) -> None:
    image = load_rgb(sorted(generated.rglob("*.png"))[0])
    plain, square = unseen(ONE, FacesConfig()), unseen(FOUR, SQUARE)
    ids = kept(settings, plain, square)
    vote = answerer(voting(ids, ids[1], dict(zip(ids, softened, strict=False))), settings)  # type: ignore[arg-type]
    ((face,),) = vote.predict([image], boxes=[BOX], explain=True)
    alone = [Recognition(ONE, FacesConfig(), settings), Recognition(FOUR, SQUARE, settings)]
    each = [one.predict([image], boxes=[BOX])[0][0] for one in alone]
    assert np.allclose(face.probabilities, np.mean([one.probabilities for one in each], axis=0), atol=1e-6)
    assert np.array_equal(face.crop, each[1].crop)  # the better member's
    assert face.cam is not None
    assert vote.voters[0] == 2
    if softened:
        scaled = [
            apply_temperature(one.probabilities[None], t)[0] for one, t in zip(each, softened, strict=True)
        ]
        assert np.allclose(face.best, np.mean(scaled, axis=0), atol=1e-6)
    else:
        assert face.calibrated is None


def test_a_member_that_answers_no_new_image_is_named(settings: Settings) -> None:
    svm = RunConfig(data=DATA, model=SvmConfig(), protocol=ProtocolConfig(name="stratified"))
    ids = kept(settings, svm, unseen(FOUR, SQUARE))
    with pytest.raises(ConfigError, match="SVM"):
        answerer(voting(ids, ids[0], {}), settings)  # type: ignore[arg-type]


def test_a_recognisers_temperature_softens_its_answers(generated: Path, settings: Settings) -> None:
    image = load_rgb(sorted(generated.rglob("*.png"))[0])
    run = SimpleNamespace(id="a" * 16, config=unseen(ONE, SQUARE), summary={"temperature": 3.0})
    ((face,),) = answerer(run, settings).predict([image], boxes=[BOX])  # type: ignore[arg-type]
    assert face.calibrated is not None
    assert np.allclose(face.calibrated, apply_temperature(face.probabilities[None], 3.0)[0])
    assert face.confidence < face.probabilities.max()
