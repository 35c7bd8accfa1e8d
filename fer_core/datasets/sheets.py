"""The rows of an .xlsx file, read in a process of its own within bounds: `python -m fer_core.datasets.sheets`.

A few kilobytes can unfold to gigabytes of cells, in ways that no look at the file's directory tells.
"""

import io
import json
import resource
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from fer_core import ROOT
from fer_core.config.regular_files import read
from fer_core.errors import DataError
from fer_core.storage.zips import BROKEN, open_zip

#: Rows of a sheet that may hold anything, so that no file fills the memory; columns that are read; rows in Excel.
MAX_ROWS, MAX_COLUMNS, EXCEL_ROWS = 100_000, 64, 1_048_576

#: Bytes of the file and of what it unfolds to.
MAX_BYTES, UNFOLDED = 64 << 20, 256 << 20

#: Bytes of a file and its text that are kept, of the newest few.
KEPT = 4 << 20

#: Bytes of memory that reading may take beside what the process takes at rest, and seconds of CPU time.
MEMORY, SECONDS = 512 << 20, 60


def xlsx_rows(path: Path) -> list[list[str]]:
    """Return the cells of the first sheet as text, blanks around removed, `MAX_COLUMNS` a row.

    Rows after the first `MAX_ROWS` are left out where they are blank, and one that isn't is the last.

    Raises:
        DataError: no regular file, no readable sheet, or one beyond the bounds; it repeats no cell.
        OSError: the file can't be opened.
    """
    rule, fix = "A feature table must be readable", "Open it in a spreadsheet and save it again"
    data = read(path, MAX_BYTES)
    try:
        with open_zip(io.BytesIO(data)) as file:
            unfolded = sum(entry.file_size for entry in file.infolist())
    except BROKEN as error:
        raise DataError(rule, got=f"{path.name}: {error}", fix=fix) from error
    too_much = (
        f"{path.name}, which takes more than {UNFOLDED >> 20} MB unfolded, or {SECONDS} seconds to read"
    )
    if unfolded > UNFOLDED:
        raise DataError(rule, got=too_much, fix=fix)
    try:
        text = _text(data)
        if len(data) + len(text) > KEPT:
            _text.cache_clear()
        answer = json.loads(text)
    except (subprocess.SubprocessError, ValueError) as error:
        raise DataError(rule, got=too_much, fix=fix) from error
    if isinstance(answer, str):
        raise DataError(rule, got=f"{path.name}: {answer}", fix=fix)
    return list(answer)


@lru_cache(maxsize=4)
def _text(data: bytes) -> bytes:
    """Return what `main` prints of a file. Raises SubprocessError where it came to no end within its bounds.

    Every run and every page on a sheet reads it anew: a process each time would take longer than all else.
    """
    command = [sys.executable, "-m", __name__, str(MEMORY), str(SECONDS)]
    return subprocess.check_output(
        command, input=data, stderr=subprocess.DEVNULL, cwd=ROOT, timeout=2 * SECONDS
    )


def main() -> None:
    """Read a file from the input and print its rows, or the kind of error met, as JSON."""
    from openpyxl import load_workbook

    memory, seconds = map(int, sys.argv[1:])
    data = sys.stdin.buffer.read()
    at_rest = Path("/proc/self/statm")  # of Linux
    if at_rest.exists():
        most = int(at_rest.read_text(encoding="ascii").split()[0]) * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    found: list[list[str]] = []
    try:
        sheet = load_workbook(io.BytesIO(data), read_only=True, data_only=True).worksheets[0]
        for row in sheet.iter_rows(max_row=EXCEL_ROWS, max_col=MAX_COLUMNS, values_only=True):
            cells = ["" if value is None else str(value).strip() for value in row]
            if len(found) < MAX_ROWS or any(cells):
                found.append(cells)
            if len(found) > MAX_ROWS:
                break
    except MemoryError:
        sys.exit(1)
    except Exception as error:
        print(json.dumps(type(error).__name__))
    else:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
