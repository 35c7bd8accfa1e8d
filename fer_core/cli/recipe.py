"""The options of a training's recipe: declared for a parser, read into a definition."""

from __future__ import annotations

import argparse
from typing import Any

from fer_core.config.recipes import FREE, RECIPES, training_config
from fer_core.config.run import AugmentationConfig, TrainingConfig, parse

#: Options that are fields of `TrainingConfig` by the same name.
FIELDS = (
    *FREE,
    "sampler",
    "schedule",
    "warmup_epochs",
    "weight_decay",
    "label_smoothing",
    "class_weights",
    "rate_factor",
    "thaw_every",
    "mixup",
    "patience",
    "selection",
    "calibrate",
    "inner_share",
    "flip_at_test",
)


def add_free(recipe: argparse._ArgumentGroup) -> None:
    """Declare the options that every recipe leaves free."""
    recipe.add_argument("--epochs", type=int, metavar="E", help="(default: 20; for bdnn and mlp 200)")
    recipe.add_argument("--batch-size", type=int, help="(default: 32)")
    recipe.add_argument("--lr", type=float, help="(default: 0.001; for bdnn and mlp 0.03)")
    recipe.add_argument(
        "--precision",
        choices=["float32", "tf32", "bf16", "auto"],
        help="auto: bf16 where the device has it and it is faster there (default: float32)",
    )


def add_recipe(recipe: argparse._ArgumentGroup) -> None:
    """Declare a recipe's fields; one that is not given is the named recipe's."""
    recipe.add_argument(
        "--recipe", default="paper", choices=list(RECIPES), help="a named recipe, to which the rest adds"
    )
    recipe.add_argument("--sampler", choices=["balanced", "shuffled"], help="(default: balanced)")
    recipe.add_argument("--schedule", choices=["constant", "cosine"], help="of the rate (default: constant)")
    recipe.add_argument("--warmup-epochs", type=int, metavar="E", help="epochs in which the rate rises")
    recipe.add_argument("--weight-decay", type=float, metavar="W", help="above 0: AdamW")
    recipe.add_argument(
        "--label-smoothing", type=float, metavar="S", help="share of a label spread over all classes"
    )
    recipe.add_argument("--class-weights", action=_Flag, help="weighted loss; with --sampler shuffled")
    recipe.add_argument("--rate-factor", type=float, metavar="F", help="a block's rate over the next one's")
    recipe.add_argument("--thaw-every", type=int, metavar="E", help="a block more every E epochs, head first")
    recipe.add_argument("--mixup", type=float, metavar="ALPHA", help="pairs mixed by Beta(ALPHA, ALPHA)")
    recipe.add_argument("--patience", type=int, metavar="E", help="early stopping on an inner split")
    recipe.add_argument(
        "--selection",
        choices=["last", "inner", "best_on_validation"],
        help="the epoch to report; best_on_validation is OPTIMISTIC",
    )
    recipe.add_argument("--calibrate", action=_Flag, help="fit a temperature on an inner split")
    recipe.add_argument("--inner-share", type=float, metavar="S", help="of the training images")
    recipe.add_argument("--flip-at-test", action=_Flag, help="average an image and its mirror image")
    recipe.add_argument(
        "--augment",
        metavar="NAME[=X][,...]",
        help="flip, crop=0.15, colour=0.2, randaugment=7, erase=0.25, views=8 (views=0: anew each epoch)",
    )


class _Flag(argparse.BooleanOptionalAction):
    """--name and --no-name, with None for neither, so that a named recipe's own value stands."""

    def __init__(self, option_strings: list[str], dest: str, **kwargs: Any) -> None:
        kwargs.setdefault("default", None)
        super().__init__(option_strings, dest, **kwargs)


def recipe_of(options: argparse.Namespace, name: str) -> TrainingConfig:
    """Return the named recipe with the options given.

    Raises:
        ConfigError: a value is out of its range, or two don't go together.
    """
    given = {field: getattr(options, field, None) for field in FIELDS}
    fields = {field: value for field, value in given.items() if value is not None}
    if text := getattr(options, "augment", None):
        fields["augmentation"] = augmentation_of(text)
    return training_config(name, **fields)


def augmentation_of(text: str) -> AugmentationConfig:
    """Return the augmentation that 'flip,crop=0.15,views=4' stands for.

    Raises:
        ConfigError: a name or value is wrong.
    """
    pairs = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    return parse(AugmentationConfig, {name: value if sign else True for name, sign, value in pairs})
