"""The recipe on the Train page: a named one or one of your choice, and what augmentation costs."""

from collections.abc import Sequence
from itertools import cycle
from typing import Any, get_args

import streamlit as st
from humanize import naturalsize
from streamlit.delta_generator import DeltaGenerator

from fer_core.config.run import RunConfig, TrainingConfig
from fer_core.config.training import RECIPES, described, training_config
from fer_core.runs.plans.requests import Cost, prefix_cost
from fer_core.ui.parts.url import in_range, one_of, switch

OWN = "own"


def recipes(place: DeltaGenerator, **free: Any) -> list[TrainingConfig]:
    """Draw the popover and return the trainings it stands for: the recipe, and any others of a sweep.

    Args:
        free: epochs, batch_size and lr, which every recipe leaves free.

    Raises:
        ConfigError: two choices don't go together.
    """
    with place.popover("Recipe", icon=":material/tune:", width="stretch"):
        name = st.selectbox(
            "Recipe",
            **one_of("recipe", [*RECIPES, OWN]),
            help="paper: as the paper trains; own: every field below",
        )
        free["precision"] = st.selectbox(
            "Precision",
            **one_of("precision", _known("precision")),
            help="auto: bf16 where the device has it and it is faster there; the run says which it took",
        )
        if name == OWN:
            found = training_config("paper", **free, **_fields())
        else:
            found = training_config(name, **free)
            st.markdown(f"**{RECIPES[name].title}.** {RECIPES[name].why}")
        rest = [other for other in RECIPES if other != name]
        others = st.multiselect("Others beside it (a sweep)", **one_of("recipes", rest))
    trainings = [found, *(training_config(other, **free) for other in others)]
    place.caption("; ".join(described(one) or "The paper's recipe" for one in trainings))
    return trainings


def _known(field: str) -> tuple[str, ...]:
    """Return the values that a field of a recipe can have, its default first."""
    return get_args(TrainingConfig.model_fields[field].annotation)


def _fields() -> dict[str, Any]:
    """Draw every field of a recipe, at the paper's values, and return them."""
    columns = cycle(st.columns(2))

    def choice(field: str, label: str) -> str:
        return str(next(columns).selectbox(label, **one_of(field, _known(field))))

    def number(label: str, start: float, key: str, low: float, high: float, **look: Any) -> float:
        return next(columns).number_input(label, value=start, **in_range(key, low, high), **look)

    def toggle(label: str, key: str, **look: Any) -> bool:
        return next(columns).toggle(label, **switch(key), **look)

    fields: dict[str, Any] = {
        "sampler": choice("sampler", "Sampler"),
        "schedule": choice("schedule", "Schedule"),
        "warmup_epochs": number("Warm-up epochs", 0, "warmup_epochs", 0, 100),
        "weight_decay": number("Weight decay (AdamW)", 0.0, "weight_decay", 0.0, 1.0, step=0.01),
        "label_smoothing": number("Label smoothing", 0.0, "label_smoothing", 0.0, 0.9, step=0.05),
        "rate_factor": number(
            *("Rate factor per block", 1.0, "rate_factor", 0.01, 1.0),
            step=0.1,
            help="a block's rate over the next one's, towards the head",
        ),
        "thaw_every": number(
            *("Epochs per thawed block", 0, "thaw_every", 0, 100),
            help="above 0: the head first, then a block more each time",
        ),
        "mixup": number("Mixup alpha", 0.0, "mixup", 0.0, 10.0, step=0.1),
        "patience": number(
            *("Patience (early stopping)", 0, "patience", 0, 100),
            help="epochs without a lower loss on an inner split of the training part; 0: never",
        ),
        "batch_norm": choice("batch_norm", "BatchNorm of frozen blocks"),
        "selection": choice("selection", "Epoch to report"),
        "inner_share": number("Inner split's share", 0.2, "inner_share", 0.05, 0.5, step=0.05),
        "calibrate": toggle("Fit a temperature", "calibrate"),
        "class_weights": toggle(
            "Class weights", "class_weights", help="weighted loss; with the shuffled sampler"
        ),
        "flip_at_test": toggle("Test-time flip", "flip_at_test"),
    }
    if fields["selection"] == "best_on_validation":
        st.warning(
            "Optimistic: the epoch is chosen on the images that are reported.", icon=":material/trending_up:"
        )
    st.markdown("**Augmentation**")
    columns = cycle(st.columns(2))
    fields["augmentation"] = {
        "flip": toggle("Flip", "flip"),
        "crop": number("Crop jitter", 0.0, "crop", 0.0, 0.5, step=0.05),
        "colour": number("Colour", 0.0, "colour", 0.0, 1.0, step=0.1),
        "erase": number("Erasing", 0.0, "erase", 0.0, 1.0, step=0.05),
        "randaugment": number("RandAugment", 0, "randaugment", 0, 30),
        "views": number(
            *("Views", 8, "views", 0, 64),
            help="fixed ways each image is changed, computed once; 0: again each time",
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
    training = changed[0].training
    chosen = training.augmentation
    named = _views(chosen.views) if chosen.active else "The flip at test"
    st.caption(f"**{named}**: {_cost(changed, images)}.")
    if not chosen.active:
        return
    views = 0 if chosen.views else 8
    other = training.model_copy(update={"augmentation": chosen.model_copy(update={"views": views})})
    instead = [config.model_copy(update={"training": other}) for config in changed]
    st.caption(f"{_views(views)} instead: {_cost(instead, images)}.")


def _views(views: int) -> str:
    return f"{views} fixed views of each image" if views else "Images changed again each epoch"


def _cost(configs: Sequence[RunConfig], images: int) -> str:
    found = [prefix_cost(config, images) for config in configs]
    whole = Cost(sum(one.stored for one in found), sum(one.passes for one in found))
    return (
        f"{naturalsize(whole.stored)} of activations kept, {whole.passes:,} images through the frozen blocks"
    )
