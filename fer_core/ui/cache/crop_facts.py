"""What the Faces page says of all crops under one key, worked out once: they never change."""

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pandas as pd

from fer_core.config.run import CLASSES
from fer_core.evaluation.metrics import wilson_intervals
from fer_core.faces.crops import STATUSES, failed
from fer_core.faces.extraction import Crops
from fer_core.faces.rescue import POLICIES
from fer_core.ui.parts.gallery import encode
from fer_core.ui.parts.widgets import interval

#: JPEGs kept of each set of crops.
MOST_JPEGS = 2500


class CropFacts:
    """Counts, choices and shares of some crops, each found at its first use and kept."""

    def __init__(self, crops: Crops) -> None:
        self.crops = crops
        #: A crop as JPEG, by its row in `Crops.images`.
        self.jpeg: Callable[[int], bytes] = lru_cache(MOST_JPEGS)(lambda row: encode(crops.images[row]))

    @cached_property
    def statuses(self) -> dict[str, int]:
        """The number of frames of each status met, in the order of `STATUSES`."""
        found = self.crops.table["status"].value_counts()
        return {status: int(found[status]) for status in STATUSES if status in found}

    @cached_property
    def rescued(self) -> dict[str, int]:
        """The number of frames that each second look found a face in, in the order of `POLICIES`."""
        found = self.crops.table["rescued_by"].value_counts()
        return {name: int(found[name]) for name in POLICIES if name in found}

    @cached_property
    def groups(self) -> list[str]:
        """The movies or persons known by name, sorted."""
        return sorted(set(self.crops.table["group"].unique()) - {""})

    @cached_property
    def splits(self) -> list[str]:
        """The splits, sorted; none where the data set has none."""
        return sorted(self.crops.table["split"].dropna().unique())

    @cached_property
    def largest(self) -> int:
        """The largest face's shorter side in source pixels, rounded up to tens."""
        return int(np.ceil(np.nanmax(np.append(self.crops.sides, 10.0)) / 10.0)) * 10

    @cached_property
    def failed(self) -> pd.DataFrame:
        """The rows of the frames whose crop rests on no trustworthy face."""
        return self.crops.table[failed(self.crops.table)]

    @cached_property
    def failed_names(self) -> list[str]:
        """Their names."""
        return list(self.failed["name"])

    @cached_property
    def names(self) -> list[str]:
        """The names of all frames, sorted."""
        return sorted(self.crops.table["name"])

    @cached_property
    def lost_names(self) -> list[str]:
        """The names of the readable frames with no face at all."""
        return list(self.crops.table["name"][self.crops.table["status"] == "none"])

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.crops.table["name"])}

    def row(self, name: str) -> dict[str, Any] | None:
        """Return a frame's row; None where there is no such frame."""
        place = self._places.get(name)
        if place is None:
            return None
        return {str(column): value for column, value in self.crops.table.iloc[place].to_dict().items()}

    def picture(self, name: str) -> bytes | None:
        """Return a frame's crop as JPEG; None where there is none."""
        row = self.row(name)
        return None if row is None or row["row"] < 0 else self.jpeg(row["row"])

    @cached_property
    def by_class(self) -> pd.DataFrame:
        """What became of the frames: class, status, images."""
        table = self.crops.table
        counts = table.groupby(["label", "status"]).size().reset_index(name="images")
        return counts.assign(**{"class": [CLASSES[label] for label in counts["label"]]})[
            ["class", "status", "images"]
        ].sort_values(["class", "status"], ignore_index=True)

    @cached_property
    def by_group(self) -> pd.DataFrame:
        """The share (%) of frames that failed per movie or person, with its interval, largest first; may be empty."""
        named = self.crops.table[self.crops.table["group"] != ""]
        if named.empty:
            return named
        by_group = failed(named).groupby(named["group"]).agg(["size", "sum"])
        bounds = zip(*wilson_intervals(by_group["sum"], by_group["size"]), strict=True)
        shares = pd.DataFrame(
            {
                "Movie or person": by_group.index,
                "Frames": by_group["size"].to_numpy(),
                "Failed": by_group["sum"].to_numpy(),
                "Share": (100 * by_group["sum"] / by_group["size"]).to_numpy(),
                "95 % interval": [interval(found) for found in bounds],
            }
        )
        return shares.sort_values("Share", ascending=False)
