"""The files of a deployment agree with each other, the code and systemd; images themselves are built elsewhere."""

import configparser
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from fer_core import ROOT
from fer_core.cli.main import app
from fer_core.config.settings import Limits, load

DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_what_the_image_is_made_of_is_there_and_let_through() -> None:
    let_through = {line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")}
    assert [name for name in let_through if not (ROOT / name).exists()] == []
    copied = re.search(r"^COPY (requirements.*) \./$", text("Dockerfile"), re.MULTILINE)
    assert copied
    assert set(copied[1].split()) <= let_through
    assert {"app.py", "pages", "fer_core", ".streamlit/config.toml"} <= let_through
    assert not any("secrets.toml" in name for name in let_through)


def test_the_image_runs_without_rights_answers_for_its_health_and_is_a_demo() -> None:
    dockerfile = text("Dockerfile")
    assert re.search(r"^USER 1000$", dockerfile, re.MULTILINE)
    assert re.search(r"^ENV FER_DEMO=1$", dockerfile, re.MULTILINE)
    assert "/_stcore/health" in dockerfile.split("HEALTHCHECK")[1]
    assert dockerfile.index("demo --prepare") < dockerfile.index("ENV FER_DEMO=1")


def test_the_secrets_example_is_whole() -> None:
    secrets = tomllib.loads(text(".streamlit/secrets.toml.example"))
    needed = {"redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url"}
    assert set(secrets["auth"]) == needed
    assert set(secrets["fer"]["roles"]) == {"runner", "viewer"}
    assert secrets["auth"]["cookie_secret"] == ""


def test_the_described_limits_are_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    described = text("docs/deploy.md")
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ([\d, ]+) \|", described, re.MULTILINE)
    named = {
        name: int(value)
        for names, values in rows
        for name, value in zip(re.findall(r"\w+", names), values.split(","), strict=True)
    }
    assert named == Limits().model_dump()
    for value in re.findall(r'FER_LIMITS="([^"]+)"', described):
        monkeypatch.setenv("FER_LIMITS", value)
        load()


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
    """Paths and user of an installation replace those that are not on this host."""
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
