"""A report opened from disk with the network off draws its figures."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, expect

from fer_core.results.sharing.report import write_report
from fer_core.storage.store import Store


def test_a_report_draws_its_figures_with_the_network_off(
    visitor: Callable[..., BrowserContext], shared_home: Path, tmp_path: Path
) -> None:
    store = Store(shared_home / "fer.sqlite", read_only=True)
    run = store.runs(status=["done"], goal="train")[0]
    path = tmp_path / "run.html"
    write_report(store, run.id, path)
    for scheme in ("light", "dark"):
        context = visitor(color_scheme=scheme, viewport={"width": 390, "height": 800})
        context.set_offline(True)
        asked: list[str] = []
        trouble: list[str] = []
        page = context.new_page()
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.on("pageerror", lambda error, trouble=trouble: trouble.append(str(error)))
        page.on(
            "console",
            lambda said, trouble=trouble: trouble.append(said.text) if said.type == "error" else None,
        )
        page.goto(path.as_uri(), wait_until="load")
        plots = page.locator(".js-plotly-plot")
        expect(plots).to_have_count(4)
        for index in range(4):
            expect(plots.nth(index).locator("svg.main-svg").first).to_be_visible()
        expect(plots.nth(0).locator(".scatterlayer path.js-line").first).to_be_attached()
        expect(plots.nth(1).locator(".hm image").first).to_be_attached()
        plots.nth(2).locator(".point").first.hover(force=True)
        expect(plots.nth(2).locator(".hoverlayer text").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
        assert not trouble
