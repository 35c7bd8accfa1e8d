"""WHAT a run is: frozen, validated, hashable. Where it runs is `settings`, and is never hashed.

Keys are chained: data fingerprint -> crops -> activations -> run. Each key hashes its step's settings, its
parent's key and the versions of the steps (`base.step`), so that a change of any of them asks for new
artifacts and nothing else does. Fields marked `where` (paths, names for people) stay out of every key.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeInt, model_validator

from fer_core.errors import ConfigError

from .base import CLASSES, KEY_LENGTH, STEP_VERSIONS, Config, chained, digest, later, parse, step, where  # noqa: F401
from .comparators import BdnnConfig, MlpConfig, SvmConfig, TableConfig
from .reading import AS_IT_IS, Reading
from .recognition import RecogniserConfig, VoteConfig
from .training import AugmentationConfig, TrainingConfig  # noqa: F401

#: Second looks at a frame with no face (`faces.rescue.POLICIES`).
RESCUES: tuple[str, ...] = ("stretch", "light", "upscale", "rotate", "thresholds")

Threshold = Annotated[float, Field(gt=0.0, lt=1.0)]


#: What becomes of a frame with no face.
NoFace = Literal["resize", "drop", "manual"]

#: Which of several faces a frame is cut at; 'best' is the largest by what is seen of it, sure ones first.
Choice = Literal["largest", "best", "most_probable", "central"]

#: Of the three channels, one each.
ThreeNumbers = tuple[float, float, float]

ProtocolName = Literal["stratified", "group", "clip", "spi", "reshuffle", "fixed", "unseen"]


class DataConfig(Config):
    """A data set as a run sees it: its fingerprint decides, its path and name only help people find it.

    `fingerprint` is `Dataset.fingerprint()`: a hash over names, labels, splits, groups and file contents. Where frames
    are excluded (`reading.exclude`), `of` is that of all frames, by which runs are listed.
    """

    fingerprint: str = Field(pattern=r"^[0-9a-f]{16}$")
    source: str = where("demo", description="'demo', or the path that was given")
    layout: str = where("auto")
    reading: Reading = where(AS_IT_IS, description="what was declared of labels, groups, columns")
    name: str = where("")
    images: int = where(0, ge=0)
    generated: bool = where(False, description="drawn by this project, not photographed")
    of: str = where("", pattern=r"^([0-9a-f]{16})?$", description="fingerprint with the excluded frames")

    @model_validator(mode="before")
    @classmethod
    def _older_words(cls, values: Any) -> Any:
        """Read definitions that were stored while numbers could be counted in this project's order alone."""
        if not isinstance(values, dict) or not {"label_codes", "group_pattern"} & values.keys():
            return values
        maps = {"0-6": "ours", "1-7": "sfew", None: None}
        codes, pattern = values.get("label_codes"), values.get("group_pattern")
        kept = {name: value for name, value in values.items() if name not in ("label_codes", "group_pattern")}
        return {"reading": {"label_map": maps.get(codes, codes), "group_pattern": pattern}} | kept

    @property
    def excluded(self) -> tuple[str, ...]:
        """The names of the frames that are left out, sorted."""
        return self.reading.exclude or ()

    @property
    def whole(self) -> Self:
        """The data set with the frames that are excluded here: itself where there are none."""
        reading = self.reading.model_copy(update={"exclude": None})
        images = self.images + len(self.excluded)
        whole = {"fingerprint": self.of or self.fingerprint, "of": "", "images": images, "reading": reading}
        return self.model_copy(update=whole)


class FacesConfig(Config):
    """How a frame becomes the network's input: detection, choice among faces, crop and no-face policy.

    With `extract` off every frame is resized whole to `size` (the paper's table 3, right column) and the
    other fields play no part. Thresholds, `min_face_size` (pixels) and `factor` are MTCNN's (Zhang et al.
    2016) with facenet-pytorch's defaults; `margin` is in pixels of the crop, as there. A frame with no face
    is resized whole (the paper, section 2.3), dropped, or, with 'manual', cut at its hand-drawn box and
    resized whole where none was drawn; under 'manual' a drawn box also wins over a detected one. `detector`
    names R- and O-Net fine-tuned by this project (`faces.finetuned`); '' is facenet-pytorch's. `name` is what
    people call the detection, `turned_down` the frames whose second look they did not believe. With `square` the
    box is made as wide as it is high and kept so: faces keep their shape, and what lies outside the frame repeats
    its edge.
    """

    extract: bool = True
    thresholds: tuple[Threshold, Threshold, Threshold] = (0.6, 0.7, 0.7)
    min_face_size: int = Field(20, ge=12, le=1000)
    factor: float = Field(0.709, ge=0.3, le=0.95)
    size: int = Field(160, ge=32, le=512)
    margin: int = Field(0, ge=0, le=128, description="pixels of the crop around the face")
    choice: Choice = "largest"
    align: bool = Field(False, description="turn and scale faces by their landmarks")
    doubtful_below: float = Field(0.9, ge=0.0, le=1.0)
    no_face: NoFace = "resize"
    manual_boxes: str = Field("", pattern=r"^([0-9a-f]{16})?$", description="key of the hand-drawn boxes")
    rescue: tuple[str, ...] = Field((), description="second looks at a frame with no face, in order")
    detector: str = later("", pattern=r"^([0-9a-f]{16})?$", description="key of a fine-tuned detector")
    square: bool = later(False, description="make the box square")
    turned_down: str = later("", pattern=r"^([0-9a-f]{16})?$", description="key of the frames not won back")
    name: str = where("", max_length=60)

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if self.margin >= self.size:
            raise ValueError("margin must be smaller than the crop's size")
        if self.manual_boxes and self.no_face != "manual":
            raise ValueError("manual_boxes goes with no_face = 'manual'")
        if len(set(self.rescue)) != len(self.rescue) or not set(self.rescue) <= set(RESCUES):
            raise ValueError(f"rescue must hold different names among {', '.join(RESCUES)}")
        return self

    @property
    def cut(self) -> dict[str, Any]:
        """How a face that was found is cut: what networks must find alike."""
        return self.model_dump(include={"extract", "size", "margin", "align", "square"})

    def hashed(self) -> dict[str, Any]:
        """Return what decides the crops; without extraction only the size does."""
        if not self.extract:
            return {"extract": False, "size": self.size}
        fields = super().hashed()
        if self.no_face == "manual" and not self.manual_boxes:
            fields["no_face"] = "resize"
        if not self.rescue:
            fields.pop("rescue")
        return fields


class TransferConfig(Config):
    """A pretrained backbone whose last `unfreeze` blocks train (paper, section 2.2).

    `weights` is 'imagenet' (the backbone's own), 'fer2013' (mini-Xception's), 'none' (random, explicit) or
    'sha256:<64 hex digits>' of a file, whose place is `weights_file`. What n = 1, 2, 3 unfreeze is the backbone's row
    in `models.backbones`. `mean` and `std`, of pixel values in 0..1 and in the order of `channels`, are what the file's
    network was trained with; None is the row's.
    """

    kind: Literal["transfer"] = "transfer"
    backbone: str = "resnet18"
    weights: str = Field("imagenet", pattern=r"^(imagenet|fer2013|none|sha256:[0-9a-f]{64})$")
    weights_file: str | None = where(None)
    unfreeze: int = Field(1, ge=1, le=3)
    mean: ThreeNumbers | None = later(None)
    std: ThreeNumbers | None = later(None)
    channels: Literal["rgb", "bgr"] = later("rgb")

    @model_validator(mode="after")
    def _pixels_are_a_files(self) -> Self:
        declared = self.mean or self.std or self.channels != "rgb"
        if declared and not self.weights.startswith("sha256:"):
            raise ValueError(
                "mean, std and channels are declared of a file of weights; all others have their own"
            )
        if self.std and min(self.std) <= 0:
            raise ValueError("std must be above 0")
        return self

    def network(self) -> dict[str, Any]:
        """Return what decides the network before it is trained: backbone, weights and what is declared of them."""
        return {name: value for name, value in self.hashed().items() if name not in ("kind", "unfreeze")}


class ProtocolConfig(Config):
    """How folds are drawn; the names and which of them leak are `protocols.PROTOCOLS`."""

    name: ProtocolName = "stratified"
    folds: int = Field(5, ge=2, le=100)
    seeds: tuple[NonNegativeInt, ...] = Field((0,), min_length=1, max_length=100)

    @model_validator(mode="after")
    def _seeds_differ(self) -> Self:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds must differ")
        return self

    def hashed(self) -> dict[str, Any]:
        """Return what decides the folds; k plays no part where the data set fixes the split or nothing is trained."""
        fields = super().hashed()
        if not self.has_k:
            fields.pop("folds")
        return fields

    @property
    def has_k(self) -> bool:
        """Whether the number of folds plays a part."""
        return self.name not in ("spi", "fixed", "unseen")

    @property
    def networks(self) -> int:
        """How many are trained: one a fold and seed; the reshuffle and a given split have one a seed, SPI two."""
        of_a_seed = {"reshuffle": 1, "fixed": 1, "unseen": 1, "spi": 2}
        return of_a_seed.get(self.name, self.folds) * len(self.seeds)


#: What answers; `kind` tells them apart. All but the last two are trained here.
Model = Annotated[
    TransferConfig | SvmConfig | BdnnConfig | MlpConfig | RecogniserConfig | VoteConfig,
    Field(discriminator="kind"),
]


class RunConfig(Config):
    """One run: a data set, how faces are cut, a model, a protocol and a recipe. Its key is the run's id.

    With the goal 'faces' a run ends once the crops are there, and the fields after `faces` play no part.
    `training` is the recipe of a transfer run; the other models carry their settings.
    """

    goal: Literal["train", "faces"] = "train"
    data: DataConfig
    faces: FacesConfig = FacesConfig()
    model: Model = TransferConfig()
    protocol: ProtocolConfig = ProtocolConfig()
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _inner_split_has_a_training_part(self) -> Self:
        if self.trains_backbone and self.training.inner and self.protocol.name == "reshuffle":
            raise ValueError(
                "the per-epoch reshuffle trains on every image in turn, so it has no inner split: leave out early "
                "stopping, selection 'inner' and the temperature, or choose another protocol"
            )
        return self

    @model_validator(mode="after")
    def _only_what_is_trained_has_folds(self) -> Self:
        recogniser, unseen = isinstance(self.model, RecogniserConfig), self.protocol.name == "unseen"
        if (
            self.goal == "train"
            and (recogniser != unseen)
            and not (unseen and isinstance(self.model, VoteConfig))
        ):
            raise ValueError(
                "a recogniser goes with the protocol 'unseen', and what is trained with any other"
            )
        return self

    @property
    def trains_backbone(self) -> bool:
        """Whether this is a transfer run that trains, to which the recipe applies."""
        return self.goal == "train" and isinstance(self.model, TransferConfig)

    @property
    def answers(self) -> bool:
        """Whether this run's model may answer on new images; a vote's members have their say."""
        return self.trains_backbone or isinstance(self.model, RecogniserConfig | VoteConfig)

    @property
    def transfer(self) -> TransferConfig:
        """The model of a transfer run. Raises ConfigError for any other."""
        if not isinstance(self.model, TransferConfig):
            raise ConfigError("the model must be a transferred backbone", got=self.model.kind)
        return self.model

    @property
    def epochs(self) -> int:
        """Epochs that the run trains; 1 for a model that is fitted at once or not at all."""
        if isinstance(self.model, TransferConfig):
            return self.training.epochs
        return self.model.epochs if isinstance(self.model, BdnnConfig | MlpConfig) else 1

    def crops_key(self) -> str:
        """Return the key of the crops: data fingerprint and all face settings."""
        before = ["detections"] if self.faces.extract else []
        return chained("crops", self.data.key(), self.faces.hashed(), *before)

    def detections_key(self) -> str:
        """Return the key of what is found: data fingerprint, thresholds, pyramid, second looks, detector."""
        looked_for: list[Any] = [list(self.faces.thresholds), self.faces.min_face_size, self.faces.factor]
        if self.faces.rescue:
            looked_for.append(list(self.faces.rescue))
        if self.faces.detector:
            looked_for.append({"detector": self.faces.detector})
        return chained("detections", self.data.key(), looked_for)

    def activations_key(self, block: str, view: dict[str, Any] | None = None) -> str:
        """Return the key of the activations that enter `block`: crops, backbone, weights and, if any, view.

        `view` is what was done to the crops (`features.views`); None for the crops as they are.
        """
        chain = self.transfer.network() | {"block": block}
        return chained("activations", self.crops_key(), chain if view is None else chain | {"view": view})

    def key(self) -> str:
        """Return the run's id: the crops' key and, unless they are the goal, model, protocol and recipe."""
        if self.goal == "faces":
            return digest({"step": ["faces", STEP_VERSIONS["crops"]], "parent": self.crops_key()})
        if isinstance(self.model, TransferConfig):
            before = ["activations"]
        else:
            inputs = getattr(self.model, "inputs", None)
            before = [] if inputs is None or isinstance(inputs, TableConfig) else ["descriptors"]
        parts: dict[str, Any] = {
            "step": step("run", *before),
            "parent": self.crops_key(),
            "model": self.model.hashed(),
            "protocol": self.protocol.hashed(),
        }
        if isinstance(self.model, TransferConfig):
            parts["training"] = self.training.hashed()
        return digest(parts)
