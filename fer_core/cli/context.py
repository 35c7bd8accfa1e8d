"""What commands share: the opened data set, tables and progress on the terminal."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from fer_core.config import settings as settings_module
from fer_core.config.run import DataConfig
from fer_core.config.settings import Settings
from fer_core.datasets.base import Dataset
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.open import open_dataset
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.shared_artifacts import artifacts_of
from fer_core.storage.store import Store
from fer_core.storage.values import jsonable


@dataclass(frozen=True)
class Context:
    """The state folder, the database and the artifacts of this installation."""

    settings: Settings
    store: Store
    artifacts: Artifacts

    @classmethod
    def open(cls) -> Context:
        """Open them as FER_* say."""
        settings = settings_module.load()
        return cls(settings, Store(settings.database), artifacts_of(settings))

    def run_id(self, given: str) -> str:
        """Return the whole id of the one run that an id, or its first four digits or more, names.

        What names none, or several, is returned as it is: no run has it as its id, and whoever asks is told so.
        """
        if not re.fullmatch("[0-9a-f]{4,15}", given):
            return given
        query = text("SELECT id FROM runs WHERE id LIKE :start LIMIT 2")
        with self.store.read() as connection:
            found = list(connection.execute(query, {"start": f"{given}%"}).scalars())
        return str(found[0]) if len(found) == 1 else given

    def dataset(self, options: argparse.Namespace) -> tuple[Dataset, DataConfig]:
        """Open the data set that `--data`, `--layout` and `--label-codes` name, with its identity."""
        with Bar("drawing the generated set") as bar:
            dataset = open_dataset(
                options.data,
                layout=options.layout,
                label_codes=options.label_codes,
                group_pattern=options.group_pattern,
                demo_root=self.settings.demo_data,
                roots=self.settings.data_roots,
                progress=bar,
            )
        with Bar("hashing files") as bar:
            config = data_config(dataset, cache=self.settings.cache, progress=bar)
        return dataset, config


class Bar:
    """A progress bar on standard error, made at the first call with (done, total); silent when piped."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: Any = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int, total: int) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(
                total=total, desc=self._title, file=sys.stderr, leave=False, disable=not sys.stderr.isatty()
            )
        self._bar.total = total
        self._bar.update(done - self._bar.n)


def note(text: str) -> None:
    """Print a line for the reader on standard error."""
    print(text, file=sys.stderr)


def print_json(document: object) -> None:
    """Print the one JSON document of a command: null for NaN and infinities, text for what JSON has no form for."""
    print(json.dumps(jsonable(document), default=str, indent=2, allow_nan=False))


def print_table(
    rows: Sequence[Mapping[str, object]], columns: Mapping[str, Callable[[Any], str] | None]
) -> None:
    """Print rows under the given columns, each shown by its function or as text; '-' for None."""
    shown = [
        ["-" if row.get(name) is None else (form or str)(row[name]) for name, form in columns.items()]
        for row in rows
    ]
    widths = [max(len(name), *(len(cells[i]) for cells in shown), 0) for i, name in enumerate(columns)]
    for cells in [list(columns), ["-" * width for width in widths], *shown]:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())


def percent(value: float) -> str:
    """Return a share in 0..1 as a percentage with one decimal."""
    return f"{100 * value:.1f} %"


def percent_interval(value: Sequence[float]) -> str:
    """Return an interval of shares as percentages."""
    return f"{100 * value[0]:.1f} to {100 * value[1]:.1f} %"
