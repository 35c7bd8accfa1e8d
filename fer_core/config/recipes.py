"""Recipes by name: the paper's, and one for each thing a user may add to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fer_core.errors import ConfigError

from .base import parse
from .training import AugmentationConfig, TrainingConfig


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
