"""Run the benchmarks one after another, small enough for two cores and 25 minutes, and write `docs/benchmarks.md`.

    python benchmarks/report.py [--only NAME ...] [--baseline] [--no-page]

Each is a process of its own, whose table is copied as it is printed; the page is written after each, so that one that
fails or hangs takes no other with it, and what `--only` leaves out stays as it was. Ratios to a peer that ran in the
same process are compared with those of `benchmarks/baseline.json`, and printed where they fell by a tenth;
`--baseline` keeps new ones. `--no-page` only prints.
"""

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fer_core.runs.jobs.processes import end_all  # noqa: E402

PAGE, BASELINE = ROOT / "docs" / "benchmarks.md", ROOT / "benchmarks" / "baseline.json"
PACKAGES = ("torch", "torchvision", "facenet-pytorch", "streamlit", "numpy", "scikit-learn")
#: A ratio this much below the baseline's is a regression; timings on a shared machine differ by less.
FELL = 0.9
#: Seconds after which a benchmark is given up.
LIMIT = 600.0


@dataclass(frozen=True)
class Part:
    """One benchmark: what it shows, how it is called here, and of which figures (rows, label, ratio) it has a peer."""

    title: str
    says: str
    command: str
    rows: str = ""
    label: tuple[str, ...] = ()
    ratio: str = ""
    #: whether a smaller ratio is the better one
    falling: bool = False


PARTS = {
    "detect": Part(
        "Detection",
        "frames a second beside facenet-pytorch's MTCNN, boxes compared",
        "detect.py --threads 1 --repeats 3 --frames 12 --batch 1,16",
        *("rows", ("size", "batch"), "ratio"),
    ),
    "peers": Part(
        "Detectors",
        "faces found on the same frames by what people use, one thread's CPU time",
        "peers.py --clock cpu",
        *("rows", ("detector", "frames"), "ratio"),
    ),
    "train": Part(
        "Training",
        "seconds of an epoch beside the usual fine-tuning loop, and beside the floor of its multiplications",
        "train.py --threads 1 --images 96 --recipe-images 32 --repeats 3",
        *("settings", ("unfreeze",), "ratio"),
    ),
    "predict": Part(
        "Prediction",
        "milliseconds an image beside MTCNN and ResNet-18 by hand",
        "predict.py --frames 6",
        *("rows", ("system", "batch", "plain_pixels"), "share"),
        falling=True,
    ),
    "descriptors": Part(
        "Descriptors",
        "pieces a second beside plain loops",
        "descriptors.py --images 70 --threads 1",
        *("rows", ("what",), "ratio"),
    ),
    "memory": Part(
        "Memory",
        "what a long detection takes, flat",
        "detect.py --threads 1 --memory 1000 --sizes 160x120,240x180",
    ),
    "first_paint": Part("First paint", "what a visitor waits for, in Chromium", "first_paint.py"),
    "faces": Part("Faces", "the right face, the lost ones won back, the cause named", "faces.py --frames 20"),
    "photographs": Part(
        "Photographs", "every shipped way to answer on real faces", "photographs.py --epochs 8"
    ),
    "coverage": Part(
        "Intervals", "how often a 95 % interval holds the truth", "coverage.py --repeats 100 --groups 10 37"
    ),
    "uploads": Part("Uploads", "malformed files answered", "uploads.py --count 300"),
    "pages": Part(
        "Pages",
        "milliseconds of a visit",
        "pages.py --runs 5000 --rows 20000 --frames 5000 --database SQLite --repeats 3",
    ),
    "executors": Part(
        "Executors", "the same runs, each way", "executors.py --executors inline,local --epochs 2"
    ),
    "load": Part("Load", "visitors at once", "load.py --visitors 20 --seconds 60"),
    "attacks": Part("Attacks", "tried and held", "attacks.py --share 0.1"),
    "faults": Part("Faults", "killed, and nothing lost", "faults.py --kills 6 --epochs 3 --seeds 1"),
}


def carry_out(part: Part) -> tuple[dict[str, Any] | None, str, float, int | None]:
    """Run a benchmark; return JSON where it has ratios, what it printed, seconds, exit status or None."""
    script, *arguments = part.command.split()
    command = [sys.executable, str(ROOT / "benchmarks" / script), *arguments, *["--json"] * bool(part.ratio)]
    started = time.perf_counter()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, cwd=ROOT, **pipes)  # type: ignore[call-overload]
    try:
        printed, complaints = process.communicate(timeout=LIMIT)
        status = process.returncode
    except subprocess.TimeoutExpired:
        end_all([process], 30.0)
        (printed, complaints), status = process.communicate(), None
    seconds = time.perf_counter() - started
    if status == 0 and part.ratio:
        return json.loads(printed), "", seconds, status
    if status != 0:
        for place in (str(ROOT), sys.prefix, sys.base_prefix):  # the page names no folder of the machine
            complaints = complaints.replace(f"{place}{os.sep}", "")
        printed += complaints[-2000:]
    return None, printed.strip("\n"), seconds, status


def ratios(part: Part, found: dict[str, Any]) -> dict[str, float]:
    """Return the ratios of a benchmark by what each is of."""
    return {
        " ".join(str(row[name]) for name in part.label): float(row[part.ratio]) for row in found[part.rows]
    }


def as_table(rows: list[dict[str, Any]]) -> str:
    """Write rows as a Markdown table, numbers to three figures."""

    def cell(value: Any) -> str:
        if isinstance(value, dict):
            return ", ".join(f"{name} {cell(own)}" for name, own in value.items())
        return f"{value:.3g}" if isinstance(value, float) else "–" if value is None else str(value)

    lines = [
        list(rows[0]),
        ["---"] * len(rows[0]),
        *([cell(value) for value in row.values()] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def compare(name: str, part: Part, found: dict[str, float], before: dict[str, float]) -> list[str]:
    """Return in words which ratios got worse than the baseline's by more than a tenth."""
    worse = []
    for what, value in found.items():
        old = before.get(what)
        if old and (old / value if part.falling else value / old) < FELL:
            worse.append(f"{name} {what}: {value:.2f}, before {old:.2f}")
    return worse


def machine() -> str:
    """Return the processor, its cores and the memory, in words."""
    named = (
        re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        if sys.platform == "linux"
        else None
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({named[1] if named else platform.machine()}), {memory:.0f} GiB"


def kept_sections() -> dict[str, str]:
    """Return the sections of the page as it is, by the name of their benchmark."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    found = {section.partition(":")[0]: f"## {section.strip()}\n" for section in text.split("\n## ")[1:]}
    return {name: found[part.title] for name, part in PARTS.items() if part.title in found}


def write_page(sections: dict[str, str]) -> None:
    """Write the page: what was measured on what, and each benchmark's section."""
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    head = (
        "# Benchmarks\n\nWritten by `make bench`; each section says when. Sizes are small, so that all of it takes "
        "under 25 minutes on two cores; each benchmark's `--help` says how to have more. A ratio is of the medians of "
        "turns that both sides took in one process, `lowest` and `highest` are of single turns. OpenCV's cascade, "
        "`fer`, `mtcnn` and `deepface` need OpenCV or TensorFlow, which FER Lab does without: "
        "install them into a folder beside it.\n\n"
        "```sh\n"
        "python -m pip install --no-deps --target .peers -r benchmarks/peers.txt\n"
        "PYTHONPATH=.peers python benchmarks/report.py --only peers\n"
        "```\n\n"
        f"{machine()}; Python {platform.python_version()}, {versions}.\n\n"
    )
    PAGE.write_text(head + "\n".join(sections[name] for name in PARTS if name in sections), encoding="utf-8")


def main() -> None:
    """Run, write the page, print what fell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument(
        "--baseline", action="store_true", help="keep these ratios to compare later ones with"
    )
    parser.add_argument("--no-page", action="store_true", help="print what fell, write nothing")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    before = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    kept, sections, fell, failed = dict(before), kept_sections(), [], []
    for name in options.only:
        part = PARTS[name]
        found, printed, seconds, status = carry_out(part)
        ended = "given up" if status is None else f"exit {status}"
        print(f"{name}: {seconds:.0f} s, {ended}", flush=True)
        if status != 0:
            failed.append(name)
        body = f"```text\n{printed}\n```"
        if found is not None:
            kept[name] = ratios(part, found)
            fell += compare(name, part, kept[name], before.get(name, {}))
            tables = [rows for rows in found.values() if isinstance(rows, list) and rows]
            body = "\n\n".join(as_table(rows) for rows in tables)
        when = f"{datetime.date.today()}: {seconds:.0f} s, {ended}"
        sections[name] = (
            f"## {part.title}: {part.says}\n\n`python benchmarks/{part.command}`, {when}\n\n{body}\n"
        )
        if not options.no_page:
            write_page(sections)
        if options.baseline:
            BASELINE.write_text(json.dumps(kept, indent=1) + "\n")
    print("\n".join(["worse than the baseline:", *fell]) if fell else "no ratio fell")
    print(f"not whole: {', '.join(failed)}" if failed else "all held")


if __name__ == "__main__":
    main()
