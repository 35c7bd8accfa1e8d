"""From what a person asks for to run definitions: shared by the Train page and the command line."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from fer_core.config.recognition import RecogniserConfig
from fer_core.config.regular_files import opened, require_inside
from fer_core.config.run import (
    Choice,
    DataConfig,
    FacesConfig,
    Model,
    ProtocolConfig,
    RunConfig,
    TrainingConfig,
    TransferConfig,
    digest,
    parse,
)
from fer_core.config.settings import load
from fer_core.datasets.base import Dataset, known_clips
from fer_core.errors import ConfigError, WeightsError
from fer_core.evaluation.protocols import draw
from fer_core.faces.crops_artifact import freeze_boxes
from fer_core.faces.finetuning.finetuned import weights_of
from fer_core.learning.networks.backbones import BACKBONES
from fer_core.learning.networks.backbones import backbone as row_of
from fer_core.learning.networks.recognisers import named
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.store import Store

#: Which of several faces new runs take. The paper's own runs keep the largest, `FacesConfig`'s default.
CHOICE: Choice = "best"


def faces_config(store: Store, artifacts: Artifacts, data: DataConfig, values: dict[str, Any]) -> FacesConfig:
    """Build the face settings from plain values; under the policy 'manual' the drawn boxes are frozen in.

    Where faces are cut and no choice among several is given, it is `CHOICE`.

    Raises:
        ConfigError: a value is out of its range.
        NotFoundError: there is no fine-tuned detector of the key given.
    """
    if values.get("extract", True):
        values = {"choice": CHOICE} | values
        if values.get("no_face") == "manual":
            values["manual_boxes"] = freeze_boxes(artifacts, store.drawn_boxes(data.whole.fingerprint))
    config = parse(FacesConfig, values)
    weights_of(artifacts, config.detector)
    return config


def faces_per_frame(artifacts: Artifacts, key: str) -> dict[str, int]:
    """Return how many faces the detection of a key found in each frame that can be read, by name."""
    if not key:
        return {}
    from fer_core.faces.extraction import read_detections  # with pandas, which an audit does without

    found = read_detections(artifacts.open("detections", key))
    return {name: len(faces) for name, faces in found.items() if faces.reason is None}


def newest_detection(store: Store, artifacts: Artifacts, fingerprint: str) -> str:
    """Return the key of the newest finished detection of a data set that is on this host, '' where there is none."""
    runs = store.runs(data=fingerprint, status=["done"])
    keys = (run.config.detections_key() for run in runs if run.config.faces.extract)
    return next((key for key in keys if artifacts.has("detections", key)), "")


def require_folds(dataset: Dataset, protocol: ProtocolConfig) -> None:
    """Draw the folds of a protocol on all samples, so that one that can't be drawn is reported before faces are cut.

    A run draws them again on the images that can be used: where frames can't be read, or those with no face are
    dropped, that may still fail.

    Raises:
        DataError: as `protocols.draw`.
    """
    samples = dataset.samples
    draw(
        protocol,
        np.array([sample.label for sample in samples], dtype=np.intp),
        [sample.group for sample in samples],
        known_clips((sample.name for sample in samples), (sample.clip for sample in samples)),
        [sample.split for sample in samples],
    )


def weights_values(weights: str) -> dict[str, Any]:
    """Return the fields of `TransferConfig` for 'imagenet', 'fer2013', 'none' or a file's path.

    Raises:
        DataError: the file lies outside the allowed folders.
        WeightsError: the file is not there.
    """
    if weights in ("imagenet", "fer2013", "none"):
        return {"weights": weights}
    path = Path(weights).expanduser()
    require_inside(path, load().data_roots, what="A file of weights")
    if not path.is_file():
        raise WeightsError(
            "weights must be 'imagenet', 'none' or a file",
            got=repr(weights),
            fix="Check the path, or leave it at imagenet",
        )
    facts = path.stat()
    found = _digest(path.absolute(), (facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns))
    return {"weights": f"sha256:{found}", "weights_file": str(path.absolute())}


@lru_cache(32)
def _digest(path: Path, stamp: tuple[int, ...]) -> str:
    """Return the SHA-256 of a file; `stamp` changes when the file does."""
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(32)
def _judged(path: str, sha256: str, backbone: str) -> None:
    """Check, once, that a file holds a backbone's weights. Raises WeightsError."""
    from fer_core.learning.networks.transfer import require_fit  # with torch, which pages do without

    require_fit(backbone, Path(path))


def three_numbers(text: str, what: str) -> tuple[float, ...] | None:
    """Return the three numbers of '0.5' or '0.5,0.4,0.3', one for each channel; None for ''. Raises ConfigError."""
    if not text.strip():
        return None
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if len(found) not in (1, 3):
        raise ConfigError(
            f"{what} must be 1 or 3 numbers with commas", got=repr(text), fix="For example: 0.5,0.5,0.5"
        )
    return found * (3 // len(found))


def whole_numbers(text: str, what: str, *, repeats: bool = False) -> tuple[int, ...]:
    """Return the whole numbers of a comma list such as '1,2,3', in order, without repeats unless they count.

    Raises:
        ConfigError: something else is in it.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts):
        raise ConfigError(
            f"{what} must be whole numbers with commas", got=repr(text), fix="For example: 1,2,3"
        )
    numbers = tuple(int(part) for part in parts)
    return numbers if repeats else tuple(dict.fromkeys(numbers))


def seeds(text: str) -> tuple[int, ...]:
    """Return seeds from 'how many' ('3' is 0, 1, 2) or a list ('3,5,8', '7,' for 7 alone).

    Raises:
        ConfigError: it is neither.
    """
    numbers = whole_numbers(text, "seeds")
    if "," in text:
        return numbers
    return tuple(range(max(numbers[0], 1)))


def settings_of(
    data: DataConfig,
    faces: Iterable[FacesConfig],
    models: Iterable[Model],
    protocol: ProtocolConfig,
    training: TrainingConfig,
) -> list[RunConfig]:
    """Return one definition per model and face setting, in that order.

    Raises:
        ConfigError: recipe and protocol don't go together.
    """
    faces, shared = list(faces), {"data": data, "protocol": protocol, "training": training}
    return [parse(RunConfig, shared | {"faces": face, "model": model}) for model in models for face in faces]


def most_blocks_first(configs: Iterable[RunConfig]) -> list[RunConfig]:
    """Return definitions in the order to queue them: the activations of n = 3 feed n = 2 and n = 1."""
    return sorted(configs, key=lambda config: -getattr(config.model, "unfreeze", 0))


@dataclass(frozen=True)
class Cost:
    """What a run's frozen prefix costs: bytes of activations kept, and images sent through it."""

    stored: int
    passes: int


def prefix_cost(config: RunConfig, images: int) -> Cost:
    """Say beforehand what a transfer run's augmentation, test-time flip and BatchNorm trade: disk for passes.

    K fixed views are stored once and pass the prefix once; live changes store nothing and pass it every epoch
    of every fold and seed, on the (k - 1) / k of the images that are trained on. What other runs have stored
    already is not counted off.
    """
    recipe, protocol = config.training, config.protocol
    width = 4 * BACKBONES[config.transfer.backbone].boundary_values[config.transfer.unfreeze]
    views = 1 + recipe.flip_at_test + (recipe.augmentation.views if recipe.augmentation.active else 0)
    passes = images * views
    whole = recipe.batch_norm == "batch"  # nothing is stored; every epoch runs the network
    if whole or (recipe.augmentation.active and not recipe.augmentation.views):
        share = 1 / 2 if protocol.name == "spi" else (protocol.folds - 1) / protocol.folds
        passes += round(images * share) * protocol.networks * recipe.epochs
    return Cost(0 if whole else images * views * width, passes)


def transfer_configs(
    backbone: str,
    weights: str,
    unfreeze: Sequence[int],
    *,
    mean: str = "",
    std: str = "",
    channels: str = "rgb",
) -> list[TransferConfig]:
    """Return one model definition per unfreeze setting; 'imagenet' stands for the backbone's own pretrained weights.

    Args:
        mean, std, channels: what a file's network was trained with, as `three_numbers` reads it.

    Raises:
        ConfigError, WeightsError: the backbone is unknown, a setting out of range, a file not there or another's.
    """
    row = row_of(backbone)
    values = weights_values(row.pretrained if weights == "imagenet" else weights)
    values |= {"mean": three_numbers(mean, "mean"), "std": three_numbers(std, "std"), "channels": channels}
    found = [parse(TransferConfig, {"backbone": backbone, "unfreeze": n, **values}) for n in unfreeze]
    if file := values.get("weights_file"):
        _judged(file, values["weights"], backbone)
    return found


def sweep_name(configs: Sequence[RunConfig]) -> str:
    """Return the name of a sweep: the same for the same runs, in whatever order they were asked for."""
    return digest(sorted(config.key() for config in configs))


def recogniser_run(
    store: Store,
    artifacts: Artifacts,
    data: DataConfig,
    name: str,
    *,
    faces: Mapping[str, Any] | None = None,
    **settings: Any,
) -> RunConfig:
    """Return the run of a recogniser by name.

    Args:
        faces: fields of `FacesConfig` that are unlike the recogniser's own crop.
        settings: fields of `RecogniserConfig` that are unlike its own.

    Raises:
        NotFoundError: there is no such recogniser, or no such detector.
        ConfigError: a setting is out of range.
    """
    model, cut = named(name, artifacts)
    given = {"no_face": "manual", **(faces or {})}
    values = given if given.get("extract") is False else cut.model_dump(exclude={"manual_boxes"}) | given
    return RunConfig(
        data=data,
        faces=faces_config(store, artifacts, data, values),
        model=parse(RecogniserConfig, model.model_dump() | settings),
        protocol=ProtocolConfig(name="unseen"),
    )
