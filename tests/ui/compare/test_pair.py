"""Which two runs stand beside each other before anyone has chosen, and how their folds differ."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fer_core.config.run import ProtocolConfig
from fer_core.evaluation.metrics.probabilities import as_columns
from fer_core.ui.compare.pair import by_class, first_choice, fold_difference, side_by_side


def run(protocol: str, folds: int = 5) -> Any:
    return SimpleNamespace(
        protocol=protocol, config=SimpleNamespace(protocol=ProtocolConfig(name=protocol, folds=folds))
    )


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([run("stratified"), run("group"), run("stratified"), run("group")], (1, 3)),
        ([run("stratified"), run("group"), run("stratified")], (0, 2)),
        ([run("group"), run("group", folds=3), run("group", folds=3)], (1, 2)),
        ([run("group"), run("stratified")], (0, 1)),
    ],
    ids=["honest ones first", "that share their folds", "and their number", "or any two"],
)
def test_two_runs_in_the_same_folds_are_shown_first(runs: list[Any], expected: tuple[int, int]) -> None:
    assert first_choice(runs) == expected


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({}, ""),
        ({"seeds": (1, 2)}, "other seeds (0 against 1, 2)"),
        ({"folds": 10}, "(group with k = 5 against group with k = 10)"),
        ({"name": "fixed"}, "(group with k = 5 against fixed)"),
    ],
)
def test_what_differs_about_the_folds_is_named(second: dict[str, Any], said: str) -> None:
    first = ProtocolConfig(name="group")
    found = fold_difference(first, first.model_copy(update=second))
    assert said in found
    assert bool(said) == bool(found)


def test_k_is_no_difference_where_the_data_set_fixes_the_split() -> None:
    assert fold_difference(ProtocolConfig(name="fixed"), ProtocolConfig(name="fixed", folds=10)) == ""


def test_several_seeds_count_by_their_mean_and_a_guess_is_what_most_say() -> None:
    """Mean probabilities would let the surest seed decide, and a run look better than its stored accuracy."""
    sure, unsure = np.full(7, 0.01), np.full(7, 0.1)
    sure[0], unsure[1] = 0.94, 0.4
    several = pd.DataFrame(as_columns(np.array([sure, unsure, unsure]))).assign(
        name="a", group="m", label=0, seed=[0, 1, 2]
    )
    both = side_by_side(several, several[:1])
    assert both["right_a"].tolist() == pytest.approx([1 / 3])
    assert both["guess_a"].tolist() == [1]
    assert both["right_b"].tolist() == [1.0]
    assert by_class(both)["difference"].tolist() == pytest.approx([-2 / 3])
