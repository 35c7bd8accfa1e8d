"""What commands print: one JSON document or tables for people, notes, progress, and what must stand beside a figure."""

import errno
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from humanize import naturalsize
from rich.console import Console
from rich.table import Table

from fer_core.config.run import DataConfig
from fer_core.datasets.base import generated_words, readable
from fer_core.errors import StoreError
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.results.rows import title
from fer_core.results.shares import interval, p_value, percent
from fer_core.storage.store import StoredRun
from fer_core.storage.values import jsonable

#: How a column of figures is shown, by its name; all others as text.
FORMS: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(("train_accuracy", "val_accuracy", "probability", "confidence", "agreement"), percent),
    **dict.fromkeys(("train_loss", "val_loss"), "{:.3f}".format),
    **dict.fromkeys(("bytes", "collectable", "collected"), naturalsize),
    "val_accuracy_interval": interval,
    "behind": lambda value: f"{100 * value:.1f} points",
    "p": p_value,
    "seconds": "{:.0f}".format,
    "cached": lambda value: "yes" if value else "no",
    "leaks": lambda leaks: "LEAKS" if leaks else "",
}

#: Characters of a line that is never folded, for the terminal and for what reads a pipe.
UNFOLDED = 100_000


def note(text: str) -> None:
    """Print a line for the reader on standard error."""
    print(text, file=sys.stderr)


def print_json(document: object) -> None:
    """Print the one JSON document of a command: null for NaN and infinities, text for what JSON has no form for."""
    print(json.dumps(jsonable(document), default=str, indent=2, allow_nan=False))


def answer(json: bool, document: Any, show: Callable[[Any], object]) -> int:
    """Print a command's document as JSON, or as `show` prints it for people; return 0, the exit code."""
    (print_json if json else show)(document)
    return 0


def print_table(rows: Sequence[Mapping[Any, object]], columns: Iterable[str]) -> None:
    """Print rows under the given columns, figures as `FORMS` has them and to the right; '-' for None and NaN."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in (names := list(columns)):
        table.add_column(name, justify="right" if name in FORMS else "left")
    for row in rows:
        cells = ((row.get(name), FORMS.get(name, str)) for name in names)
        table.add_row(*("-" if value is None or value != value else form(value) for value, form in cells))
    Console(width=UNFOLDED, markup=False, highlight=False, emoji=False).print(table)


def share_with_interval(share: float, bounds: Sequence[float]) -> str:
    """Return a share with its interval, both as percentages."""
    return f"{percent(share)} ({interval(bounds)})"


def writable(path: Path, what: Literal["file", "folder", "new folder"] = "file") -> Path:
    """Return where a command will write, ~ replaced, once it is seen that it can; the folders above are made now.

    Args:
        what: will be there; a folder that files go into is made now too.

    Raises:
        StoreError: it can't be written to.
    """
    path = path.expanduser()
    place = path if what == "folder" else path.parent
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            if what == "file" and path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if path.exists() and not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            (place / f"{path.name}.partial").exists()  # raises where the name is too long
    except OSError as error:
        above = isinstance(error, FileExistsError)  # as `mkdir` says it of a file where a folder should be
        raise StoreError(
            "What a command writes must go to a writable place",
            got=f"{readable(str(path))}: {os.strerror(errno.ENOTDIR) if above else error.strerror}",
            fix="Name another, or correct its permissions",
        ) from error
    return path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a new file's place to write to; it takes the path's place once the body has ended well, else it goes."""
    plain = path.is_file() or not path.exists()  # a pipe or a terminal is written to as it is
    partial = path.with_name(f"{path.name}.partial") if plain else path
    try:
        yield partial
        if plain:
            partial.replace(path.resolve())
    finally:
        if plain:
            partial.unlink(missing_ok=True)


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
