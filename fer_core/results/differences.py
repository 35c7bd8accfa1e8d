"""What tells runs apart: the fields in which their definitions differ, in words."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from fer_core.config.run import FacesConfig, RunConfig
from fer_core.storage.said_of_frames import exclusion_key
from fer_core.storage.store import StoredRun

from .rows import title

#: Fields whose own names say too little.
WORDS = {
    "data.excluded": "frames excluded",
    "data.fingerprint": "data set",
    "faces.choice": "of several faces",
    "faces.detector": "fine-tuned detector",
    "faces.extract": "faces cut out",
    "faces.manual_boxes": "drawn boxes",
    "faces.min_face_size": "smallest face",
    "faces.name": "detection",
    "faces.no_face": "a frame with no face",
    "faces.rescue": "second looks",
    "faces.thresholds": "detection thresholds",
    "faces.turned_down": "second looks turned down",
    "model.unfreeze": "n",
    "protocol.name": "protocol",
    "training.lr": "learning rate",
}
#: What says where things lie, or follows from the fingerprint.
SILENT = ("data.", "model.weights_file")
#: Told apart by columns of their own wherever runs are listed.
COLUMNS = ("data.fingerprint", "protocol.name", "protocol.folds")


def differences(one: RunConfig, other: RunConfig) -> list[tuple[str, str, str]]:
    """Return the fields in which two definitions differ: what it is, its value in the one, in the other."""
    a, b = _fields(one), _fields(other)
    differing = [name for name in dict.fromkeys([*a, *b]) if a.get(name, "–") != b.get(name, "–")]
    return [(_word(name), a.get(name, "–"), b.get(name, "–")) for name in differing]


def names(runs: Iterable[StoredRun]) -> dict[str, str]:
    """Return each run's name by its id: what people call it, else its title and what no other run of that title has."""
    alike: dict[str, list[StoredRun]] = defaultdict(list)
    for run in runs:
        alike[run.name or title(run)].append(run)
    found = {}
    for name, group in alike.items():
        fields = {run.id: _fields(run.config) | _drawn(run) if len(group) > 1 else {} for run in group}
        known = dict.fromkeys(field for own in fields.values() for field in own)
        apart = [
            field
            for field in known
            if field not in COLUMNS and len({own.get(field) for own in fields.values()}) > 1
        ]
        for run in group:
            own = fields[run.id]
            found[run.id] = ", ".join([name, *(f"{_word(field)} {own.get(field, '–')}" for field in apart)])
    return found


def _drawn(run: StoredRun) -> dict[str, str]:
    """Return how many frames of a finished run are cut at drawn boxes, with the start of the boxes' key."""
    faces, cut = run.config.faces, run.summary.get("statuses", {}).get("manual")
    return {"faces.manual_boxes": f"on {cut} frames, {_set(faces)}"} if cut and not faces.name else {}


def _set(faces: FacesConfig) -> str:
    """Return what tells one set of drawn boxes from another."""
    return f"set {faces.manual_boxes[:4]}" if faces.manual_boxes else "none"


def _fields(config: RunConfig) -> dict[str, str]:
    """Return a definition's fields by their dotted names, as texts; detection settings that have a name are that."""
    flat = _flat(config.model_dump(mode="json", exclude={"goal"}), "")
    flat["data.fingerprint"] = config.data.whole.fingerprint
    if left := config.data.excluded:
        flat["data.excluded"] = f"{len(left)} (list {exclusion_key(left)[:4]})"
    flat["faces.manual_boxes"] = _set(config.faces)
    if config.faces.name:
        flat = {name: value for name, value in flat.items() if not name.startswith("faces.")}
        flat["faces.name"] = config.faces.name
    return flat


def _flat(values: Mapping[str, Any], before: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in values.items():
        dotted = f"{before}{name}"
        if isinstance(value, Mapping):
            found |= _flat(value, f"{dotted}.")
        elif dotted == "data.fingerprint" or not dotted.startswith(SILENT):
            found[dotted] = _text(value)
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        value = " ".join(map(_text, value))
    return "none" if value in (None, "") else str(value)[:24]


def _word(field: str) -> str:
    return WORDS.get(field, field.rpartition(".")[2].replace("_", " "))
