"""The store as a hosted demo shows it: runs on generated faces alone, of all that its folder holds."""

from collections.abc import Sequence
from typing import Any

from .store import NamedData, Store, StoredRun


class PublicStore(Store):
    """A store that is read only and knows no run on anyone's photographs, not even by its id."""

    def runs(self, **chosen: Any) -> list[StoredRun]:
        """Return public runs as `Store.runs` does, the newest first up to its limit."""
        return super().runs(**chosen | {"generated": True})

    def active(self, among: Sequence[str] | None = None) -> list[str]:
        """Return the ids of public runs as `Store.active` does."""
        ids = super().active(among)
        public = {run.id for run in self.runs(ids=ids)}
        return [run_id for run_id in ids if run_id in public]

    def sources(self) -> list[str]:
        """Return the sources of the newest public runs, sorted."""
        return sorted({run.data_source for run in self.runs(limit=500)})

    def data_sets(self) -> dict[str, NamedData]:
        """Return none: what people have brought is theirs."""
        return {}
