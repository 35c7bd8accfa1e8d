"""Options that several commands take: the definitions that they fill, and how those are written on a line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter
from pydantic import BeforeValidator, model_validator

from fer_core.config.recipes import FREE, training_config
from fer_core.config.run import (
    RESCUES,
    AugmentationConfig,
    FacesConfig,
    NoFace,
    ProtocolConfig,
    ProtocolName,
    TrainingConfig,
    parse,
)
from fer_core.datasets.open import LAYOUTS
from fer_core.runs.plans.requests import seeds

Json = Annotated[bool, Parameter(help="Print one JSON document on standard output.")]
RunId = Annotated[str, Parameter(name="--run", metavar="ID", help="A run's id, or its first digits.")]
Out = Annotated[Path | None, Parameter(name=["--out", "-o"], metavar="PLACE")]
Detach = Annotated[
    bool, Parameter(help="Leave it to a worker, started unless one lives, and return at once.")
]
Layout = Annotated[str, Parameter(choices=("auto", *LAYOUTS), help="How to read the data set.")]
Table = Annotated[Path | None, Parameter(metavar="FILE", help="A feature table (.xlsx or .csv).")]
Unfreeze = Annotated[str, Parameter(metavar="N[,N]", help="How many of the last blocks train.")]
Weights = Annotated[
    str,
    Parameter(metavar="imagenet|none|FILE", help="ImageNet's, none (random, explicit) or a weights file."),
]
PaperBackbone = Annotated[
    str | None, Parameter(metavar="NAME", help="Default: resnet18 where its weights are here.")
]
Folds = Annotated[int, Parameter(metavar="K")]
Seeds = Annotated[str, Parameter(metavar="S", help="How many seeds (from 0), or a list such as 3,5,8.")]


def only(parameter: str, *fields: str) -> Parameter:
    """Return that of a command's parameter, a definition, only these fields are options, under their names."""
    return Parameter(name="*", parse=f"^({'|'.join((parameter, *fields))})$")


@Parameter(name="*")
@dataclass(frozen=True)
class Source:
    """Which data set, and how it is read.

    Attributes:
        data: demo (generated faces), a folder (SFEW 1, SFEW 2.0 or one folder a class), a .csv with path, label and
            optionally split, group, clip, or a sheet of LPQ and PHOG components (.xlsx, or .csv with --layout table).
        label_codes: how labels written as numbers count.
        group_pattern: a regular expression that finds the movie or person in a file's name where it is not named as
            SFEW's frames are.
    """

    data: str = "demo"
    layout: Layout = "auto"
    label_codes: Literal["0-6", "1-7"] | None = None
    group_pattern: str | None = None


def _names(value: Any) -> Any:
    """Return the names of comma lists; what is no text stays."""
    if not isinstance(value, list):
        return value
    return tuple(name.strip() for name in ",".join(value).split(",") if name.strip())


class FaceOptions(FacesConfig):
    """The options of face extraction; hand-drawn boxes are used by default."""

    extract: Annotated[
        bool,
        Parameter(
            name="--faces",
            negative="--no-faces",
            help="Cut faces out with MTCNN; --no-faces resizes whole frames (the paper's table 3).",
        ),
    ] = True
    no_face: Annotated[
        NoFace,
        Parameter(
            name="--no-face-policy",
            help="A frame with no face: resize it whole (the paper), drop it, or use its hand-drawn box and resize "
            "where there is none.",
        ),
    ] = "manual"
    rescue: Annotated[
        tuple[str, ...],
        BeforeValidator(_names),
        Parameter(
            n_tokens=1,
            metavar="POLICY[,POLICY]",
            show_default=False,
            help=f"Second looks at a frame with no face, tried in order: {', '.join(RESCUES)}.",
        ),
    ] = ()

    def values(self) -> dict[str, Any]:
        """Return the fields to give to `faces_config`."""
        if not self.extract:
            return {"extract": False}
        return {name: getattr(self, name) for name in FACE_FIELDS}


#: The fields of `FacesConfig` that are options.
FACE_FIELDS = ("margin", "choice", "align", "no_face", "rescue", "detector")


def _seeds(value: Any) -> Any:
    """Return the seeds that text stands for; what is no text stays."""
    return seeds(",".join(value)) if isinstance(value, list) else value


class ProtocolOptions(ProtocolConfig):
    """The options of a protocol."""

    name: Annotated[
        ProtocolName,
        Parameter(
            name="--protocol",
            help="How folds are drawn; stratified and reshuffle leak where frames come from films.",
        ),
    ] = "stratified"
    seeds: Annotated[
        tuple[int, ...],
        BeforeValidator(_seeds),
        Parameter(
            n_tokens=1,
            metavar="S",
            show_default=False,
            help="How many seeds (from 0), or a list such as 3,5,8.",
        ),
    ] = (0,)

    def config(self) -> ProtocolConfig:
        """Return the protocol asked for."""
        return parse(ProtocolConfig, dict(self))


def _augmentation(value: Any) -> Any:
    """Return the fields that 'flip,crop=0.15,views=4' stands for; what is no text stays."""
    if not isinstance(value, str):
        return value
    pairs = [part.strip().partition("=") for part in value.split(",") if part.strip()]
    return {name: given if sign else True for name, sign, given in pairs}


class RecipeOptions(TrainingConfig):
    """The fields of a recipe that are given; they are judged together with those of the named recipe."""

    augmentation: Annotated[
        AugmentationConfig,
        BeforeValidator(_augmentation),
        Parameter(
            name="--augment",
            accepts_keys=False,
            metavar="NAME[=X][,...]",
            show_default=False,
            help="flip, crop=0.15, colour=0.2, randaugment=7, erase=0.25, views=8 (views=0: new ones each epoch).",
        ),
    ] = AugmentationConfig()

    @model_validator(mode="after")
    def _parts_fit_together(self) -> RecipeOptions:
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


#: What holds where no such option is given.
DEMO, ALL_FACES, RANDOM_FOLDS, PAPERS = Source(), FaceOptions(), ProtocolOptions(), RecipeOptions()

FACES = Group("Face extraction")
Extraction = Annotated[FaceOptions, only("extraction", *FACE_FIELDS), Parameter(group=FACES)]
ExtractionOrNone = Annotated[FaceOptions, only("extraction", *FACE_FIELDS, "extract"), Parameter(group=FACES)]
Protocol = Annotated[ProtocolOptions, Parameter(name="*", group="Protocol")]
Free = Annotated[RecipeOptions, only("training", *FREE), Parameter(group="In every recipe")]
Training = Annotated[
    RecipeOptions,
    Parameter(
        name="*",
        negative_bool="no-",
        group=Group(
            "Recipe", help="Of a transferred backbone. Of these a bdnn or mlp has epochs (200) and lr (0.03)."
        ),
    ),
]
