"""The rows of a table of text, whatever its encoding, separator and header; or of JSON objects, one a line."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from fer_core.config.regular_files import read
from fer_core.errors import DataError

#: Larger files are no list of images.
MAX_BYTES = 256 * 2**20

_DELIMITERS = ",;\t|"
_SEPARATOR = re.compile(r'\s*"?sep=(.)"?\s*\r?\n')


@dataclass(frozen=True)
class TextTable:
    """A table: its first row, which may or may not name the columns, and the line and cells of each other row."""

    path: Path
    first: list[str]
    rest: Iterator[tuple[int, list[str]]]

    def all_rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield every row, the first included: that of a list without a header."""
        return chain([(1, self.first)], self.rest)


def read_table(path: Path) -> TextTable:
    """Read UTF-8 (with or without BOM) or UTF-16 text: comma, semicolon, tab, | or blanks between cells, or JSON lines.

    The line of a row is where it ends, counted from 1; blank rows are skipped; Excel's first line `sep=;` is obeyed.

    Raises:
        DataError: no such file, too large, not text, or empty. It repeats nothing of the file.
    """
    text = _text(path)
    rows = _json_rows(text, path) if path.suffix.lower() == ".jsonl" else _rows(text, path)
    first = next(rows, None)
    if first is None:
        raise DataError("A CSV data set must have a header line", got=f"an empty file, {path}")
    return TextTable(path, first[1], rows)


def _rows(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    declared = _SEPARATOR.match(text)
    if declared:
        text = "\n" + text[declared.end() :]
    header = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = declared[1] if declared else max(_DELIMITERS, key=header.count)
    if delimiter not in header and len(header.split()) > 1:
        delimiter = " "
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=delimiter == " ")
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(
            "A CSV data set must be a table of text", got=f"{path}, line {reader.line_num}: {error}"
        ) from error


def _json_rows(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    names: list[str] = []
    for line, each in enumerate(text.splitlines(), 1):
        if not each.strip():
            continue
        try:
            values = json.loads(each)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise DataError("A .jsonl list must hold a JSON object a line", got=f"{path}, line {line}")
        if not names:
            names = list(values)
            yield 0, names
        yield line, ["" if values.get(name) is None else str(values[name]).strip() for name in names]


def _text(path: Path) -> str:
    rule = "A data set's path must be a folder or a CSV file"
    if not path.is_file():
        raise DataError(rule, got=f"no file {path}", fix="Check its spelling and that it exists")
    data = read(path, MAX_BYTES)
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise DataError(
            "A CSV data set must be UTF-8 text", got=f"other bytes in {path}", fix="Save it as 'CSV UTF-8'"
        ) from None
