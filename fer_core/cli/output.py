"""What commands print: tables, JSON, notes, progress, and what has to stand beside a figure."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table

from fer_core.config.run import DataConfig
from fer_core.datasets.base import generated_words
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.results.rows import title
from fer_core.results.shares import interval, percent
from fer_core.storage.store import StoredRun
from fer_core.storage.values import plain

#: Columns of a table that is never folded: a line a row, for the terminal and for what reads a pipe.
UNFOLDED = 100_000


def note(text: str) -> None:
    """Print a line for the reader on standard error."""
    print(text, file=sys.stderr)


def print_json(document: object) -> None:
    """Print the one JSON document of a command: null for NaN and infinities, text for what JSON has no form for."""
    print(json.dumps(plain(document), default=str, indent=2, allow_nan=False))


def print_table(
    rows: Sequence[Mapping[str, object]], columns: Mapping[str, Callable[[Any], str] | None] | Iterable[str]
) -> None:
    """Print rows under the given columns, each shown by its function, aligned right, or as text; '-' for None."""
    forms = columns if isinstance(columns, Mapping) else dict.fromkeys(columns)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, form in forms.items():
        table.add_column(name, justify="right" if form else "left")
    for row in rows:
        cells = ((row.get(name), form or str) for name, form in forms.items())
        table.add_row(*("-" if value is None else form(value) for value, form in cells))
    Console(width=UNFOLDED, markup=False, highlight=False, emoji=False).print(table)


def share_with_interval(share: float, bounds: Sequence[float]) -> str:
    """Return a share with its interval, both as percentages."""
    return f"{percent(share)} ({interval(bounds)})"


@contextmanager
def progress(title: str = "") -> Iterator[Callable[..., None]]:
    """Yield what shows progress on standard error: (done, total), and the step where it changes; silent when piped."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=None)

        def show(done: int, total: int, step: str = title) -> None:
            bars.update(task, completed=done, total=total, description=step)

        yield show


def print_protocols(names: Iterable[str]) -> None:
    """Print what the accuracy under each protocol does and doesn't say."""
    for name in names:
        print(f"{name}: {'LEAKS. ' if PROTOCOLS[name].leaks else ''}{PROTOCOLS[name].why}")


def print_generated(data: DataConfig, *more: str) -> None:
    """Print what follows from a data set's being generated, where it is."""
    if data.generated:
        print(": ".join(generated_words(data.layout)), *more)


def print_errors(runs: Iterable[StoredRun]) -> None:
    """Print what ended those runs that failed."""
    for run in runs:
        if run.error:
            print(f"{run.id} ({title(run)}): {run.status}. {run.error}")
