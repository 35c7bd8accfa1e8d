"""The crops of a definition as an artifact, made from the nearest crops that there are; and what people said of frames.

After a change of hand-drawn boxes only the changed frames are cut: the bytes are those of cutting all frames. The
boxes, and second looks turned down, are frozen under a key, so that a run keeps them.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_core.config.run import RunConfig, digest
from fer_core.datasets.base import Sample
from fer_core.errors import StoreError
from fer_core.storage.artifacts import Artifacts

from .crops import Box, Faces
from .extraction import Progress, crop_all

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


def ensure_crops(
    config: RunConfig,
    samples: Sequence[Sample],
    artifacts: Artifacts,
    detections: Callable[[], Mapping[str, Faces]],
    *,
    progress: Progress | None = None,
    waiting: Callable[[], None] | None = None,
) -> Path:
    """Return the folder of a definition's crops, cut now unless they are there.

    A cutting that was interrupted continues after its last frame.

    Args:
        detections: gives `read_detections` of the definition, called only when frames are cut with `extract` on.
        progress: called with (frames done, frames in all) of those to cut.
        waiting: as in `Artifacts.ensure`.
    """
    faces = config.faces

    def build(folder: Path) -> None:
        source, changed = nearest(artifacts, config) or (None, set[str]())
        crop_all(
            samples,
            detections() if faces.extract else None,
            faces,
            folder,
            drawn=read_boxes(artifacts, faces.manual_boxes),
            turned_down=read_names(artifacts, faces.turned_down),
            source=source,
            changed=changed,
            progress=progress,
        )

    described = {"faces": faces.hashed(), "data": config.data.hashed()}
    return artifacts.ensure("crops", config.crops_key(), described, build, resume=True, waiting=waiting)


def nearest(artifacts: Artifacts, config: RunConfig) -> tuple[Path, set[str]] | None:
    """Return the crops that differ from a definition's in the fewest hand-drawn boxes, and in which frames.

    None when no crops were made with these settings, or when hand-drawn boxes play no part in them.
    """
    faces = config.faces
    if not faces.extract or faces.no_face != "manual":
        return None
    wanted = read_boxes(artifacts, faces.manual_boxes)
    found: list[tuple[int, str, set[str]]] = []
    for key in artifacts.keys("crops"):
        try:
            other = artifacts.read_config("crops", key)
            boxes = other.get("faces", {}).get("manual_boxes")
            same = faces.model_copy(update={"manual_boxes": boxes or ""}).hashed()
            if boxes is None or other != {"faces": same, "data": config.data.hashed()}:
                continue
            before = read_boxes(artifacts, boxes)
        except StoreError:  # deleted at this moment, or damaged
            continue
        changed = {name for name in {*wanted, *before} if wanted.get(name) != before.get(name)}
        found.append((len(changed), key, changed))
    _, key, changed = min(found, default=(0, "", set()), key=lambda one: one[0])
    return (artifacts.open("crops", key), changed) if key and artifacts.has("crops", key) else None
