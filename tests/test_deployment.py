"""The files of a deployment agree with each other and with the code; images themselves are built elsewhere."""

from __future__ import annotations

import re
import tomllib

import pytest

from fer_core import ROOT
from fer_core.config.settings import Limits, load


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
    assert re.search(r"^USER 10001$", dockerfile, re.MULTILINE)
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
