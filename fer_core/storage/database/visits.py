"""What a hosted demo counts for its owner by the hour: how often, never who or what; and the switch that pauses it.

Both lie beside the database, which a demo opens read-only: counts in a small SQLite file, the switch as a file that is
there or not.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

TABLE = "CREATE TABLE IF NOT EXISTS counts (hour INTEGER, what TEXT, number REAL, PRIMARY KEY (hour, what))"
ADD = "INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET number = number + excluded.number"

#: What is counted: visits, images predicted, requests refused by a limit; turns on the device, seconds waited for them.
WHAT = ("visits", "predictions", "refused", "turns", "waited")


class Visits:
    """The counts of the demo on a state folder, and its switch: a file that is there while it is paused."""

    def __init__(self, home: Path) -> None:
        self.file, self.paused = home / "visits.sqlite", home / "paused"

    def count(self, **numbers: float) -> None:
        """Add to this hour's numbers, by names of `WHAT`; where the folder may only be read, nothing is kept."""
        hour = int(time.time() // 3600)
        with suppress(OSError, sqlite3.Error):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.file, timeout=1.0)) as connection, connection:
                connection.execute("PRAGMA synchronous = OFF")  # a lost minute of counts is no loss
                connection.execute(TABLE)
                connection.executemany(ADD, [(hour, what, number) for what, number in numbers.items()])

    def by_hour(self, most: int = 48) -> pd.DataFrame:
        """Return the newest hours in which there was something: `hour` (UTC), a column for each of `WHAT`."""
        import pandas as pd

        rows: list[tuple[int, str, float]] = []
        with (
            suppress(sqlite3.Error),
            closing(sqlite3.connect(self.file.as_uri() + "?mode=ro", uri=True)) as found,
        ):
            rows = found.execute("SELECT hour, what, number FROM counts").fetchall()
        table = pd.DataFrame(rows, columns=["hour", "what", "number"]).pivot_table("number", "hour", "what")
        table = table.reindex(columns=[*WHAT]).fillna(0.0).sort_index(ascending=False).head(most)
        table.index = pd.to_datetime(table.index * 3600, unit="s", utc=True)
        return table.rename_axis(index="hour", columns=None).reset_index()
