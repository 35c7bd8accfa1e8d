"""What `demo` asks of `train`: the three settings, and, prepared, what a hosted demo has to show."""

from __future__ import annotations

import argparse

import pytest

from fer_core.cli import demo
from fer_core.cli.main import main


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[argparse.Namespace]:
    found: list[argparse.Namespace] = []
    monkeypatch.setattr(demo, "train", lambda options: found.append(options) or 0)
    monkeypatch.setattr(demo, "_audit", lambda: None)
    return found


def test_the_demo_trains_the_three_settings(asked: list[argparse.Namespace]) -> None:
    assert main(["demo"]) == 0
    (one,) = asked
    assert (one.data, one.unfreeze, one.epochs, one.protocol) == ("demo", "1,2,3", 20, "group")


def test_a_prepared_demo_has_a_leak_and_comparators_to_show(asked: list[argparse.Namespace]) -> None:
    assert main(["demo", "--prepare", "--json"]) == 0
    assert {one.data for one in asked} == {"demo"}
    assert all(one.json for one in asked)
    assert asked[0].epochs == 2
    assert {one.protocol for one in asked} == {"group", "stratified"}
    assert [one.model for one in asked] == ["transfer"] * 4 + ["svm", "bdnn"]
    assert any(not one.faces for one in asked)


def test_a_failed_run_is_the_commands_failure(
    asked: list[argparse.Namespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = iter([0, 1, 0, 0, 0, 0])
    monkeypatch.setattr(demo, "train", lambda options: next(codes))
    assert main(["demo", "--prepare"]) == 1
