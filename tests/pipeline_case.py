"""What tests of whole runs share: a small run's definition and a report that keeps what it gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from fer_core.config.run import (
    ProtocolConfig,
    RunConfig,
    TrainingConfig,
    TransferConfig,
)
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.open import open_dataset
from fer_core.errors import Cancelled


@dataclass
class Watcher:
    """A report that keeps what it gets and cancels once a step of a name is met."""

    cancel_at: str = ""
    run_id: str = "test"
    attempt: int = 1
    steps: list[tuple[str, int, int]] = field(default_factory=list)
    epochs: list = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def step(self, name: str, done: int, total: int) -> None:
        self.steps.append((name, done, total))
        if self.cancel_at == name:
            raise Cancelled

    def epoch(self, record: object) -> None:
        self.epochs.append(record)

    def log(self, text: str) -> None:
        self.lines.append(text)

    def check(self) -> None:
        """Never asks to stop: `step` does."""

    def names(self) -> set[str]:
        return {name for name, _, _ in self.steps}


def definition(source: Path, **changed: object) -> RunConfig:
    data = data_config(open_dataset(source))
    values: dict = {
        "model": TransferConfig(backbone="efficientnet_lite0"),
        "protocol": ProtocolConfig(name="group", folds=2),
        "training": TrainingConfig(epochs=2, batch_size=8),
    }
    return RunConfig(data=data, **(values | changed))
