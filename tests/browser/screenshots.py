"""Render every page into docs/images, in light and dark: `make screenshots`; arguments name some of them.

Uses the state folder that FER_HOME names, so that the pictures show what has been trained there.
"""

import sys
import tempfile
from pathlib import Path

sys.path += map(str, Path(__file__).parents[1:3])  # behind this folder, whose conftest is meant

from conftest import CHROMIUM, FLAGS
from dashboards import PATIENCE, ROOT, quiet, start
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from fer_core.config import settings
from fer_core.results.rows import honest
from fer_core.storage.store import Store

IMAGES = ROOT / "docs" / "images"
WIDTH, MOST = 1280, 1200
BUSY = "[data-testid=stSpinner], [data-testid=stSkeleton], [data-testid=stStatusWidget], [data-stale=true]"


def main() -> None:
    """Render all pages; needs Chromium and at least one finished run in the state folder."""
    home = settings.load().home
    runs = Store(home / "fer.sqlite").runs(status=["done"], goal="train")
    views = {
        "overview": "",
        "faces": "faces",
        "failed": "faces?frames=Failed+detections",
        "train": "train?backbone=efficientnet_lite0",
        "compare": "compare",
        "predict": "predict?from=sample",
    }
    if networks := [run for run in runs if run.unfreeze and honest(run)]:
        longest = max(networks, key=lambda run: (run.config.epochs, run.summary["val_accuracy"]))
        views["run"] = f"train?run={longest.id}"
    views = {name: path for name, path in views.items() if not sys.argv[1:] or name in sys.argv[1:]}
    expect.set_options(timeout=3 * PATIENCE)
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = start(Path(folder), home, {})
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            for scheme in ("light", "dark"):
                context = chromium.new_context(
                    viewport={"width": WIDTH, "height": 900}, color_scheme=scheme, device_scale_factor=1
                )
                for name, path in views.items():
                    page = context.new_page()
                    _render(page, f"{server.url}/{path}", IMAGES / f"{name}-{scheme}.png")
                    page.close()
                    print(f"{name}-{scheme}.png")
        finally:
            chromium.close()
            server.stop()


def _render(page: Page, url: str, target: Path) -> None:
    """Wait until nothing loads any more, grow the window to the page's height and take the picture."""
    page.goto(url, wait_until="commit")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    for _ in range(3):
        quiet(page)
        expect(page.locator(BUSY)).to_have_count(0)
        page.wait_for_timeout(1_000)
    height = page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": WIDTH, "height": min(max(720, height), MOST)})
    page.wait_for_timeout(1_000)
    page.screenshot(path=target)
    with Image.open(
        target
    ) as picture:  # 256 colours, rare ones among them, are enough, and a third of the bytes
        few = picture.convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE)
        few.save(target, optimize=True)


if __name__ == "__main__":
    main()
