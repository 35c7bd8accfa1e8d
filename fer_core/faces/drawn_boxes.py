"""Hand-drawn boxes frozen under a key, so that a run keeps the boxes it was submitted with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from fer_core.config.run import digest
from fer_core.storage.artifacts import Artifacts

from .crops import Box

BOXES = "boxes.json"


def freeze_boxes(artifacts: Artifacts, drawn: Mapping[str, Box]) -> str:
    """Keep boxes (source pixels, by image name) as an artifact and return its key; '' for no boxes."""
    if not drawn:
        return ""
    entries = [[name, [float(value) for value in box]] for name, box in sorted(drawn.items())]
    key = digest(entries)

    def build(folder: Path) -> None:
        (folder / BOXES).write_text(json.dumps(entries), encoding="utf-8")

    artifacts.ensure("boxes", key, {"boxes": len(entries)}, build)
    return key


def read_boxes(artifacts: Artifacts, key: str) -> dict[str, Box]:
    """Return frozen boxes by image name; none for the key ''.

    Raises:
        NotFoundError: they are gone.
    """
    if not key:
        return {}
    entries = json.loads((artifacts.open("boxes", key) / BOXES).read_text(encoding="utf-8"))
    return {name: (box[0], box[1], box[2], box[3]) for name, box in entries}
