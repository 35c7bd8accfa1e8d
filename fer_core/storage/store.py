"""Runs, epochs, predictions and workers as the database holds them.

Runs change only through `jobs.queue`. Every time is UTC in seconds since 1970.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row

from fer_core.config.reading import Reading
from fer_core.config.run import RunConfig, parse
from fer_core.errors import NotFoundError, StoreError

from .said_of_frames import SaidOfFrames
from .values import line_problem

if TYPE_CHECKING:
    import pandas as pd

STATUSES = ("queued", "running", "done", "failed", "cancelled")

RUNS = """
    SELECT * FROM runs {where}
    ORDER BY created DESC, id DESC
    LIMIT :limit
"""
#: What a question may ask of runs: only what it does ask stands in the statement, so that an index serves it.
ASKED = {
    "ids": "id IN :ids",
    "status": "status IN :status",
    "goal": "goal = :goal",
    "data": "data = :data",
    "source": "data_source = :source",
    "answers": "(unfreeze > 0 OR backbone = 'vote' OR backbone LIKE 'recogniser:%')",
    "generated": "config LIKE :generated",
    "boxes": "config LIKE :boxes",
    "before": "(created, id) < (:before, :before_id)",
    "archived": "archived = :archived",
}
#: What the definition of a run on drawn data holds; a quote within a name would stand there escaped.
GENERATED = '%"generated":true%'
#: Every source once, by jumps through the index instead of a walk over all runs.
SOURCES = """
    WITH RECURSIVE known (source) AS (
        SELECT MIN(data_source) FROM runs
        UNION ALL
        SELECT (SELECT MIN(data_source) FROM runs WHERE data_source > source) FROM known WHERE source IS NOT NULL)
    SELECT source FROM known WHERE source IS NOT NULL
"""
FINISHED = """
    SELECT COUNT(*) AS runs, MAX(finished) AS last FROM runs WHERE data = :data AND status = 'done'
"""
EPOCHS = """
    SELECT seed, fold, epoch, train_loss, train_accuracy, val_loss, val_accuracy, lr, seconds, images, written,
           train_reverse_loss, val_reverse_loss
    FROM epochs WHERE run_id = :id
    ORDER BY seed, fold, epoch
"""
PREDICTIONS = """
    SELECT seed, fold, name, label, "group", face_status, p0, p1, p2, p3, p4, p5, p6
    FROM predictions WHERE run_id = :id
    ORDER BY seed, fold, name
"""
LOG = "SELECT line, written, text FROM log_lines WHERE run_id = :id ORDER BY line"
#: Running ones first, then as they will be taken up.
ACTIVE = """
    SELECT id FROM runs WHERE status IN ('queued', 'running') {among}
    ORDER BY status DESC, queued, id
"""
PLACES = """
    SELECT mine.id, COUNT(*) AS place FROM runs AS mine JOIN runs AS ahead
        ON ahead.status = 'queued' AND (ahead.queued, ahead.id) <= (mine.queued, mine.id)
    WHERE mine.status = 'queued' AND mine.id IN :ids
    GROUP BY mine.id
"""
SWEEP = (
    "SELECT runs.* FROM sweeps JOIN runs ON runs.id = sweeps.run_id WHERE sweeps.name = :name ORDER BY place"
)
SWEEPS_OF = """
    SELECT name, COUNT(*) AS runs FROM sweeps WHERE name IN (SELECT name FROM sweeps WHERE run_id = :id) GROUP BY name
"""
DATA_SETS = "SELECT name, source, layout, reading FROM data_sets ORDER BY created DESC, name"
NAME_DATA = """
    INSERT INTO data_sets (name, source, layout, reading, created)
    VALUES (:name, :source, :layout, :reading, :created)
    ON CONFLICT (name) DO UPDATE SET
        source = excluded.source, layout = excluded.layout, reading = excluded.reading, created = excluded.created
"""


@dataclass(frozen=True)
class NamedData:
    """A data set that was brought: what it is called, the path where it lies, and how it is read."""

    name: str
    source: str
    layout: str
    reading: Reading


@dataclass(frozen=True)
class StoredRun:
    """A row of the table of runs; times in seconds since 1970, None where they haven't come yet.

    `status` is one of `STATUSES`; `step_done` of `step_total` pieces of `step` are ready; `seconds` is the
    time worked on it, over all attempts that could end orderly. `name`, `note`, `tags` (words between spaces) and
    `archived` are what people said of it.
    """

    id: str
    config_json: str
    extra: dict[str, Any]
    goal: str
    data: str
    data_name: str
    data_source: str
    backbone: str
    unfreeze: int
    protocol: str
    status: str
    created: float
    queued: float
    started: float | None
    finished: float | None
    owner: str | None
    lease_until: float | None
    attempts: int
    max_attempts: int
    cancel_requested: bool
    step: str
    step_done: int
    step_total: int
    seconds: float
    error: str
    summary: dict[str, Any]
    environment: dict[str, Any]
    name: str = ""
    note: str = ""
    tags: str = ""
    archived: bool = False

    @cached_property
    def config(self) -> RunConfig:
        """The run's definition. Raises ConfigError when it was written by another version."""
        return parse(RunConfig, json.loads(self.config_json))

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.status not in ("queued", "running")


class Store(SaidOfFrames):
    """An open database, with the questions that pages, the command line and workers ask it."""

    def run(self, run_id: str) -> StoredRun:
        """Return one run, named by its id or the first digits of it. Raises NotFoundError."""
        for run in self.runs(ids=[self.whole_id(run_id)]):
            return run
        raise NotFoundError("No run has this id", got=repr(run_id), fix="Choose one from the list of runs")

    def whole_id(self, given: str) -> str:
        """Return the id of the one run that an id, or its first four digits or more, names.

        What names none, or several, is returned as it is: no run has it as its id.
        """
        if not re.fullmatch("[0-9a-f]{4,15}", given):
            return given
        found = self.rows("SELECT id FROM runs WHERE id LIKE :start LIMIT 2", {"start": f"{given}%"})
        return str(found[0].id) if len(found) == 1 else given

    def runs(
        self,
        *,
        ids: Sequence[str] | None = None,
        status: Sequence[str] | None = None,
        goal: str | None = None,
        data: str | None = None,
        source: str | None = None,
        answers: bool = False,
        generated: bool = False,
        boxes: str | None = None,
        archived: bool | None = None,
        limit: int | None = None,
        before: StoredRun | None = None,
    ) -> list[StoredRun]:
        """Return runs, newest first.

        Args:
            archived: only those that are, or are not, out of the way; None: both.
            limit: at most so many; None: all that `ids` names, else 200.
            answers: only those of what may answer on new images: transferred backbones, recognisers, votes.
            generated: only those on data that this project drew.
            boxes: only those cut with this set of hand-drawn boxes, as `FacesConfig.manual_boxes` names it.
            before: continues after the last run of the page before.
        """
        asked = {
            "ids": ids and list(ids),
            "status": status and list(status),
            "goal": goal,
            "data": data,
            "source": source,
            "answers": answers or None,
            "generated": GENERATED if generated else None,
            "boxes": boxes and f'%"manual_boxes":"{boxes}"%',
            "before": before and before.created,
            "archived": None if archived is None else int(archived),
        }
        given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
        where = " AND ".join(ASKED[name] for name in given)
        given |= {"before_id": before and before.id}
        given["limit"] = limit if limit is not None else 200 if ids is None else len(ids)
        return [_stored_run(row) for row in self.rows(RUNS.format(where=where and f"WHERE {where}"), given)]

    def sweep(self, name: str) -> list[StoredRun]:
        """Return the runs of a sweep in the order they were asked for. Raises NotFoundError."""
        rows = self.rows(SWEEP, {"name": name})
        if not rows:
            raise NotFoundError("No sweep has this name", got=repr(name), fix="Ask for its runs again")
        return [_stored_run(row) for row in rows]

    def sweeps_of(self, run_id: str) -> dict[str, int]:
        """Return the sweeps that a run belongs to, and how many runs each has."""
        return {row.name: row.runs for row in self.rows(SWEEPS_OF, {"id": run_id})}

    def describe(self, run_id: str, **words: str | bool) -> None:
        """Keep `name`, `note`, `tags` or `archived` of a run. Raises StoreError: a name or tags are no short line."""
        for field in words.keys() & {"name", "tags"}:
            if problem := line_problem(str(words[field])):
                raise StoreError(f"A run's {field} must be {problem}", got=f"{words[field]!r:.80}")
        if "tags" in words:
            words["tags"] = " ".join(dict.fromkeys(str(words["tags"]).replace(",", " ").split()))
        values = {field: int(value) if isinstance(value, bool) else value for field, value in words.items()}
        changes = ", ".join(f"{field} = :{field}" for field in values)
        self.change(f"UPDATE runs SET {changes} WHERE id = :id", values | {"id": run_id})

    def sources(self) -> list[str]:
        """Return the sources of all data sets that runs were on, sorted."""
        return [row.source for row in self.rows(SOURCES)]

    def data_sets(self) -> dict[str, NamedData]:
        """Return the data sets that were brought, by name, the newest first."""
        return {
            row.name: NamedData(row.name, row.source, row.layout, parse(Reading, json.loads(row.reading)))
            for row in self.rows(DATA_SETS)
        }

    def name_data(self, one: NamedData) -> None:
        """Keep a data set under its name; what had the name before no longer has it.

        Raises:
            StoreError: the name is none that can be.
        """
        if problem := line_problem(one.name) or ("more than blanks" if not one.name.strip() else ""):
            raise StoreError(f"A data set's name must be {problem}", got=f"{one.name!r:.80}")
        row = vars(one) | {"reading": one.reading.model_dump_json(exclude_none=True), "created": self.now()}
        self.change(NAME_DATA, row)

    def forget_data(self, name: str) -> None:
        """Forget a data set's name; its files and runs stay."""
        self.change("DELETE FROM data_sets WHERE name = :name", {"name": name})

    def definitions(self) -> list[tuple[str, str, str]]:
        """Return id, status and definition (JSON) of every run."""
        return [(row.id, row.status, row.config) for row in self.rows("SELECT id, status, config FROM runs")]

    def counts(self) -> dict[str, int]:
        """Return the number of runs per status, zeros included."""
        rows = self.rows("SELECT status, COUNT(*) AS runs FROM runs GROUP BY status")
        return dict.fromkeys(STATUSES, 0) | {row.status: row.runs for row in rows}

    def finished(self, data: str) -> tuple[int, float]:
        """Return how many runs on a data set are done and when the last one ended: equal while none was added."""
        (row,) = self.rows(FINISHED, {"data": data})
        return row.runs, row.last or 0.0

    def active(self, among: Sequence[str] | None = None) -> list[str]:
        """Return the ids of the runs that are worked on, then of those that wait, in the order of the queue.

        Args:
            among: ids to look at; None for all.
        """
        if among is None:
            return [row.id for row in self.rows(ACTIVE.format(among=""))]
        return [row.id for row in self.rows(ACTIVE.format(among="AND id IN :ids"), {"ids": list(among)})]

    def queue_places(self, ids: Sequence[str]) -> dict[str, int]:
        """Return the places of those runs that are queued, by id; 1 for the next."""
        return {row.id: row.place for row in self.rows(PLACES, {"ids": list(ids)})}

    def epochs(self, run_id: str) -> pd.DataFrame:
        """Return a run's epochs: columns of `BdnnEpoch`, whose reverse losses are the BDNN's alone, and `written`."""
        losses = ("train_loss", "val_loss", "train_reverse_loss", "val_reverse_loss")
        figures = (*losses, "train_accuracy", "val_accuracy", "lr", "seconds", "written")
        return self.frame(EPOCHS, {"id": run_id}).astype(dict.fromkeys(figures, "float64"))

    def predictions(self, run_id: str) -> pd.DataFrame:
        """Return a finished run's held-out predictions: `RunResult.predictions`, sorted."""
        return self.frame(PREDICTIONS, {"id": run_id})

    def log(self, run_id: str) -> pd.DataFrame:
        """Return a run's log: line, written, text."""
        return self.frame(LOG, {"id": run_id})

    def workers(self) -> pd.DataFrame:
        """Return the registered workers: owner, host, pid, device, started, seen (they may have died)."""
        return self.frame("SELECT owner, host, pid, device, started, seen FROM workers ORDER BY started")


def _stored_run(row: Row[Any]) -> StoredRun:
    values = dict(row._mapping)
    for name in ("extra", "summary", "environment"):
        values[name] = json.loads(values[name])
    for name in ("cancel_requested", "archived"):
        values[name] = bool(values[name])
    return StoredRun(config_json=values.pop("config"), **values)
