"""What `serve` checks before it starts anything."""

import socket
from pathlib import Path

import pytest

from fer_core.cli.main import main


def test_a_taken_port_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FER_HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) != 0
    said = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in said
    assert "--port" in said
    assert "Traceback" not in said
