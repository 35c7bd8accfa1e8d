"""Which two runs stand beside each other before anyone has chosen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fer_core.config import ProtocolConfig
from fer_core.ui.compare_pair import _first_choice


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
    assert _first_choice(runs) == expected
