"""What people said of frames, frozen under a key, so that a run keeps it: boxes drawn, second looks turned down."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fer_core.config.run import digest
from fer_core.storage.artifacts import Artifacts

from .crops import Box

BOXES = "boxes.json"


def freeze_boxes(artifacts: Artifacts, drawn: Mapping[str, Box]) -> str:
    """Keep boxes (source pixels, by image name) as an artifact and return its key; '' for no boxes."""
    return _freeze(
        artifacts, [[name, [float(value) for value in box]] for name, box in sorted(drawn.items())]
    )


def freeze_names(artifacts: Artifacts, names: Iterable[str]) -> str:
    """Keep images' names as an artifact beside the boxes and return its key; '' for none."""
    return _freeze(artifacts, sorted(set(names)))


def read_boxes(artifacts: Artifacts, key: str) -> dict[str, Box]:
    """Return frozen boxes by image name; none for the key ''.

    Raises:
        NotFoundError: they are gone.
    """
    return {name: (box[0], box[1], box[2], box[3]) for name, box in _read(artifacts, key)}


def read_names(artifacts: Artifacts, key: str) -> frozenset[str]:
    """Return frozen names; none for the key ''. Raises NotFoundError."""
    return frozenset(_read(artifacts, key))


def _freeze(artifacts: Artifacts, entries: list[Any]) -> str:
    if not entries:
        return ""
    key = digest(entries)

    def build(folder: Path) -> None:
        (folder / BOXES).write_text(json.dumps(entries), encoding="utf-8")

    artifacts.ensure("boxes", key, {"boxes": len(entries)}, build)
    return key


def _read(artifacts: Artifacts, key: str) -> list[Any]:
    return json.loads((artifacts.open("boxes", key) / BOXES).read_text(encoding="utf-8")) if key else []
