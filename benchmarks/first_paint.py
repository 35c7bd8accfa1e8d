"""Time what a visitor waits for in Chromium: the first paint, and the page whole.

A dashboard starts on a small generated set; each page is opened `--repeats` times in a browser that was never there.
*First paint* is when the browser first drew something of the page (its own figure, first-contentful-paint), *whole*
when the heading stands and Streamlit says that nothing runs any more; both from the request on, in milliseconds.

    python benchmarks/first_paint.py [--repeats 5] [--json]
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from benchmarks.parts.process import answers, free_port, launch  # noqa: E402
from fer_core.datasets.generated.frames import GeneratedConfig, generate  # noqa: E402
from fer_core.runs.jobs.processes import end_all  # noqa: E402

PAGES = ("", "faces", "train", "compare", "predict")
PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")


def visit(browser: Browser, address: str) -> tuple[float, float]:
    """Return first paint and the whole page, in ms, of a browser without a cache."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    started = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.locator("h1").first.wait_for(timeout=120_000)
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(timeout=120_000)
    whole = 1000 * (time.perf_counter() - started)
    painted = page.wait_for_function(PAINTED).json_value()
    context.close()
    return float(painted), whole


def measure(home: Path, repeats: int) -> dict[str, object]:
    """Return the seconds until the server answers, and a row for each page."""
    config = GeneratedConfig(seed=5, ordinary=42, hard=6, movies=6, width=320, height=256)
    data = generate(config, home / "data", workers=1)
    port = free_port()
    started = time.perf_counter()
    server = launch(
        home / "log", os.environ | {"FER_HOME": str(home / "home"), "FER_EXECUTOR": "inline"}, port
    )
    try:
        if not answers(server, port, 120.0):
            raise SystemExit((home / "log").read_text()[-2000:])
        start = time.perf_counter() - started
        rows = []
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            for name in PAGES:
                address = f"http://127.0.0.1:{port}/{name}?data={data}"
                first, *later = (visit(browser, address) for _ in range(repeats + 1))
                row: dict[str, object] = {"page": name or "overview", "first_visit_ms": first[1]}
                for what, times in zip(("first_paint_ms", "whole_ms"), zip(*later, strict=True), strict=True):
                    row |= {what: median(times), f"{what} most": max(times)}
                rows.append(row)
            browser.close()
    finally:
        end_all([server], 30.0)
    return {"repeats": repeats, "start_s": start, "rows": rows}


def main() -> None:
    """Print the table, or one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="visits of each page after the first")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    if not shutil.which("chromium"):
        raise SystemExit("Chromium is not installed: apt install chromium")
    with tempfile.TemporaryDirectory() as home:
        found = measure(Path(home), options.repeats)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(
        f"the server answers after {found['start_s']:.1f} s; medians of {options.repeats} visits and the longest, ms\n"
    )
    print(f"{'page':10}{'very first':>12}{'first paint':>14}{'longest':>10}{'whole':>10}{'longest':>10}")
    for page, *times in (row.values() for row in found["rows"]):  # type: ignore[attr-defined]
        print(
            f"{page:10}"
            + "".join(f"{ms:>{width}.0f}" for ms, width in zip(times, (12, 14, 10, 10, 10), strict=True))
        )


if __name__ == "__main__":
    main()
