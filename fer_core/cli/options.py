"""Options that several commands take: the definitions that they fill, and how those are written on a line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from cyclopts import Group, Parameter
from pydantic import BeforeValidator, model_validator

from fer_core.config.reading import AS_IT_IS, Reading
from fer_core.config.run import (
    AugmentationConfig,
    Choice,
    FacesConfig,
    NoFace,
    ProtocolConfig,
    ProtocolName,
    TrainingConfig,
    TransferConfig,
    parse,
)
from fer_core.config.training import FREE, training_config
from fer_core.datasets.open import LAYOUTS
from fer_core.runs.plans.requests import CHOICE, seeds, transfer_configs, whole_numbers

Json = Annotated[bool, Parameter(help="Print one JSON document on standard output.")]
RunId = Annotated[str, Parameter(name="--run", help="A run's id, or its first digits.")]
Out = Annotated[Path | None, Parameter(name=["--out", "-o"])]
Detach = Annotated[bool, Parameter(help="Leave it to a worker, started unless one lives; return at once.")]
Layout = Annotated[str, Parameter(choices=("auto", *LAYOUTS), help="How to read the data set.")]
#: One text for several values; `help` names it.
Text = Parameter(n_tokens=1, accepts_keys=False, show_default=False)


def only(parameter: str, *fields: str) -> Parameter:
    """Return that of a command's parameter, a definition, only these fields are options, under their names."""
    return Parameter(name="*", parse=f"^({'|'.join((parameter, *fields))})$")


def names(text: str) -> tuple[str, ...]:
    """Return the names of a comma list, in order and once each."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


@Parameter(name="*")
@dataclass(frozen=True)
class Source:
    """Which data set, and how it is read.

    Attributes:
        data: demo (generated faces), a folder (SFEW 1, SFEW 2.0 or one folder a class), a .csv with path, label and
            optionally split, group, clip, or a sheet of LPQ and PHOG components (.xlsx, or .csv with --layout table).
    """

    data: str = "demo"
    layout: Layout = "auto"
    reading: Annotated[Reading, Parameter(name="*", consume_multiple=True)] = AS_IT_IS


@Parameter(name="*")
@dataclass(frozen=True)
class Networks:
    """Transferred backbones.

    Attributes:
        unfreeze: how many of the last blocks train, a run each, such as 1,2,3.
        backbone: its name; several with commas.
        weights: imagenet (the backbone's own pretrained ones), none (random, explicit) or a weights file.
        mean, std: of a weights file: of pixel values scaled to 0..1, one number or three (default: the backbone's).
        channels: of a weights file: the order of the colours, and of mean and std.
    """

    unfreeze: str = "1,2,3"
    backbone: str = "resnet18"
    weights: str = "imagenet"
    mean: str = ""
    std: str = ""
    channels: Literal["rgb", "bgr"] = "rgb"

    def configs(self) -> list[TransferConfig]:
        """Return a definition per backbone and unfreeze setting."""
        numbers = whole_numbers(self.unfreeze, "unfreeze")
        given = {"mean": self.mean, "std": self.std, "channels": self.channels}
        backbones = names(self.backbone)
        return [one for name in backbones for one in transfer_configs(name, self.weights, numbers, **given)]


@Parameter(name="*")
@dataclass(frozen=True)
class PapersNetwork:
    """What stands for the paper's network.

    Attributes:
        backbone: default: resnet18 where its weights are here.
        weights: imagenet, none (random, explicit) or a weights file.
        epochs: of the transferred network.
        folds: of all models.
    """

    backbone: str | None = None
    weights: str = "imagenet"
    epochs: int = 20
    folds: int = 5


class FaceOptions(FacesConfig):
    """The options of face extraction; hand-drawn boxes are used by default.

    Attributes:
        extract: cut faces out with MTCNN; --no-faces resizes whole frames (the paper's table 3).
        no_face: a frame with no face: resize it whole (the paper), drop it, or use its hand-drawn box and resize
            where there is none.
        rescue: second looks at a frame with no face, tried in order, such as stretch,light,rotate,upscale,thresholds.
    """

    extract: Annotated[bool, Parameter(name="--faces", negative="--no-faces")] = True
    choice: Choice = CHOICE
    square: Annotated[bool, Parameter(negative="--no-square")] = False
    no_face: Annotated[NoFace, Parameter(name="--no-face-policy")] = "manual"
    rescue: Annotated[tuple[str, ...], BeforeValidator(lambda given: _read(names, given)), Text] = ()

    def values(self) -> dict[str, Any]:
        """Return the fields to give to `faces_config`."""
        if not self.extract:
            return {"extract": False}
        return {name: getattr(self, name) for name in FACE_FIELDS}

    def given(self) -> dict[str, Any]:
        """Return the fields that were given."""
        return {name: getattr(self, name) for name in self.model_fields_set}


#: The fields of `FacesConfig` that are options.
FACE_FIELDS = ("margin", "choice", "align", "square", "no_face", "rescue", "detector")


class ProtocolOptions(ProtocolConfig):
    """The options of a protocol.

    Attributes:
        name: how folds are drawn; stratified and reshuffle leak where frames come from films.
        seeds: how many seeds (from 0), or a list such as 3,5,8 (default: 1).
    """

    name: Annotated[ProtocolName, Parameter(name="--protocol")] = "stratified"
    seeds: Annotated[tuple[int, ...], BeforeValidator(lambda given: _read(seeds, given)), Text] = (0,)

    def config(self) -> ProtocolConfig:
        """Return the protocol asked for."""
        return parse(ProtocolConfig, dict(self))


class RecipeOptions(TrainingConfig):
    """The fields of a recipe that are given; they are judged together with those of the named recipe.

    Attributes:
        augmentation: flip, crop=0.15, colour=0.2, randaugment=7, erase=0.25, views=8 (views=0: new ones each epoch).
    """

    augmentation: Annotated[
        AugmentationConfig,
        BeforeValidator(lambda given: _read(_augmentation, given)),
        Text,
        Parameter(name="--augment"),
    ] = AugmentationConfig()

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        return self

    def given(self) -> dict[str, Any]:
        """Return the fields that were given."""
        return {name: getattr(self, name) for name in self.model_fields_set}

    def config(self, recipe: str) -> TrainingConfig:
        """Return a named recipe with the fields that were given.

        Raises:
            ConfigError: there is no such recipe, or two fields don't go together.
        """
        return training_config(recipe, **self.given())


def _read(read: Any, given: Any) -> Any:
    """Return what the text of an option stands for; a value that is no text stays."""
    text = given[0] if isinstance(given, list) else given
    return read(text) if isinstance(text, str) else given


def _augmentation(text: str) -> dict[str, Any]:
    """Return the fields that 'flip,crop=0.15,views=4' stands for."""
    pairs = (name.partition("=") for name in names(text))
    return {name: value if sign else True for name, sign, value in pairs}


#: What holds where no such option is given.
DEMO, THREE_SETTINGS, PAPERS_NETWORK = Source(), Networks(), PapersNetwork()
ALL_FACES, RANDOM_FOLDS, PAPERS = FaceOptions(), ProtocolOptions(), RecipeOptions()

FACES = Group("Face extraction")
Extraction = Annotated[FaceOptions, only("extraction", *FACE_FIELDS), Parameter(group=FACES)]
ExtractionOrNone = Annotated[FaceOptions, only("extraction", *FACE_FIELDS, "extract"), Parameter(group=FACES)]
Protocol = Annotated[ProtocolOptions, Parameter(name="*", group="Protocol")]
Free = Annotated[RecipeOptions, only("training", *FREE), Parameter(group="In every recipe")]
RECIPE = Group(
    "Recipe", help="Of a transferred backbone. Of these a bdnn or mlp has epochs (200) and lr (0.03)."
)
Training = Annotated[RecipeOptions, Parameter(name="*", negative_bool="no-", group=RECIPE)]
