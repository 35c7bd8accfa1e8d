"""What commands print."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fer_core.cli.output import print_json


def test_json_holds_no_word_that_json_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    nan = float("nan")
    print_json({"a": [nan, (1.5, np.float32(nan))], "b": {"c": np.float64("inf"), 2: np.int64(3)}, "d": True})

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    found = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert found == {"a": [None, [1.5, None]], "b": {"c": None, "2": 3}, "d": True}
