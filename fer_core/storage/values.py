"""Values as the database and JSON hold them."""

from __future__ import annotations

import math
import time
import unicodedata
from collections.abc import Mapping
from typing import Any


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
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in text):  # half characters are Cs
        return "one line without control characters"
    return ""
