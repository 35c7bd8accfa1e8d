"""What people say of frames, as the database holds it: boxes they draw, each entry kept, and frames they leave out."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fer_core.config.base import digest
from fer_core.errors import StoreError

from .database import Database
from .values import line_problem, moment_problem

if TYPE_CHECKING:
    import pandas as pd

Box = tuple[float, float, float, float]

CORNERS = ("x1", "y1", "x2", "y2")

NEWEST_BOXES = """
    SELECT name, version, x1, y1, x2, y2, author, created, note FROM manual_boxes AS box
    WHERE data = :data AND version = (
        SELECT MAX(version) FROM manual_boxes WHERE data = box.data AND name = box.name AND undone IS NULL)
    ORDER BY name
"""
BOX_HISTORY = """
    SELECT version, x1, y1, x2, y2, author, created, undone, note FROM manual_boxes
    WHERE data = :data AND name = :name
    ORDER BY version
"""
ADD_BOX = """
    INSERT INTO manual_boxes (data, name, version, x1, y1, x2, y2, author, created, note)
    SELECT :data, :name, COALESCE(MAX(version), 0) + 1, :x1, :y1, :x2, :y2, :author, :created, :note
    FROM manual_boxes WHERE data = :data AND name = :name
"""
UNDO_BOX = """
    UPDATE manual_boxes SET undone = :now WHERE data = :data AND name = :name AND version = (
        SELECT MAX(version) FROM manual_boxes WHERE data = :data AND name = :name AND undone IS NULL)
"""
REDO_BOX = """
    UPDATE manual_boxes SET undone = NULL WHERE data = :data AND name = :name AND version = (
        SELECT version FROM manual_boxes WHERE data = :data AND name = :name AND version > (
            SELECT COALESCE(MAX(version), 0) FROM manual_boxes
            WHERE data = :data AND name = :name AND undone IS NULL)
        ORDER BY undone DESC, version LIMIT 1)
"""


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


class SaidOfFrames(Database):
    """The part of a `Store` that keeps drawn boxes, and which frames are left out of later runs."""

    def manual_boxes(self, data: str) -> pd.DataFrame:
        """Return the newest box of each image that is not undone.

        Columns: name, version, x1, y1, x2, y2, author, created, note (who it shows, or what; may be empty).
        Boxes are in source pixels; the four are NaN where the newest entry says that there is none.
        """
        return self.frame(NEWEST_BOXES, {"data": data}).astype(dict.fromkeys(CORNERS, "float64"))

    def drawn_boxes(self, data: str) -> dict[str, Box]:
        """Return the newest box of each image that has one, in source pixels, by the names in their order."""
        rows = self.rows(NEWEST_BOXES, {"data": data})
        return {row.name: (row.x1, row.y1, row.x2, row.y2) for row in rows if row.x1 is not None}

    def add_manual_box(
        self,
        data: str,
        name: str,
        box: Box | None,
        *,
        author: str = "",
        created: float | None = None,
        note: str = "",
    ) -> None:
        """Draw a box (x1, y1, x2, y2) on an image, over earlier ones; None takes the image's box away.

        `created` is now unless an import brings the time along.

        Raises:
            StoreError: the box, the author, the note or the time is none that can be.
        """
        if box is not None and not (-1e6 < box[0] < box[2] < 1e6 and -1e6 < box[1] < box[3] < 1e6):
            raise StoreError("A box must be (x1, y1, x2, y2) with x1 < x2 and y1 < y2, in pixels", got=box)
        if problem := line_problem(author):
            raise StoreError(f"Who drew a box must be {problem}", got=f"{author!r:.80}")
        if problem := line_problem(note):
            raise StoreError(f"A box's note must be {problem}", got=f"{note!r:.80}")
        if created is not None and (problem := moment_problem(created)):
            raise StoreError(f"When a box was drawn must be {problem}", got=created)
        corners = dict(zip(CORNERS, box or (None,) * 4, strict=True))
        moment = self.now() if created is None else created
        entry = {"data": data, "name": name, "author": author, "created": moment, "note": note, **corners}
        self.change(ADD_BOX, entry)

    def undo_manual_box(self, data: str, name: str) -> bool:
        """Set an image's newest entry aside, so that the one before counts again; False when there is none."""
        return self.change(UNDO_BOX, {"data": data, "name": name, "now": self.now()}) > 0

    def redo_manual_box(self, data: str, name: str) -> bool:
        """Let the entry undone last count again, its author and time kept; False when there is none.

        A box drawn after an undo ends that: the entries undone before it stay in the history alone.
        """
        return self.change(REDO_BOX, {"data": data, "name": name}) > 0

    def manual_box_history(self, data: str, name: str) -> pd.DataFrame:
        """Return all entries of one image, the oldest first: version, x1, y1, x2, y2, author, created, undone, note.

        `undone` is when an entry was undone, NaN while it counts. One that was undone can be redone while no entry
        with a higher version counts.
        """
        table = self.frame(BOX_HISTORY, {"data": data, "name": name})
        return table.astype(dict.fromkeys((*CORNERS, "created", "undone"), "float64"))

    def exclude(self, data: str, names: Collection[str], *, author: str = "") -> str:
        """Keep that these frames of a data set are left out, and return their key; who said so first stays."""
        key = exclusion_key(names)
        kept = json.dumps(sorted(set(names)))
        row = {"data": data, "key": key, "names": kept, "author": author, "created": self.now()}
        self.change(EXCLUDE, row)
        return key

    def exclusions(self, data: str) -> dict[str, Exclusion]:
        """Return what has been left out of a data set by key, the newest first."""
        rows = self.rows(EXCLUSIONS, {"data": data})
        return {row.key: Exclusion(tuple(json.loads(row.names)), row.author, row.created) for row in rows}
