"""Values as the database, JSON and spreadsheets hold them.

A CSV cell that a spreadsheet would run as a formula is made plain text and read back (OWASP, CSV Injection).
"""

from __future__ import annotations

import math
import time
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

#: A cell that begins so is a formula to a spreadsheet; it is written after an apostrophe.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'")

#: Signs that turn the direction of what is written behind them, which may be another's.
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def jsonable(value: Any) -> Any:
    """Return a value with numpy scalars and arrays as Python's, and NaN and infinities as None."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if hasattr(value, "tolist"):
        return jsonable(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def moment_problem(seconds: float) -> str:
    """Return why seconds since 1970 can't be when something was made here, '' where they can."""
    if 946_684_800 <= seconds <= time.time() + 86_400:
        return ""
    return "a time between the year 2000 and tomorrow"


def line_problem(text: str, most: int = 200) -> str:
    """Return why a text isn't a short line that can be stored and shown, '' where it is."""
    if len(text) > most:
        return f"at most {most} characters"
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") or sign in TURNING for sign in text):
        return "one line without control characters"
    return ""


def defused(text: str) -> str:
    """Return a cell's text so that no spreadsheet runs it."""
    return "'" + text if text.startswith(FORMULA) else text


def armed(text: str) -> str:
    """Return what `defused` was given."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


def defused_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of a table with every text in it defused; numbers stay numbers."""
    return table.map(lambda cell: defused(cell) if isinstance(cell, str) else cell)
