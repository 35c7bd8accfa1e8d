"""A stored run as one flat row of figures, as tables show it, and what tells runs apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from fer_core.config.comparators import BdnnConfig, MlpConfig, TableConfig
from fer_core.config.recognition import RecogniserConfig, VoteConfig
from fer_core.config.run import FacesConfig, Model, RunConfig, TrainingConfig, TransferConfig
from fer_core.config.training import described
from fer_core.errors import FerError
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.networks.naming import system
from fer_core.learning.networks.recognisers import RECOGNISERS
from fer_core.storage.said_of_frames import exclusion_key
from fer_core.storage.store import StoredRun

from .shares import accuracy_interval, over, percent

if TYPE_CHECKING:
    import pandas as pd

#: Figures that a run's summary holds and a row shows as they are; None until the run is done.
FIGURES: tuple[str, ...] = (
    "train_accuracy",
    "val_accuracy",
    "val_accuracy_interval",
    "val_accuracy_interval_over",
    "train_loss",
    "val_loss",
    "macro_f1",
    "folds",
    "images",
    "missing_faces",
    "unreadable",
)


def run_row(run: StoredRun, *, cached: bool = False) -> dict[str, Any]:
    """Return a run's definition and figures; shares in 0..1, losses in nats, seconds of work.

    `missing_faces` counts the frames whose whole image was used for want of a face; None where no face was
    looked for. `detector_leak` is the share of held-out images of movies that a fine-tuned detector was trained on,
    None where it was not, or on other data. `optimistic` says that the reported fold took part in the choice of
    the reported epoch.
    """
    config = run.config
    model = config.model
    transfer = model if isinstance(model, TransferConfig) else None
    protocol = PROTOCOLS[config.protocol.name]
    figures = {name: run.summary.get(name) for name in FIGURES}
    if figures["val_accuracy_interval"]:
        figures["val_accuracy_interval_over"] = over(run.summary)
    return {
        "run_id": run.id,
        "status": run.status,
        "cached": cached,
        "data": run.data_name,
        "generated": config.data.generated,
        "system": system(model),
        "model": model.kind,
        "backbone": transfer.backbone if transfer else None,
        "weights": transfer.weights if transfer else None,
        "unfreeze": transfer.unfreeze if transfer else None,
        "faces": config.faces.extract,
        "protocol": protocol.name,
        "leaks": protocol.leaks,
        "detector_leak": run.summary.get("leakage", {}).get("detector"),
        "seeds": list(config.protocol.seeds),
        "epochs": config.epochs if isinstance(model, TransferConfig | BdnnConfig | MlpConfig) else None,
        "recipe": described(config.training) or "paper" if transfer else None,
        "selection": config.training.selection if transfer else None,
        "optimistic": config.trains_backbone and config.training.optimistic,
        **figures,
        "trainable": BACKBONES[transfer.backbone].trainable[transfer.unfreeze]
        if transfer
        else run.summary.get("trainable"),
        "seconds": run.seconds,
        "created": run.created,
        "error": run.error or None,
    }


def done(run: StoredRun) -> StoredRun:
    """Return a run that has ended; raise FerError, with what ended it, unless it is done."""
    if run.status != "done":
        raise FerError(f"run {run.id} must end done", got=run.status, fix=run.error)
    return run


def honest(run: StoredRun) -> bool:
    """Return whether nothing known flatters a finished run: no leaking protocol, choice of epoch or frames."""
    chosen = run.config.trains_backbone and run.config.training.optimistic
    chosen = chosen or bool(run.config.data.excluded)
    return not (PROTOCOLS[run.protocol].leaks or chosen or run.summary["leakage"].get("detector"))


def run_table(runs: Iterable[StoredRun]) -> pd.DataFrame:
    """Return one row a run as `run_row` gives it, with `low` and `high` of the interval and a `title`."""
    rows = []
    for run in runs:
        row = run_row(run)
        low, high = row["val_accuracy_interval"] or (None, None)
        rows.append(row | {"low": low, "high": high, "title": title(run)})
    import pandas as pd  # not where rows alone are wanted: it takes a third of a second

    return pd.DataFrame(rows)


def folds_words(run: StoredRun) -> str:
    """Return how many folds and which seeds a run's figures rest on."""
    if run.protocol == "unseen":
        return "no folds: nothing was trained"
    folds, seeds = run.summary["folds"], run.config.protocol.seeds
    return f"{folds} fold{'s' * (folds > 1)}, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"


def loss_words(run: StoredRun) -> str:
    """Return a run's losses in nats, as far as it has them."""
    named = {"validation": run.summary["val_loss"], "training": run.summary["train_loss"]}
    known = [f"{name} loss {value:.3f}" for name, value in named.items() if value is not None]
    return ", ".join(known) or "no loss: it is fitted at once"


def headline(run: StoredRun) -> list[tuple[str, str, str]]:
    """Return (name, figure, what it rests on) of the figures that stand at the top of a finished run."""
    summary, config = run.summary, run.config
    missing = summary["missing_faces"]
    return [
        (
            "Validation accuracy",
            percent(summary["val_accuracy"]),
            f"95 % interval {accuracy_interval(summary)}",
        ),
        (
            "Training accuracy",
            percent(summary["train_accuracy"]),
            "mean of the folds" if summary["train_accuracy"] is not None else "",
        ),
        ("Macro F1", f"{summary['macro_f1']:.3f}", loss_words(run)),
        (
            "Frames with no face",
            "not looked for" if missing is None else str(missing),
            f"of {summary['images']} images; {summary['unreadable']} unreadable left out",
        ),
        ("Protocol", config.protocol.name, folds_words(run)),
    ]


def pictures(config: RunConfig) -> str:
    """Return which pictures a model was trained on, in words."""
    model, data = config.model, config.data
    own = f"{data.images:,} {'generated faces' if data.generated else f'images of {data.name}'}"
    if isinstance(model, RecogniserConfig):
        return recogniser_pictures(model)
    if isinstance(model, VoteConfig):
        return f"those of its members, {' and '.join(model.names)}: {own} where they were trained here"
    if isinstance(model, TransferConfig) and model.weights != "none":
        row = BACKBONES[model.backbone]
        start = "a file of weights" if model.weights_file else row.weights and row.weights.title
        return f"{start}, then {own}"
    return own


def recogniser_pictures(model: RecogniserConfig) -> str:
    """Return which pictures a recogniser was trained on, in words."""
    if isinstance(model.network, str):
        return RECOGNISERS[model.network]
    return "what its file's source says; FER Lab does not know it"


def title(run: StoredRun) -> str:
    """Return a run's name for people: the model, and what is unlike the default."""
    config = run.config
    model = config.model
    parts = [system(model)]
    if config.epochs != _usual_epochs(type(model)):
        parts.append(f"{config.epochs} epoch{'s' * (config.epochs > 1)}")
    if isinstance(model, TransferConfig):
        if not config.faces.extract:
            parts.append("whole frames")
        if said := described(config.training):
            parts.append(said)
    elif not config.faces.extract and not isinstance(getattr(model, "inputs", None), TableConfig):
        parts.append("whole frames")
    if left := len(config.data.excluded):
        parts.append(f"{left} frame{'s' * (left > 1)} excluded")
    return ", ".join(parts)


@cache
def _usual_epochs(kind: type[Model]) -> int:
    if kind is TransferConfig:
        return TrainingConfig().epochs
    return int(getattr(kind.model_fields.get("epochs"), "default", 1))


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
