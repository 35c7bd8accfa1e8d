"""The systemd units start commands that exist, and systemd accepts them where it is installed."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from fer_core import ROOT
from fer_core.cli.main import app

DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_command_that_exists(unit: Path) -> None:
    found = configparser.ConfigParser(strict=False, interpolation=None)
    found.optionxform = str  # type: ignore[assignment, method-assign]
    found.read(unit)
    command = shlex.split(found["Service"]["ExecStart"].replace("%i", "1"))
    assert command[1:3] == ["-m", "fer_core"]
    _, given, _ = app.parse_args(command[3:])
    device = {"fer-worker.service": "auto", "fer-worker@.service": "cuda:1"}.get(unit.name)
    assert given.arguments.get("device") == device
    assert found["Service"]["Restart"] == "always"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """Paths and user of an installation are put in place of those that are not on this host."""
    assert [unit.name for unit in UNITS] == [
        "fer-dashboard.service",
        "fer-worker.service",
        "fer-worker@.service",
    ]
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace("/opt/fer-lab/.venv/bin/python", "/bin/true")
        text = text.replace("/opt/fer-lab", str(tmp_path)).replace("User=fer", "User=root")
        (tmp_path / unit.name.replace("@.", "@0.")).write_text(text, encoding="utf-8")
    names = [str(path) for path in sorted(tmp_path.glob("*.service"))]
    answer = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names], capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stderr) == (0, "")
