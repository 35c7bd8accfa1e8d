"""Detections as people know them: their settings in words, their names and keys, and the runs that rest on them."""

from collections.abc import Iterable
from functools import lru_cache

from fer_core.config.recognition import VoteConfig
from fer_core.config.run import FacesConfig, RunConfig
from fer_core.storage.store import Store, StoredRun

from .requests import CHOICE

#: What the Faces page begins with.
STANDARD = FacesConfig(choice=CHOICE, no_face="manual")

#: How a setting that is unlike the standard is said.
WORDS = {
    "choice": "{} face",
    "thresholds": "thresholds {}",
    "min_face_size": "faces from {} px",
    "factor": "factor {}",
    "size": "crops of {} px",
    "margin": "margin {}",
    "align": "aligned",
    "doubtful_below": "trusted from {}",
    "rescue": "second looks {}",
    "detector": "detector {:.6}",
    "square": "square boxes",
    "turned_down": "some turned down",
}


def described(faces: FacesConfig) -> str:
    """Return in words what is unlike the standard detection; 'standard' for itself."""
    said = []
    for field, words in WORDS.items():
        value = getattr(faces, field)
        if value != getattr(STANDARD, field):
            shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            said.append(words.format(shown.replace("_", " ")) if value else f"no {field.replace('_', ' ')}")
    return " · ".join(said) or "standard"


def free_name(wanted: str, known: Iterable[str]) -> str:
    """Return a name that none of the known ones is, with a number behind it where it must be."""
    taken, name, number = set(known), wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted} {number}"
    return name


@lru_cache(maxsize=1024)  # of thousands of runs few have settings of their own
def detection_key(faces: FacesConfig) -> str:
    """Return the key of a detection: neither drawn boxes nor what becomes of a frame with no face play a part."""
    return faces.model_copy(update={"manual_boxes": "", "no_face": "resize"}).key()


def detections(runs: Iterable[StoredRun]) -> dict[str, FacesConfig]:
    """Return the detections that runs of one data set rest on, by `detection_key`, in their order; names are kept."""
    found: dict[str, FacesConfig] = {}
    for run in runs:
        faces = run.config.faces
        key = detection_key(faces)
        if faces.extract and (key not in found or (faces.name and not found[key].name)):
            found[key] = faces
    return found


def named_detections(store: Store, fingerprint: str) -> dict[str, FacesConfig]:
    """Return the detections of a data set that people have named, by name, the newest first.

    Each is a run with the goal 'faces' whose settings carry the name; asked for again under another, it takes that.
    """
    found: dict[str, FacesConfig] = {}
    for faces in detections(store.runs(goal="faces", data=fingerprint)).values():
        if faces.name:
            found.setdefault(faces.name, faces)
    return found


def resting(runs: Iterable[StoredRun], faces: FacesConfig) -> dict[str, tuple[StoredRun, RunConfig]]:
    """Return the trainings that rest on other faces than these, each with its definition on these.

    These are runs of the same detection with other hand-drawn boxes and, once the detection has a name and so was
    kept on purpose, runs of any other detection.

    Args:
        runs: trainings of one data set, the newest first.

    Returns:
        The newest run for each definition, by that definition's key; votes, which train nothing, are left out.
    """
    found: dict[str, tuple[StoredRun, RunConfig]] = {}
    for run in runs:
        old = run.config
        if old.faces == faces or not old.faces.extract or isinstance(old.model, VoteConfig):
            continue
        if not faces.name and detection_key(old.faces) != detection_key(faces):
            continue
        new = old.model_copy(update={"faces": faces})
        if new.crops_key() != old.crops_key():
            found.setdefault(new.key(), (run, new))
    return found
