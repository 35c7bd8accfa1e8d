"""Data sets that are none: special files, sheets and patterns without end, other people's files."""

import io
import os
import resource
import signal
import socket
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from openpyxl import Workbook

from fer_core.config.reading import Reading
from fer_core.datasets.images import load_rgb
from fer_core.datasets.open import LAYOUTS, open_dataset
from fer_core.errors import FerError
from fer_core.faces.box_files import read_boxes_file
from fer_core.learning.networks.weights import read_tensors

#: Seconds by the clock that a refusal may take, and one of a sheet or a pattern; megabytes of its process.
MOST_SECONDS, MOST_SLOW, MOST_MB = 5, 150, 700

SECRET = "postgresql://ada:hunter2@db"
SPACE = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
PATTERNS = {
    "repeats inside repeats": r"^Happy/((a|aa)+)$",
    "a million nodes": r"(((a{1000}){1000}){1000})",
    "five thousand brackets": "(" * 5000 + "a" + ")" * 5000,
    "every way to split": r"((?:x+x+)+)y",
}
TEXTS = (
    f"DB={SECRET}",
    f"DB={SECRET}\0HOME=/\0",
    f"DB={SECRET},a,b\nx,y,z\n",
    f"path,{SECRET}\na.png,1\n",
    f"label;{SECRET}\nsad;b\n",
    f"name,class\n{SECRET},angry\n",
    f"{SECRET},99,1,2,3,4,5\n" * 3,
    f'"{SECRET}\n' * 3,
    f"\xff{SECRET}",
)


def attacks(folder: Path) -> Iterator[tuple[str, Callable[[], bool]]]:
    """Yield each attack's name and what carries it out and says whether it was refused in time, telling nothing."""
    for kind, path in special(folder):
        for layout in ("auto", *LAYOUTS):
            opening = partial(open_dataset, path, layout=layout)
            yield f"{kind} as a data set ({layout})", partial(refused, opening)
        yield f"{kind} as an image", partial(refused, partial(load_rgb, path))
        yield f"{kind} as weights", partial(refused, partial(read_tensors, path))
    for name, part, pieces in sheets():
        path = _sheet(folder / f"{name}.xlsx", part, pieces)
        yield f"a sheet of {name}", partial(refused, partial(open_dataset, path), MOST_SLOW)
    tree = folder / "tree"
    for name in (f"Happy/{'a' * 200}!.png", f"Sad/{'x' * 200}.png"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(b"")
    for name, pattern in PATTERNS.items():
        for reading in (Reading(group_pattern=pattern), Reading(label_pattern=pattern)):
            yield f"a pattern: {name}", partial(ends, partial(open_dataset, tree, reading=reading), MOST_SLOW)
    for number, text in enumerate(TEXTS):
        path, kind = folder / f"text{number}.csv", f"other people's file {number}"
        path.write_bytes(text.encode("latin-1"))
        for layout in ("auto", *LAYOUTS):
            yield f"{kind} ({layout})", partial(refused, partial(open_dataset, path, layout=layout))
        declared = partial(open_dataset, path, reading=Reading(columns="path=1,label=2"))
        yield f"{kind}, columns declared", partial(refused, declared)
        yield f"{kind} as boxes", partial(ends, partial(read_boxes_file, path.read_bytes(), {}))


def special(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield what is no regular file, or a kernel's, under the names of data sets."""
    makers: dict[str, Callable[[Path], object]] = {
        "a pipe": os.mkfifo,
        "an endless device": lambda path: path.symlink_to("/dev/zero"),
        "a terminal": lambda path: path.symlink_to("/dev/tty"),
        "the environment": lambda path: path.symlink_to("/proc/self/environ"),
        "the kernel's log": lambda path: path.symlink_to("/proc/kmsg"),
        "a socket": lambda path: socket.socket(socket.AF_UNIX).bind(str(path)),
    }
    for kind, make in makers.items():
        for name in ("set", "set.csv", "set.xlsx", "fer2013.csv"):
            path = folder / kind.replace(" ", "-") / name
            path.parent.mkdir(exist_ok=True)
            make(path)
            yield f"{kind} ({name})", path
    yield from (
        (f"{path} itself", Path(path)) for path in ("/proc", "/proc/self/environ", "/sys", "/dev/zero")
    )


def sheets() -> Iterator[tuple[str, str, Iterator[bytes]]]:
    """Yield sheets' names, the part that is replaced, and what by."""
    sheet, strings = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
    head, tail = b"<worksheet %s><sheetData>" % SPACE, b"</sheetData></worksheet>"

    def many(begin: bytes, piece: bytes, millions: int, end: bytes) -> Iterator[bytes]:
        yield begin
        for _ in range(millions):
            yield piece * 1_000_000
        yield end

    yield "20 million blank rows", sheet, many(head, b"<row/>", 20, tail)
    yield "20 million rows of one number", sheet, many(head, b'<row r="1"/>', 20, tail)
    yield "a row of 50 million cells", sheet, many(head + b"<row>", b"<c/>", 50, b"</row>" + tail)
    yield "1.3 GB of strings", strings, many(b"<sst %s>" % SPACE, b"<si><t>abc</t></si>", 70, b"</sst>")
    styles = b"<styleSheet %s><fonts>" % SPACE
    yield "30 million fonts", "xl/styles.xml", many(styles, b"<font/>", 30, b"</fonts></styleSheet>")


def _sheet(path: Path, part: str, pieces: Iterator[bytes]) -> Path:
    stored = io.BytesIO()
    Workbook().save(stored)
    with zipfile.ZipFile(stored) as whole, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name in {*whole.namelist()} - {part}:
            out.writestr(name, whole.read(name))
        with out.open(part, "w", force_zip64=True) as written:
            for piece in pieces:
                written.write(piece)
    return path


def refused(attack: Callable[[], object], seconds: int = MOST_SECONDS) -> bool:
    """Return whether an attack ends in an error for people, in time, within the memory, without the secret."""
    said = _ended(attack, seconds)
    return bool(said) and "hunter2" not in said


def ends(attack: Callable[[], object], seconds: int = MOST_SECONDS) -> bool:
    """Return whether an attack ends in time, whatever it ends in."""
    return _ended(attack, seconds) is not None


def _ended(attack: Callable[[], object], seconds: int) -> str | None:
    """Return the error in which an attack ended, '' for none, None where it took too long or too much."""

    def late(*_: object) -> None:
        raise KeyboardInterrupt  # nothing catches it on its way

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    own, said = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, ""
    try:
        attack()
    except KeyboardInterrupt:
        return None
    except (FerError, OSError) as error:
        said = str(error)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - own
    return said if grown < MOST_MB * 1024 else None
