"""What people call models: short enough for a table, whatever votes."""

import pytest

from fer_core.learning.networks.naming import voters


@pytest.mark.parametrize(
    ("names", "said"),
    [(["A", "B"], "Vote of A and B"), (["A", "B", "C", "D"], "Vote of A and 3 others")],
)
def test_a_vote_is_called_by_its_first_member(names: list[str], said: str) -> None:
    assert voters(names) == said
