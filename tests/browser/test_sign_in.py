"""Signing in, from the button through a provider of OpenID Connect and back, as a runner, a viewer and a stranger."""

import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dashboards import Server, button, free_port, quiet, start
from extras import need
from playwright.sync_api import BrowserContext, expect

from fer_core.storage.store import Store

need("authlib", "requirements-auth.txt")
need("httpx", "requirements-auth.txt")

from identity_provider import CLIENT, SECRET, Provider, running  # noqa: E402


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running() as provider:
        yield provider


@pytest.fixture(scope="module")
def lab(provider: Provider, shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a dashboard that asks the provider who people are."""
    folder, port = tmp_path_factory.mktemp("sign-in"), free_port()
    file = folder / "secrets.toml"
    file.write_text(
        f"""
        [auth]
        redirect_uri = "http://127.0.0.1:{port}/oauth2callback"
        cookie_secret = "{secrets.token_urlsafe(32)}"
        client_id = "{CLIENT}"
        client_secret = "{SECRET}"
        server_metadata_url = "{provider.url}/.well-known/openid-configuration"
        [fer.roles]
        runner = ["ada@lab.org"]
        viewer = "@lab.org"
        """
    )
    # The loopback address has no TLS, which Authlib otherwise insists on.
    environment = {"STREAMLIT_SECRETS_FILES": str(file), "AUTHLIB_INSECURE_TRANSPORT": "1"}
    environment |= {"FER_DATA_ROOTS": str(folder)}
    server = start(folder, shared_home, environment, port=port)
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("email", "verified", "shown"),
    [
        ("ada@lab.org", True, "Signed in as ada@lab.org, runner"),
        ("bob@lab.org", True, "Signed in as bob@lab.org, viewer"),
        ("eve@evil.org", True, "eve@evil.org"),
        ("ada@lab.org", False, "which its provider has not confirmed"),
    ],
)
def test_people_get_in_by_the_address_that_the_provider_confirms(
    visitor: Callable[..., BrowserContext],
    lab: Server,
    provider: Provider,
    email: str,
    verified: bool,
    shown: str,
) -> None:
    provider.claims = {"email": email, "email_verified": verified}
    provider.asked.clear()
    page = visitor(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(lab.at("train"), wait_until="commit")
    entrance = page.get_by_role("button", name="Sign in")
    expect(entrance).to_be_visible()
    expect(page.get_by_text("Data set")).to_have_count(0)
    entrance.click()
    expect(page.get_by_text(re.compile(re.escape(shown))).first).to_be_visible()
    assert "/authorize" in provider.asked
    assert "/token" in provider.asked
    inside = shown.startswith("Signed in")
    expect(page.get_by_role("link", name="Predict").first).to_be_visible(visible=inside)
    if inside:
        quiet(page)  # a rerun that is under way loses a click
        button(page, "Sign out").click()
        expect(entrance).to_be_visible()
    store = Store(lab.home / "fer.sqlite", read_only=True)
    assert not store.runs(status=["queued", "running"]), "nothing is left to a worker"
    store.close()
