"""TIFFs that Pillow reads wrong are read right or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from fer_core.datasets.file_records import inspect
from fer_core.datasets.images import load_rgb

PIXELS = np.random.default_rng(1).integers(0, 65536, (24, 32, 3), dtype=np.uint16)


def test_planar_16_bit_is_what_interleaved_is(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "chunky.tif", PIXELS, photometric="rgb")
    tifffile.imwrite(
        tmp_path / "planar.tif", PIXELS.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"
    )
    np.testing.assert_array_equal(load_rgb(tmp_path / "planar.tif"), load_rgb(tmp_path / "chunky.tif"))
    np.testing.assert_array_equal(load_rgb(tmp_path / "planar.tif"), (PIXELS >> 8).astype(np.uint8))


def test_white_is_zero_is_no_negative(tmp_path: Path) -> None:
    values = np.array([[0, 257, 65535]], np.uint16)
    for photometric, expected in (("miniswhite", [255, 254, 0]), ("minisblack", [0, 1, 255])):
        tifffile.imwrite(tmp_path / "x.tif", values, photometric=photometric)
        assert load_rgb(tmp_path / "x.tif")[0, :, 0].tolist() == expected


@pytest.mark.parametrize("marked", [0, 1])
def test_a_thumbnail_before_the_picture_is_refused(tmp_path: Path, marked: int) -> None:
    small, large = np.zeros((16, 16, 3), np.uint8), np.zeros((64, 64, 3), np.uint8)
    with tifffile.TiffWriter(tmp_path / "raw.dng") as writer:
        writer.write(small, photometric="rgb", subifds=1, subfiletype=marked)
        writer.write(large, photometric="rgb")
    assert "first picture is a thumbnail" in str(inspect(tmp_path / "raw.dng").reason)
    with tifffile.TiffWriter(tmp_path / "pyramid.tif") as writer:
        writer.write(large, photometric="rgb", subifds=1)
        writer.write(small, photometric="rgb", subfiletype=1)
    assert load_rgb(tmp_path / "pyramid.tif").shape == (64, 64, 3)
