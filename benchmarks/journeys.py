"""Time what a visitor waits for: seconds from a click to a page that has settled, in Chromium, first and warm.

A home is prepared with two short runs on a small generated set. Every view is reached by its link in a tab that has
the dashboard open, as a click on it does (first: the server has not drawn it yet; warm: the median of later visits);
an upload is timed from the file's choice to its answer, with its picture, none of which is remembered.
Settled is when the script has ended, nothing on the page is stale and nothing waits.

    python benchmarks/journeys.py [--repeats R] [--home DIR] [--views REGEX] [--json]
"""

import argparse
import contextlib
import io
import json
import os
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ.setdefault("OMP_NUM_THREADS", "1")

from playwright.sync_api import Page, sync_playwright  # noqa: E402

from benchmarks.parts.process import answers, free_port, launch  # noqa: E402
from fer_core.cli.main import main as fer  # noqa: E402
from fer_core.datasets.generated.frames import GeneratedConfig, generate  # noqa: E402
from fer_core.runs.jobs.processes import end_all  # noqa: E402
from fer_core.storage.store import Store  # noqa: E402

LIMIT = 1.0
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
#: The view that is reached by sending a photograph, not by a link alone.
UPLOAD = "Predict, an upload"
#: True once the script has ended, nothing is stale and no picture is missing, for two looks of 50 ms.
SETTLED = """() => {
    const app = document.querySelector("[data-testid=stApp]");
    const still = app && app.dataset.testScriptState === "notRunning" && !app.querySelector("[data-stale=true]")
        && !app.querySelector("[data-testid=stSkeleton], [data-testid=stSpinner]");
    window.calm = still ? (window.calm || 0) + 1 : 0;
    return window.calm > 2;
}"""


def prepare(home: Path) -> tuple[str, str, str]:
    """Train two runs on a small set unless they are there; return the set, a run's id and a frame's name."""
    config = GeneratedConfig(seed=5, ordinary=90, hard=6, movies=6, width=320, height=256)
    data = str(generate(config, home / "set", workers=1))
    words = ["train", "--data", data, "--backbone", "efficientnet_lite0", "--unfreeze", "1,2", "--json"]
    with contextlib.redirect_stdout(io.StringIO()):
        assert fer([*words, "--protocol", "group", "--folds", "2", "--epochs", "2"]) == 0, "the runs failed"
    store = Store(home / "fer.sqlite", read_only=True)
    run = store.runs(status=["done"], goal="train", limit=1)[0]
    name = str(store.predictions(run.id)["name"][0])
    store.close()
    return data, run.id, name


def links(data: str, run: str, frame: str) -> dict[str, str]:
    """Return the link of every view by its name."""
    views = ("All runs", "Learning curves", "Two runs", "Paper", "Leak meter")
    seen = {
        "Overview": ("", {}),
        "Faces": ("faces", {}),
        "Faces, failed": ("faces", {"frames": "failed"}),
        "Faces, one frame": ("faces", {"frame": frame}),
        "Train": ("train", {"backbone": "efficientnet_lite0"}),
        "A run's figures": ("train", {"run": run}),
        "A run's frames": ("train", {"run": run, "part": "Frames"}),
        "A run's frame": ("train", {"run": run, "frame": frame}),
        "A run's map": ("train", {"run": run, "part": "Map"}),
        **{f"Compare, {view.lower()}": ("compare", {"view": view}) for view in views},
        "Predict, a sample": ("predict", {"from": "sample"}),
        UPLOAD: ("predict", {"run": run}),
    }
    return {name: f"/{page}?{urlencode({'data': data} | query)}" for name, (page, query) in seen.items()}


def settle(page: Page, since: float) -> float:
    """Wait until the page has settled; return the seconds since then, the looks that made sure left out."""
    page.evaluate("window.calm = 0")
    page.wait_for_function(SETTLED, polling=50, timeout=180_000)
    return max(0.0, time.perf_counter() - since - 0.1)


def follow(page: Page, link: str) -> float:
    """Follow a link of the dashboard's own in the open tab, as a click does; return the seconds until it settled."""
    started = time.perf_counter()
    page.evaluate(
        "link => { history.pushState(null, '', link); window.dispatchEvent(new PopStateEvent('popstate')); }",
        link,
    )
    page.wait_for_timeout(
        60
    )  # the script has begun by then, or the page that was there would be taken for the new one
    return settle(page, started)


def upload(page: Page, link: str, photo: Path) -> float:
    """Send a photograph to Predict; return the seconds until its answer, with its picture, has settled."""
    follow(page, link)
    started = time.perf_counter()
    page.locator("input[type=file]").set_input_files(photo)
    page.get_by_role("img", name="faces boxed").first.wait_for()
    return settle(page, started)


def measure(
    page: Page, url: str, seen: dict[str, str], repeats: int, photo: Path
) -> list[dict[str, float | str]]:
    """Return first and warm seconds of every view, each reached from Train, which itself is loaded first."""
    rows: list[dict[str, float | str]] = []
    started = time.perf_counter()
    page.goto(url + seen["Train"], wait_until="commit")
    loaded = settle(page, started)
    for name, link in sorted(seen.items(), key=lambda item: item[0] == "Train"):  # itself last, from Overview
        times = [loaded] if name == "Train" else []
        for _ in range(repeats + 1):
            times.append(upload(page, link, photo) if name == UPLOAD else follow(page, link))
            follow(page, seen["Overview" if name == "Train" else "Train"])
        rows.append({"view": name, "first": times[0], "warm": statistics.median(times[1:])})
        print(f"{name}: {times[0]:.2f} s, then {rows[-1]['warm']:.2f} s", file=sys.stderr)
    return rows


def main() -> None:
    """Prepare, visit and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--home", type=Path, help="keep what is made here, and find it here the next time")
    parser.add_argument("--views", default=".", help="a regular expression that a view's name holds")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("FER_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="fer-journeys-") as folder, sync_playwright() as playwright:
        home = (options.home or Path(folder)).absolute()
        os.environ |= {"FER_HOME": str(home), "FER_DEVICE": "cpu", "FER_THREADS": "1"}
        data, run, frame = prepare(home)
        seen = links(data, run, frame)
        kept = {name: link for name, link in seen.items() if re.search(options.views, name)}
        port = free_port()
        process = launch(home / "server.log", dict(os.environ), port)
        try:
            assert answers(process, port, 90), "the dashboard did not answer"
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(180_000)
            around = {name: seen[name] for name in ("Overview", "Train")}
            rows = measure(
                page, f"http://127.0.0.1:{port}", kept | around, options.repeats, Path(data) / frame
            )
            browser.close()
        finally:
            end_all([process], 10.0)
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    load = f"load {os.getloadavg()[0]:.1f}"
    print(f"Seconds from a click to a settled page, warm: median of {options.repeats}; {load}\n")
    print(f"{'view':28} {'first':>7} {'warm':>7}  under {LIMIT:.0f} s")
    for row in rows:
        print(
            f"{row['view']:28} {row['first']:7.2f} {row['warm']:7.2f}  {'yes' if row['warm'] < LIMIT else 'NO'}"
        )


if __name__ == "__main__":
    main()
