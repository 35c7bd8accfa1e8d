"""What tells runs apart stands over their panels; what they share is said once."""

from __future__ import annotations

import pytest

from fer_core.ui.compare_view import split_common


@pytest.mark.parametrize(
    ("names", "shared", "short"),
    [
        (["ResNet-18 n=1", "ResNet-18 n=2"], "ResNet-18", ["n=1", "n=2"]),
        (["A n=1, 2 epochs", "A n=2, 2 epochs"], "A 2 epochs", ["n=1", "n=2"]),
        (["A n=1", "A n=1, whole frames"], "A", ["n=1", "n=1, whole frames"]),
        (["BDNN (pixels)", "ResNet-18 n=2"], "", ["BDNN (pixels)", "ResNet-18 n=2"]),
        (["A n=1"], "", ["A n=1"]),
        (["MLP", "MLP · group"], "", ["MLP", "MLP · group"]),
    ],
)
def test_common_words_are_told_apart(names: list[str], shared: str, short: list[str]) -> None:
    assert split_common(names) == (shared, short)
