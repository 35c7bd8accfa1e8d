"""A report that keeps what a run says, and may stop it."""

from dataclasses import dataclass, field

from fer_core.errors import Cancelled
from fer_core.learning.reporting import EpochRecord


@dataclass
class Recorder:
    """Raises Cancelled at a numbered check (from 1) or at the first step of a name."""

    cancel_at: str = ""
    cancel_at_check: int = 0
    run_id: str = "0" * 16
    attempt: int = 1
    checks: int = 0
    steps: list[tuple[str, int, int]] = field(default_factory=list)
    epochs: list[EpochRecord] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def step(self, name: str, done: int, total: int) -> None:
        self.steps.append((name, done, total))
        if self.cancel_at == name:
            raise Cancelled

    def epoch(self, record: EpochRecord) -> None:
        self.epochs.append(record)

    def log(self, text: str) -> None:
        self.lines.append(text)

    def check(self) -> None:
        self.checks += 1
        if self.checks == self.cancel_at_check:
            raise Cancelled

    def names(self) -> set[str]:
        return {name for name, _, _ in self.steps}
