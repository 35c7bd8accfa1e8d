"""Frames that people leave out of later runs: which, who said so, and when; runs themselves carry the names."""

import json
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import text

from fer_core.config.base import digest

from . import Database

EXCLUDE = """
    INSERT INTO exclusions (data, key, names, author, created) VALUES (:data, :key, :names, :author, :created)
    ON CONFLICT (data, key) DO NOTHING
"""
EXCLUSIONS = (
    "SELECT key, names, author, created FROM exclusions WHERE data = :data ORDER BY created DESC, key"
)


@dataclass(frozen=True)
class Exclusion:
    """Frames left out together: names, who said so first, and when (seconds since 1970)."""

    names: tuple[str, ...]
    author: str
    created: float


def exclusion_key(names: Collection[str]) -> str:
    """Return the key under which frames are left out together, whatever their order; '' for none."""
    return digest(sorted(set(names))) if names else ""


class Exclusions(Database):
    """The part of a `Store` that keeps which frames are left out of later runs."""

    def exclude(self, data: str, names: Collection[str], *, author: str = "") -> str:
        """Keep that these frames of a data set are left out, and return their key; who said so first stays."""
        key = exclusion_key(names)
        kept = json.dumps(sorted(set(names)))
        row = {"data": data, "key": key, "names": kept, "author": author, "created": self.now()}
        self.write(lambda connection: connection.execute(text(EXCLUDE), row))
        return key

    def exclusions(self, data: str) -> dict[str, Exclusion]:
        """Return what has been left out of a data set by key, the newest first."""
        with self.read() as connection:
            rows = connection.execute(text(EXCLUSIONS), {"data": data}).all()
        return {row.key: Exclusion(tuple(json.loads(row.names)), row.author, row.created) for row in rows}
