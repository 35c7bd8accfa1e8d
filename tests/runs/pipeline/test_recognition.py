"""A recogniser's run: every frame is judged, nothing is trained, and a run that was cut off ends with the same bits."""

from pathlib import Path

import numpy as np
import pytest
from pipeline_case import definition
from report_case import Recorder

from fer_core.config.recognition import RecogniserConfig
from fer_core.config.run import DataConfig, ProtocolConfig, RunConfig, TransferConfig
from fer_core.config.settings import load
from fer_core.errors import Cancelled
from fer_core.evaluation.metrics.probabilities import probabilities_of
from fer_core.faces.extraction import read_crops
from fer_core.learning.networks.recognisers import SQUARE, Recogniser
from fer_core.runs.pipeline import recognition
from fer_core.runs.pipeline.run import execute
from fer_core.storage.artifacts import Artifacts

UNSEEN = {"model": RecogniserConfig(), "protocol": ProtocolConfig(name="unseen"), "faces": SQUARE}


def test_golden_keys() -> None:
    run = RunConfig(data=DataConfig(fingerprint="0123456789abcdef"), **UNSEEN)
    assert run.key() == "972da5a31ef73546"
    assert run.model_copy(update={"protocol": ProtocolConfig(name="unseen", folds=9)}).key() == run.key()
    of = TransferConfig(backbone="mini_xception", weights="fer2013")
    assert RunConfig(data=run.data, model=of).key() == "73c7bc13890b3b4b"


@pytest.mark.parametrize("model", [RecogniserConfig(), TransferConfig()])
def test_only_a_recogniser_has_no_folds(model: RecogniserConfig | TransferConfig) -> None:
    name = "group" if isinstance(model, RecogniserConfig) else "unseen"
    with pytest.raises(ValueError, match="a recogniser goes with the protocol 'unseen'"):
        RunConfig(data=DataConfig(fingerprint="0" * 16), model=model, protocol=ProtocolConfig(name=name))


class StoppedTwiceIn(Recorder):
    """Cancels the run before its third batch."""

    def check(self) -> None:
        if sum(name == "recognising" for name, _, _ in self.steps) == 2:
            raise Cancelled


def test_every_frame_is_judged_and_a_cut_off_run_continues(
    generated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognition, "BATCH", 16)
    config, settings = (
        definition(generated, **UNSEEN),
        load(home=tmp_path, device="cpu", threads=1),
    )
    with pytest.raises(Cancelled):
        execute(config, StoppedTwiceIn(), settings)
    report = Recorder()
    result = execute(config, report, settings)
    assert [done for name, done, _ in report.steps if name == "recognising"] == [48]

    crops = read_crops(Artifacts(settings.artifacts).path("crops", config.crops_key()))
    used, found = crops.used(), result.predictions
    assert list(found["name"]) == list(used["name"])
    recogniser = Recogniser.load(RecogniserConfig(), None, Artifacts(settings.artifacts), "cpu")
    expected = recogniser.recognise(np.array(crops.images[: len(used)]), config.faces)
    assert np.array_equal(probabilities_of(found), expected)
    summary = result.summary
    assert summary["val_accuracy"] == (expected.argmax(1) == used["label"]).mean()
    assert (summary["folds"], summary["trainable"], summary["validated"]) == (0, 0, len(used))
    assert {summary["leakage"][what] for what in ("image", "clip", "group")} == {0.0}
    low, high = summary["val_accuracy_interval"]
    assert low <= summary["val_accuracy"] <= high


def test_a_transfer_run_says_what_training_added(generated: Path, tmp_path: Path) -> None:
    settings = load(home=tmp_path, device="cpu", threads=1)
    model = TransferConfig(backbone="mini_xception", weights="fer2013")
    result = execute(definition(generated, model=model), Recorder(), settings)
    plain = execute(definition(generated, **UNSEEN), Recorder(), settings)
    told = result.summary["untrained"]
    gain = result.summary["val_accuracy"] - plain.summary["val_accuracy"]
    assert told["lead"] == pytest.approx(gain)
    low, high = told["lead_interval"]
    assert low <= gain <= high or "fewer than" in told["lead_interval_over"]
    assert told["name"] == "mini-Xception, as it is"
