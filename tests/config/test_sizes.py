"""Sizes are read as they are written."""

import pytest

from fer_core.config.sizes import parse_size, size_text
from fer_core.errors import ConfigError


@pytest.mark.parametrize(
    ("size", "written"),
    [
        (0, "0 Bytes"),
        (999, "999 Bytes"),
        (812_000, "812.0 kB"),
        (1_400_000_000, "1.4 GB"),
        (2.5e12, "2.5 TB"),
        (999_960_000_000, "1.0 TB"),
    ],
)
def test_sizes_for_people(size: float, written: str) -> None:
    assert size_text(size) == written
    if size:
        assert parse_size(written) == pytest.approx(size, rel=1e-3)


@pytest.mark.parametrize("wrong", ["", "GB", "-1GB", "1 PB", "1e9", "0", "0.1", "twenty"])
def test_what_is_no_size_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match="SIZE must be a number of bytes"):
        parse_size(wrong, "SIZE")
