"""The recipe of a transfer run: the paper's by default, what a user can add to it, and recipes by name.

Every field beyond the paper's five is declared `later`: left at its default it changes neither the training
nor the run's key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from fer_core.errors import ConfigError

from .base import Config, later, parse


class AugmentationConfig(Config):
    """What training does to its crops; evaluation sees them as they are (`transforms.augment`, torchvision).

    With `views` K > 0 each crop is changed in K ways fixed by their number, whose activations are computed
    once and shared by all folds, epochs, seeds and settings; an epoch draws one of the K for each image. With 0 it
    is changed again each time it is read, and the whole network runs each time.
    """

    views: int = Field(8, ge=0, le=64)
    flip: bool = Field(False, description="mirrored with probability 1/2")
    crop: float = Field(0.0, ge=0.0, le=0.5, description="largest share of the side that is cut away")
    colour: float = Field(0.0, ge=0.0, le=1.0, description="jitter of brightness, contrast, saturation")
    randaugment: int = Field(0, ge=0, le=30, description="magnitude of two random operations; 0 is none")
    erase: float = Field(0.0, ge=0.0, le=1.0, description="probability of blanking a rectangle")

    @property
    def active(self) -> bool:
        """Whether anything is done to a crop."""
        return bool(self.operations())

    def operations(self) -> dict[str, Any]:
        """Return the fields that change pixels and are not off."""
        return {name: value for name, value in self if name != "views" and value}

    def hashed(self) -> dict[str, Any]:
        """Return what decides the views; their number plays no part where nothing is done."""
        operations = self.operations()
        return {"views": self.views, **operations} if operations else {}


class TrainingConfig(Config):
    """The epoch loop: the paper's 20 epochs of Adam on cross-entropy, classes drawn evenly, and more.

    The paper states neither batch size nor learning rate; 32 and 0.001 are Adam's and the field's defaults.

    Attributes:
        precision: 'auto' is bf16 where the device has it and it is faster there (`precision.resolve`); 'tf32'
            lets a GPU round the factors of float32 products.
        schedule: 'cosine' falls from `lr` along half a cosine, after `warmup_epochs` that rise evenly; one
            rate an epoch (`recipe.rate`).
        warmup_epochs: epochs in which the rate rises.
        weight_decay: above 0 the optimiser is AdamW (Loshchilov and Hutter 2019).
        label_smoothing: share of a label that is spread over all classes.
        batch_norm: in frozen blocks; 'frozen' keeps the pretraining's statistics, 'batch' takes each batch's and
            their running means, as a network put into train mode whole does. These differ by fold and epoch, so
            that nothing of the network is computed once for all.
        class_weights: losses weighted by images / (classes * images of the class), in the training part.
        rate_factor: a block's rate is the next block's (towards the head) times this; 1 trains all alike.
        thaw_every: above 0 the head trains alone for so many epochs, then one more block joins each time
            (Howard and Ruder 2018); a block that waits is in eval mode.
        mixup: alpha of Beta(alpha, alpha); pairs within a batch are mixed at the boundary of the frozen prefix
            (manifold mixup, Verma et al. 2019), so that no held-out image is ever mixed in.
        patience: above 0 a fold stops after so many epochs without a lower loss on the inner split.
        selection: which epoch's network is reported: the last, the one with the lowest loss on the inner
            split, or, optimistic, the one with the best accuracy on the very fold that is reported.
        calibrate: fit a temperature on the inner split.
        inner_share: part of the training images held out as the inner split, where one is needed.
        flip_at_test: average the probabilities of an image and its mirror image.
    """

    epochs: int = Field(20, ge=1, le=10_000)
    batch_size: int = Field(32, ge=2, le=4096)
    lr: float = Field(1e-3, gt=0.0, le=10.0)
    sampler: Literal["balanced", "shuffled"] = "balanced"
    precision: Literal["float32", "tf32", "bf16", "auto"] = "float32"
    schedule: Literal["constant", "cosine"] = later("constant")
    warmup_epochs: int = later(0, ge=0, le=1000)
    weight_decay: float = later(0.0, ge=0.0, le=1.0)
    label_smoothing: float = later(0.0, ge=0.0, lt=1.0)
    batch_norm: Literal["frozen", "batch"] = later("frozen")
    class_weights: bool = later(False)
    rate_factor: float = later(1.0, gt=0.0, le=1.0)
    thaw_every: int = later(0, ge=0, le=1000)
    augmentation: AugmentationConfig = later(AugmentationConfig())
    mixup: float = later(0.0, ge=0.0, le=10.0)
    patience: int = later(0, ge=0, le=1000)
    selection: Literal["last", "inner", "best_on_validation"] = later("last")
    calibrate: bool = later(False)
    inner_share: float = later(0.2, ge=0.05, le=0.5)
    flip_at_test: bool = later(False)

    @property
    def inner(self) -> bool:
        """Whether a part of the training images is held out of training, to decide by."""
        return self.patience > 0 or self.selection == "inner" or self.calibrate

    @property
    def optimistic(self) -> bool:
        """Whether the reported fold took part in the choice of the epoch that is reported."""
        return self.selection == "best_on_validation"

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if self.warmup_epochs >= self.epochs:
            raise ValueError("warmup_epochs must be fewer than epochs")
        if self.class_weights and self.sampler == "balanced":
            raise ValueError(
                "class_weights goes with sampler = 'shuffled': classes drawn evenly need no weights"
            )
        return self

    def hashed(self) -> dict[str, Any]:
        """Return what decides the training; an inner split's size plays no part where there is none."""
        fields = super().hashed()
        if not self.inner:
            fields.pop("inner_share", None)
        if not self.augmentation.active:
            fields.pop("augmentation", None)
        return fields


@dataclass(frozen=True)
class Recipe:
    """A name for some fields of `TrainingConfig`; the other fields stay as they were.

    `why` says in a sentence what it is for.
    """

    name: str
    title: str
    why: str
    fields: Mapping[str, Any]


_PIXELS = {"flip": True, "crop": 0.15, "colour": 0.2, "erase": 0.25}

#: Every recipe by name, in the order a form shows them. A new one is a row here.
RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("paper", "The paper's", "Adam at one rate, classes drawn evenly, the last epoch.", {}),
        Recipe(
            "cosine",
            "Cosine with warm-up",
            "The rate rises for two epochs, then falls to nearly nothing, so that the last epoch is a calm one.",
            {"schedule": "cosine", "warmup_epochs": 2},
        ),
        Recipe(
            "adamw",
            "AdamW with cosine",
            "Weights shrink a little each step, against overfitting.",
            {"schedule": "cosine", "warmup_epochs": 2, "weight_decay": 0.05},
        ),
        Recipe(
            "smooth",
            "Label smoothing",
            "A tenth of each label is spread over all classes, against certainty.",
            {"label_smoothing": 0.1},
        ),
        Recipe(
            "weighted",
            "Class weights",
            "Every image once an epoch, rare classes weighted up, instead of drawing them more often.",
            {"sampler": "shuffled", "class_weights": True},
        ),
        Recipe(
            "discriminative",
            "Slower early blocks",
            "Each block at a third of the next one's rate, since early blocks need to change least.",
            {"schedule": "cosine", "warmup_epochs": 2, "rate_factor": 0.33},
        ),
        Recipe(
            "gradual",
            "Gradual unfreezing",
            "The head alone for three epochs, then a block more every three, each slower than the next.",
            {"schedule": "cosine", "rate_factor": 0.33, "thaw_every": 3},
        ),
        Recipe(
            "stopped",
            "Early stopping",
            "Ends when an inner split's loss has not fallen for five epochs and reports its best epoch.",
            {"patience": 5, "selection": "inner"},
        ),
        Recipe(
            "augmented",
            "Augmentation",
            "Eight views of each face: mirrored, cropped, recoloured, partly blanked.",
            {"augmentation": {"views": 8, **_PIXELS}},
        ),
        Recipe(
            "randaugment",
            "RandAugment",
            "Eight views of each face: mirrored and changed by two random operations.",
            {"augmentation": {"views": 8, "flip": True, "randaugment": 7}},
        ),
        Recipe(
            "mixup",
            "Mixup",
            "Pairs of images are mixed at the boundary of the frozen prefix.",
            {"mixup": 0.2},
        ),
        Recipe(
            "flipped",
            "Test-time flip",
            "The answer is the mean of those to a face and its mirror image.",
            {"flip_at_test": True},
        ),
        Recipe(
            "calibrated",
            "Calibrated",
            "A temperature fitted on an inner split makes probabilities mean what they say.",
            {"calibrate": True},
        ),
        Recipe(
            "batchnorm",
            "BatchNorm in train mode",
            "Frozen blocks normalise by each batch, not by the pretraining's statistics; every epoch runs the network.",
            {"batch_norm": "batch"},
        ),
        Recipe(
            "strong",
            "All together",
            "AdamW, cosine, smoothing, slower early blocks, augmentation, mixup and test-time flip.",
            {
                "schedule": "cosine",
                "warmup_epochs": 2,
                "weight_decay": 0.05,
                "label_smoothing": 0.1,
                "rate_factor": 0.33,
                "augmentation": {"views": 8, **_PIXELS},
                "mixup": 0.2,
                "flip_at_test": True,
            },
        ),
    )
}


#: Fields that a recipe leaves free.
FREE: tuple[str, ...] = ("epochs", "batch_size", "lr", "precision")


def training_config(name: str, **fields: Any) -> TrainingConfig:
    """Return a named recipe with some fields given; a given field wins over the recipe's.

    Raises:
        ConfigError: no recipe has this name, or a field is out of range.
    """
    if name not in RECIPES:
        raise ConfigError(f"recipe must be one of {', '.join(RECIPES)}", got=repr(name))
    recipe = dict(RECIPES[name].fields)
    if "epochs" in fields and "warmup_epochs" in recipe:
        recipe["warmup_epochs"] = min(recipe["warmup_epochs"], fields["epochs"] - 1)
    return parse(TrainingConfig, recipe | fields)


@lru_cache(maxsize=1024)
def recipe_name(config: TrainingConfig) -> str:
    """Return the recipe that a training follows, '' for none; epochs, batch, rate and precision are free."""
    free = config.model_dump(include=set(FREE))
    for name in RECIPES:
        if training_config(name, **free).hashed() == config.hashed():
            return name
    return ""


SELECTIONS: Mapping[str, str] = {
    "last": "last epoch",
    "inner": "best epoch on an inner split",
    "best_on_validation": "best epoch on validation (optimistic)",
}


@lru_cache(maxsize=1024)
def described(config: TrainingConfig) -> str:
    """Return in words what a training has beyond the paper's loop; '' for that itself.

    An optimistic choice of the epoch is always named so.
    """
    name = recipe_name(config)
    if name:
        return "" if name == "paper" else RECIPES[name].title
    plain, said = TrainingConfig(), []
    for field, value in config:
        if field in FREE or field in ("inner_share", "selection") or value == getattr(plain, field):
            continue
        if isinstance(value, AugmentationConfig):
            if not value.active:
                continue
            value = f"{', '.join(value.operations())} in {value.views or 'fresh'} views"
        words = field.replace("_", " ")
        said.append(words if value is True else f"{words} {value}")
    if config.selection != "last":
        said.append(SELECTIONS[config.selection])
    return ", ".join(said)
