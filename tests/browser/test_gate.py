"""The first hit on a fresh server, by a deep link: a demo launches nothing, sign-in comes before anything."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from dashboards import Server
from playwright.sync_api import Page, expect

from fer_core.storage.store import Store

CHANGES = re.compile(r"^(Train \d|Detect faces|Import|Cancel|Try again|Run the|Run them|Save box)")

SECRETS = """
[auth]
redirect_uri = "http://127.0.0.1/oauth2callback"
cookie_secret = "for-this-test-alone"
client_id = "client"
client_secret = "secret"
server_metadata_url = "http://127.0.0.1:9/.well-known/openid-configuration"
[fer.roles]
runner = ["ada@lab.org"]
"""


@pytest.mark.parametrize("page_name", ["train", "faces"])
def test_a_deep_link_into_a_fresh_demo_changes_nothing(
    page: Page, server: Callable[..., Server], shared_home: Path, page_name: str
) -> None:
    run = Store(shared_home / "fer.sqlite").runs(status=["done"], goal="train")[0]
    demo = server(shared_home, FER_DEMO="1")
    query = {"data": run.data_source} | ({"run": run.id} if page_name == "train" else {})
    page.goto(demo.at(page_name, **query), wait_until="commit")
    expect(page.get_by_text(re.compile("This is a hosted demo: look around"))).to_be_visible()
    if page_name == "train":
        expect(page.get_by_text("Validation accuracy", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name=CHANGES)).to_have_count(0)
    page.goto(demo.at("train", data=run.data_source), wait_until="commit")
    expect(page.get_by_text(re.compile("launching and importing are off"))).to_be_visible()
    expect(page.get_by_role("button", name=CHANGES)).to_have_count(0)


def test_a_deep_link_shows_the_sign_in_alone(
    page: Page, server: Callable[..., Server], shared_home: Path, tmp_path: Path
) -> None:
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text(SECRETS)
    run = Store(shared_home / "fer.sqlite").runs(status=["done"], goal="train")[0]
    lab = server(shared_home, HOME=str(tmp_path), FER_DATA_ROOTS=str(Path(run.data_source).parent))
    page.goto(lab.at("train", data=run.data_source, run=run.id), wait_until="commit")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    main = page.locator("[data-testid=stMain]")
    expect(main.get_by_role("button")).to_have_count(1)
    expect(page.locator("[data-testid=stSidebar]")).to_have_count(0)
    expect(page.get_by_text(run.id)).to_have_count(0)
