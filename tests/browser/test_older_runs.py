"""The Train page's ways to a run and to older runs in Chromium, and back by the browser's own button."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from dashboards import Server
from playwright.sync_api import Page, expect

from fer_core.config.run import ProtocolConfig, RunConfig
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.open import open_dataset
from fer_core.runs.jobs.queue import cancel, submit
from fer_core.storage.store import Store
from fer_core.ui.train.run_lists import PAGE

OLDER = 5


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, server: Callable[..., Server], generated: Path) -> Server:
    """Return a dashboard with a page of runs and some more, all cancelled but the last two, which wait for a worker."""
    home = tmp_path_factory.mktemp("home")
    data = data_config(open_dataset(generated))
    store = Store(home / "fer.sqlite")
    for seed in range(PAGE + OLDER):
        config = RunConfig(data=data, protocol=ProtocolConfig(name="group", folds=2, seeds=(seed,)))
        run_id, _ = submit(store, config)
        if seed < PAGE + OLDER - 2:
            cancel(store, run_id)
    store.close()
    return server(home)


def runs_listed(page: Page, count: int) -> None:
    expect(page.get_by_role("region", name=f"Table of {count} runs")).to_be_visible()


def test_a_card_leads_to_its_run_and_back(page: Page, lab: Server, generated: Path) -> None:
    page.goto(lab.at("train", data=str(generated)), wait_until="commit")
    cards = page.locator("a.run")
    expect(cards).to_have_count(2)
    link = cards.first.get_attribute("href") or ""
    run_id = re.search("run=([0-9a-f]{16})", link)
    assert run_id
    cards.first.click()
    expect(page).to_have_url(re.compile(f"[?&]run={run_id[1]}"))
    expect(page.get_by_text(f"Run {run_id[1]} on")).to_be_visible()
    page.go_back()
    expect(page).not_to_have_url(re.compile("[?&]run="))
    expect(page.get_by_role("heading", name="In the queue")).to_be_visible()
    expect(cards).to_have_count(2)


def test_older_runs_are_a_click_away_and_the_newest_one_back(
    page: Page, lab: Server, generated: Path
) -> None:
    page.goto(lab.at("train", data=str(generated)), wait_until="commit")
    runs_listed(page, PAGE)
    page.get_by_role("button", name="Older runs").click()
    runs_listed(page, OLDER)
    expect(page).to_have_url(re.compile("[?&]before=[0-9a-f]{16}"))
    expect(page.get_by_role("button", name="Older runs")).to_have_count(0)
    page.go_back()
    expect(page).not_to_have_url(re.compile("[?&]before="))
    runs_listed(page, PAGE)
    page.go_forward()
    runs_listed(page, OLDER)
    page.reload(wait_until="commit")
    runs_listed(page, OLDER)
    page.get_by_role("button", name="Newest runs").click()
    runs_listed(page, PAGE)
    expect(page).not_to_have_url(re.compile("[?&]before="))
