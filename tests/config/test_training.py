import pytest

from fer_core.config.run import TrainingConfig
from fer_core.config.training import RECIPES, described, recipe_name, training_config
from fer_core.errors import ConfigError


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_known_by_its_fields(name: str) -> None:
    assert recipe_name(training_config(name)) == name
    assert recipe_name(training_config(name, epochs=2, lr=0.1, batch_size=4)) in (name, "cosine")
    assert training_config(name, epochs=1).epochs == 1


def test_a_given_field_wins_over_the_recipes() -> None:
    assert training_config("adamw", weight_decay=0.3).weight_decay == 0.3
    with pytest.raises(ConfigError, match=r"one of paper, cosine.*got 'cosines'"):
        training_config("cosines")


def test_words_say_what_is_unlike_the_paper_and_what_is_optimistic() -> None:
    assert described(TrainingConfig()) == described(TrainingConfig(epochs=3, lr=0.1)) == ""
    assert described(training_config("cosine")) == "Cosine with warm-up"
    config = TrainingConfig(label_smoothing=0.2, selection="best_on_validation", augmentation={"crop": 0.1})
    assert described(config) == (
        "label smoothing 0.2, augmentation crop in 8 views, best epoch on validation (optimistic)"
    )
