"""The recipe on the Train page: a named one or one of your choice, and what augmentation costs."""

from collections.abc import Collection, Sequence
from dataclasses import astuple
from itertools import cycle
from typing import Any, get_args

import streamlit as st
from humanize import naturalsize
from pydantic import BaseModel
from streamlit.delta_generator import DeltaGenerator

from fer_core.config.run import RunConfig, TrainingConfig
from fer_core.config.training import FREE, RECIPES, AugmentationConfig, described, training_config
from fer_core.runs.plans.requests import Cost, prefix_cost
from fer_core.ui.parts.url import in_range, one_of, switch

OWN = "own"
#: Of fields whose names say too little.
TITLES = {
    "warmup_epochs": "Warm-up epochs",
    "weight_decay": "Weight decay (AdamW)",
    "rate_factor": "Rate factor per block",
    "thaw_every": "Epochs per thawed block",
    "mixup": "Mixup alpha",
    "patience": "Patience (early stopping)",
    "batch_norm": "BatchNorm of frozen blocks",
    "selection": "Epoch to report",
    "inner_share": "Inner split's share",
    "calibrate": "Fit a temperature",
    "flip_at_test": "Test-time flip",
    "crop": "Crop jitter",
    "randaugment": "RandAugment",
    "erase": "Erasing",
}
HELP = {
    "rate_factor": "a block's rate over the next one's, towards the head",
    "thaw_every": "above 0: the head first, then a block more each time",
    "patience": "epochs without a lower loss on an inner split of the training part; 0: never",
    "class_weights": "weighted loss; with the shuffled sampler",
    "views": "fixed ways each image is changed, computed once; 0: again each time",
}


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
            **one_of("precision", get_args(TrainingConfig.model_fields["precision"].annotation)),
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


def _fields() -> dict[str, Any]:
    """Draw every field of a recipe, at the paper's values, and return them."""
    fields = _drawn(TrainingConfig, {*FREE, "augmentation"})
    if fields["selection"] == "best_on_validation":
        st.warning(
            "Optimistic: the epoch is chosen on the images that are reported.", icon=":material/trending_up:"
        )
    st.markdown("**Augmentation**")
    return fields | {"augmentation": _drawn(AugmentationConfig)}


def _drawn(kind: type[BaseModel], without: Collection[str] = ()) -> dict[str, Any]:
    """Draw a widget a field, within the field's bounds and at its default, and return their values."""
    found: dict[str, Any] = {}
    columns = cycle(st.columns(2))
    for name, field in kind.model_fields.items():
        if name in without:
            continue
        place, label = next(columns), TITLES.get(name, name.replace("_", " ").capitalize())
        text = HELP.get(name, field.description)
        if field.annotation is bool:
            found[name] = place.toggle(label, help=text, **switch(name))
        elif values := get_args(field.annotation):
            found[name] = place.selectbox(label, help=text, **one_of(name, values))
        else:
            bounds = [astuple(end)[0] for end in field.metadata]
            found[name] = place.number_input(label, value=field.default, help=text, **in_range(name, *bounds))
    return found


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
