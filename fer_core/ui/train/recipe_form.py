"""The recipe on the Train page: a named one or one's own, and what augmentation costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fer_core.config.recipes import RECIPES, SELECTIONS, described, training_config
from fer_core.config.run import RunConfig, TrainingConfig
from fer_core.config.sizes import size_text
from fer_core.runs.plans.requests import Cost, prefix_cost
from fer_core.ui.parts.url import SWITCH, in_range, linked

OWN = "own"
SAMPLERS = ("balanced", "shuffled")
SCHEDULES = ("constant", "cosine")
PRECISIONS = ["float32", "bf16", "tf32", "auto"]


def recipes(place: DeltaGenerator, **free: Any) -> list[TrainingConfig]:
    """Draw the popover and return the trainings it stands for: the recipe, and any others of a sweep.

    Args:
        free: epochs, batch_size and lr, which every recipe leaves free.

    Raises:
        ConfigError: two choices don't go together.
    """
    with place.popover("Recipe", icon=":material/tune:", width="stretch"):
        names = [*RECIPES, OWN]
        name = st.selectbox(
            "Recipe",
            names,
            key=linked("recipe", names),
            bind="query-params",
            help="paper: as the paper trains; own: every field below",
        )
        free["precision"] = st.selectbox(
            "Precision",
            PRECISIONS,
            key=linked("precision", PRECISIONS),
            bind="query-params",
            help="auto: bf16 where the device has it and it is faster there; the run says which it took",
        )
        if name == OWN:
            found = training_config("paper", **free, **_fields())
        else:
            found = training_config(name, **free)
            st.markdown(f"**{RECIPES[name].title}.** {RECIPES[name].why}")
        rest = [other for other in RECIPES if other != name]
        others = st.multiselect(
            "Others beside it (a sweep)",
            rest,
            key=linked("recipes", rest),
            bind="query-params",
        )
    trainings = [found, *(training_config(other, **free) for other in others)]
    place.caption("; ".join(described(one) or RECIPES["paper"].title for one in trainings))
    return trainings


def _fields() -> dict[str, Any]:
    """Draw every field of a recipe, at the paper's values, and return them."""
    left, right = st.columns(2)
    fields: dict[str, Any] = {
        "sampler": left.selectbox("Sampler", SAMPLERS, key=linked("sampler", SAMPLERS), bind="query-params"),
        "schedule": right.selectbox(
            "Schedule", SCHEDULES, key=linked("schedule", SCHEDULES), bind="query-params"
        ),
        "warmup_epochs": left.number_input("Warm-up epochs", value=0, **in_range("warmup", 0, 100)),
        "weight_decay": right.number_input(
            "Weight decay (AdamW)", value=0.0, step=0.01, **in_range("decay", 0.0, 1.0)
        ),
        "label_smoothing": left.number_input(
            "Label smoothing", value=0.0, step=0.05, **in_range("smoothing", 0.0, 0.9)
        ),
        "rate_factor": right.number_input(
            "Rate factor per block",
            value=1.0,
            step=0.1,
            **in_range("rate_factor", 0.01, 1.0),
            help="a block's rate over the next one's, towards the head",
        ),
        "thaw_every": left.number_input(
            "Epochs per thawed block",
            value=0,
            **in_range("thaw", 0, 100),
            help="above 0: the head first, then a block more each time",
        ),
        "mixup": right.number_input("Mixup alpha", value=0.0, step=0.1, **in_range("mixup", 0.0, 10.0)),
        "patience": left.number_input(
            "Patience (early stopping)",
            value=0,
            **in_range("patience", 0, 100),
            help="epochs without a lower loss on an inner split of the training part; 0: never",
        ),
        "selection": right.selectbox(
            "Epoch to report",
            list(SELECTIONS),
            key=linked("selection", list(SELECTIONS)),
            bind="query-params",
        ),
        "inner_share": left.number_input(
            "Inner split's share", value=0.2, step=0.05, **in_range("inner", 0.05, 0.5)
        ),
        "class_weights": left.toggle(
            "Class weights",
            key=linked("weighted", SWITCH),
            bind="query-params",
            help="weighted loss; with the shuffled sampler",
        ),
        "calibrate": right.toggle("Fit a temperature", key=linked("calibrate", SWITCH), bind="query-params"),
        "flip_at_test": left.toggle("Test-time flip", key=linked("test_flip", SWITCH), bind="query-params"),
    }
    if fields["selection"] == "best_on_validation":
        st.warning(
            "Optimistic: the epoch is chosen on the images that are reported.", icon=":material/trending_up:"
        )
    st.markdown("**Augmentation**")
    left, right = st.columns(2)
    fields["augmentation"] = {
        "flip": left.toggle("Flip", key=linked("flip", SWITCH), bind="query-params"),
        "crop": right.number_input("Crop jitter", value=0.0, step=0.05, **in_range("crop", 0.0, 0.5)),
        "colour": left.number_input("Colour", value=0.0, step=0.1, **in_range("colour", 0.0, 1.0)),
        "erase": right.number_input("Erasing", value=0.0, step=0.05, **in_range("erase", 0.0, 1.0)),
        "randaugment": left.number_input("RandAugment", value=0, **in_range("randaugment", 0, 30)),
        "views": right.number_input(
            "Views",
            value=8,
            **in_range("views", 0, 64),
            help="fixed ways each image is changed, computed once; 0: anew each time",
        ),
    }
    return fields


def trade(configs: Sequence[RunConfig], images: int) -> None:
    """Say what augmentation or test-time flip costs these runs, and what the other way would."""
    changed = [
        config for config in configs if config.training.augmentation.active or config.training.flip_at_test
    ]
    if not changed:
        return
    chosen = changed[0].training.augmentation
    named = _views(chosen.views) if chosen.active else "The flip at test"
    st.caption(f"**{named}**: {_cost(changed, images)}.")
    if not changed[0].training.augmentation.active:
        return
    views = 0 if changed[0].training.augmentation.views else 8
    other = changed[0].training.augmentation.model_copy(update={"views": views})
    training = changed[0].training.model_copy(update={"augmentation": other})
    instead = [config.model_copy(update={"training": training}) for config in changed]
    st.caption(f"{_views(views)} instead: {_cost(instead, images)}.")


def _views(views: int) -> str:
    return f"{views} fixed views of each image" if views else "Images changed anew each epoch"


def _cost(configs: Sequence[RunConfig], images: int) -> str:
    found = [prefix_cost(config, images) for config in configs]
    whole = Cost(sum(one.stored for one in found), sum(one.passes for one in found))
    return f"{size_text(whole.stored)} of activations kept, {whole.passes:,} images through the frozen blocks"
