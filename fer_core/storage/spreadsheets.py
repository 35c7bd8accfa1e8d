"""CSV cells that a spreadsheet would run as a formula, made plain text and read back (OWASP, CSV Injection)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

#: A cell that begins so is a formula to a spreadsheet; it is written after an apostrophe.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


def defused(text: str) -> str:
    """Return a cell's text so that no spreadsheet runs it."""
    return "'" + text if text.startswith(FORMULA) else text


def armed(text: str) -> str:
    """Return what `defused` was given."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


def defused_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of a table with every text in it defused; numbers stay numbers."""
    return table.map(lambda cell: defused(cell) if isinstance(cell, str) else cell)
