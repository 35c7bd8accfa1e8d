"""Which of a frame's entries can be undone and redone."""

import pandas as pd
import pytest

from fer_core.ui.faces.boxes import steps

NONE = float("nan")


@pytest.mark.parametrize(
    ("undone", "expected"),
    [
        ([], (False, False)),
        ([NONE], (True, False)),
        ([1.0], (False, True)),
        ([NONE, 1.0], (True, True)),
        ([1.0, NONE], (True, False)),  # drawn after an undo: the first can't come back
        ([1.0, NONE, 2.0], (True, True)),
    ],
)
def test_what_can_be_undone_and_redone(undone: list[float], expected: tuple[bool, bool]) -> None:
    history = pd.DataFrame({"version": range(1, len(undone) + 1), "undone": undone}, dtype="float64")
    assert steps(history) == expected
