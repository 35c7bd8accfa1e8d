"""What the folds of a run come to."""

import numpy as np
import pandas as pd
import pytest

from fer_core.config.run import DataConfig, ProtocolConfig, RunConfig
from fer_core.evaluation.metrics.probabilities import COLUMNS
from fer_core.runs.pipeline.summary import summarise_sets


def test_only_the_two_set_protocol_has_figures_of_two_sets() -> None:
    answers = np.eye(7)[[0, 0, 1]]
    predictions = pd.DataFrame(answers, columns=list(COLUMNS))
    predictions = predictions.assign(seed=0, fold=[0, 0, 1], label=[0, 1, 1], group="", name=list("abc"))
    found = {
        name: summarise_sets(
            RunConfig(data=DataConfig(fingerprint="0" * 16), protocol=ProtocolConfig(name=name)),  # type: ignore[arg-type]
            predictions,
        )
        for name in ("spi", "stratified")
    }
    assert found["stratified"] == {}
    assert found["spi"]["two_sets"]["accuracy"] == pytest.approx((1 / 2 + 1) / 2)
