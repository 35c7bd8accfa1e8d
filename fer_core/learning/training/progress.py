"""How far a training has come, over all its folds."""

from __future__ import annotations

from collections.abc import Sequence

from fer_core.learning.reporting import EpochRecord, Report


class Progress:
    """The report with a count of finished epochs, over all folds."""

    def __init__(self, report: Report, total: int) -> None:
        self.report, self.total, self.done = report, total, 0

    def epochs(self, records: Sequence[EpochRecord], *, of: int = 0) -> None:
        """Report epochs; those of a fold that ended before epoch `of` count for the ones it left out too."""
        for record in records:
            self.report.epoch(record)
        folds = len({(record.seed, record.fold) for record in records})
        self.count(max(len(records), folds * of))

    def count(self, epochs: int) -> None:
        """Count epochs as done; fewer than 0 to take back."""
        self.done += epochs
        self.report.step("train", self.done, self.total)
