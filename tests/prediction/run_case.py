"""A small run for real, as predictions need it: two folds of a backbone on the generated set."""

from __future__ import annotations

from pathlib import Path

from fer_core.config.run import ProtocolConfig, RunConfig, TrainingConfig, TransferConfig
from fer_core.config.settings import Settings
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.open import open_dataset
from fer_core.learning.reporting import RunResult
from fer_core.runs.pipeline.run import execute


class Silent:
    """A report that keeps nothing and never asks to stop."""

    run_id, attempt = "test", 1

    def step(self, name: str, done: int, total: int) -> None:
        """Pass over how far a step is."""

    def epoch(self, record: object) -> None:
        """Pass over an epoch."""

    def log(self, text: str) -> None:
        """Pass over a line."""

    def check(self) -> None:
        """Never ask to stop."""


def finished(source: Path, settings: Settings, **changed: object) -> tuple[RunConfig, RunResult]:
    """Return the definition of a run on a data set, with some fields changed, and its result; it is run once a home."""
    values: dict = {
        "model": TransferConfig(backbone="efficientnet_lite0"),
        "protocol": ProtocolConfig(name="stratified", folds=2),
        "training": TrainingConfig(epochs=2, batch_size=8),
    }
    config = RunConfig(data=data_config(open_dataset(source)), **(values | changed))
    return config, execute(config, Silent(), settings)
