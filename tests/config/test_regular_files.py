"""Only regular files of bounded size are opened, and nothing is waited for."""

import os
from pathlib import Path

import pytest

from fer_core.config.regular_files import opened, read
from fer_core.errors import DataError


def test_a_file_is_read_through_links_and_within_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"x" * 1000)
    (tmp_path / "link").symlink_to(file)
    assert read(tmp_path / "link", 1000) == b"x" * 1000
    with pytest.raises(DataError, match="larger than 0 MB"):
        read(file, 999)


def test_pipes_devices_and_folders_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "link", "zero"):
        with pytest.raises(DataError, match="not a regular file"):
            opened(tmp_path / name)
    with pytest.raises(IsADirectoryError):
        opened(tmp_path)
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "none")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's process file system")
def test_a_kernel_file_has_no_bytes(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc/self/environ")
    assert read(tmp_path / "link", 1 << 20) == b""
