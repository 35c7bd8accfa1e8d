"""The store as a hosted demo shows it: runs on generated faces alone, whatever else its folder holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fer_core.errors import NotFoundError

from .store import Store, StoredRun


class PublicStore(Store):
    """A store that is read only and knows no run on anyone's photographs, not even by its id."""

    def run(self, run_id: str) -> StoredRun:
        """Return one public run. Raises NotFoundError."""
        found = super().run(run_id)
        if not _public(found):
            raise NotFoundError(
                "No run has this id", got=repr(run_id), fix="Choose one from the list of runs"
            )
        return found

    def runs(self, **chosen: Any) -> list[StoredRun]:
        """Return public runs as `Store.runs` does, the newest first up to its limit."""
        return [run for run in super().runs(**chosen | {"generated": True}) if _public(run)]

    def active(self, among: Sequence[str] | None = None) -> list[str]:
        """Return the ids of public runs as `Store.active` does."""
        ids = super().active(among)
        public = {run.id for run in self.runs(ids=ids)} if ids else set()
        return [run_id for run_id in ids if run_id in public]

    def sources(self) -> list[str]:
        """Return the sources of the newest public runs, sorted."""
        return sorted({run.data_source for run in self.runs(limit=500)})


def _public(run: StoredRun) -> bool:
    return run.config.data.generated
