"""Fine-tuned detectors as artifacts: how one is asked for, where its weights lie, which there are; knows no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from fer_core.config.run import Config, DataConfig
from fer_core.errors import NotFoundError, StoreError
from fer_core.storage.artifacts import Artifacts

KIND = "detectors"
WEIGHTS = "weights.safetensors"

#: Raised by one when the same settings and data lead to other weights or figures.
VERSION = 1


class FineTuneConfig(Config):
    """How R- and O-Net are fine-tuned.

    Thresholds, IoU limits, loss weights and the share kept by mining are Zhang et al. 2016's where that paper
    gives them; `proposals` are the lowered thresholds at which P- and R-Net make training candidates, and
    `jittered`, `negatives` and `most` bound what one frame gives: boxes shaken about each true one, candidates
    that are no face, and candidates that hold one.
    """

    epochs: int = Field(6, ge=1, le=200)
    seed: int = Field(0, ge=0)
    held_out: float = Field(0.3, gt=0.0, lt=1.0, description="share of the movies that is never trained on")
    lr: float = Field(1e-4, gt=0.0, le=0.1)
    batch_size: int = Field(128, ge=1, le=4096)
    proposals: tuple[float, float] = (0.4, 0.3)
    positive: float = Field(0.65, description="least IoU of a face")
    part: float = Field(0.4, description="least IoU of a part of a face, which only moves boxes")
    negative: float = Field(0.3, description="IoU below which a box is no face")
    hardest: float = Field(0.7, gt=0.0, le=1.0, description="share of the classification losses kept")
    box_weight: float = 0.5
    rnet_landmark_weight: float = 0.5
    onet_landmark_weight: float = 1.0
    jittered: int = Field(16, ge=1, le=1000)
    negatives: int = Field(40, ge=1, le=10_000)
    most: int = Field(40, ge=1, le=10_000)


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned detector that is there.

    Attributes:
        key: what `FacesConfig.detector` names it by.
        data: name of the data set its frames come from; generated: whether that is drawn, not photographed.
        seed, epochs: of its training.
    """

    key: str
    data: str
    generated: bool
    seed: int
    epochs: int

    @property
    def label(self) -> str:
        """What people choose it by: short enough for a list, what tells two apart first."""
        drawn = " (generated)" if self.generated else ""
        epochs = f"{self.epochs} epoch{'s' * (self.epochs > 1)}"
        return f"{self.key[:6]}: {epochs} on {self.data}{drawn}, seed {self.seed}"


def weights_of(artifacts: Artifacts, key: str) -> Path | None:
    """Return the weights file that `MTCNN(weights=...)` takes; None for the key '' (the pretrained nets).

    Raises:
        NotFoundError: there is no such detector here.
    """
    return artifacts.open(KIND, key) / WEIGHTS if key else None


def trained_on(artifacts: Artifacts, key: str, data: DataConfig) -> tuple[str, frozenset[str] | None]:
    """Return the name of the data set that a fine-tuned detector comes from, and the movies it was trained on.

    The movies (or what stands for them: `known_faces.group_of`) are None where that is not `data`, since the names
    of two data sets do not compare.

    Raises:
        NotFoundError: there is no such detector here.
    """
    about = artifacts.read_config(KIND, key)
    same = about["data"]["fingerprint"] == data.fingerprint
    return about["data"]["name"], frozenset(about["training_groups"]) if same else None


def available(artifacts: Artifacts) -> tuple[list[FineTuned], list[str]]:
    """Return the fine-tuned detectors, by key, and the keys of those whose config.json does not say what they are."""
    found, damaged = [], []
    for key in artifacts.keys(KIND):
        try:
            about: dict[str, Any] = artifacts.read_config(KIND, key)
            data, own = about["data"], about["settings"]
            found.append(FineTuned(key, data["name"], data["generated"], own["seed"], own["epochs"]))
        except NotFoundError:  # deleted since the keys were listed
            continue
        except (StoreError, KeyError, TypeError):
            damaged.append(key)
    return found, damaged
