"""The crops of a definition as an artifact, made from the nearest crops that there are.

After a change of hand-drawn boxes only the changed frames are cut: the bytes are those of cutting all frames.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fer_core.config.run import RunConfig
from fer_core.datasets.base import Sample
from fer_core.errors import StoreError
from fer_core.storage.artifacts import Artifacts

from .crops import Faces
from .drawn_boxes import read_boxes, read_names
from .extraction import Progress, crop_all


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
