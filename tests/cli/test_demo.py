"""What `demo` asks of `train`: the three settings, and, prepared, what a hosted demo has to show."""

from typing import Any

import pytest

from fer_core.cli import train
from fer_core.cli.main import main


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return what `train` is called with; the third call fails."""
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(train, "train", lambda **given: found.append(given) or int(len(found) == 3))
    return found


def test_the_demo_trains_the_three_settings(asked: list[dict[str, Any]]) -> None:
    assert main(["demo"]) == 0
    (one,) = asked
    assert not {"source", "unfreeze"} & set(one)  # as `train` has them by default
    assert (one["training"].epochs, one["protocol"].name) == (20, "group")


def test_a_prepared_demo_has_a_leak_and_comparators_to_show_and_fails_where_one_run_does(
    asked: list[dict[str, Any]],
) -> None:
    requests = list(train.demo_requests(prepare=True))
    assert requests[0]["training"].epochs == 2
    assert {one["protocol"].name for one in requests} == {"group", "stratified"}
    assert [one.get("model", "transfer") for one in requests] == ["transfer"] * 4 + ["svm", "bdnn"]
    assert any("extraction" in one and not one["extraction"].extract for one in requests)
