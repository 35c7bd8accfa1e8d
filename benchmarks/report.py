"""Run the benchmarks one after another, small enough for two cores and 25 minutes, and write `docs/benchmarks.md`.

    python benchmarks/report.py [--only NAME ...] [--baseline]

Each is a process of its own, whose table is copied as it is printed. Ratios to a peer that ran in the same process are
compared with those of `benchmarks/baseline.json`, and printed where they fell by a tenth; `--baseline` keeps new ones.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE, BASELINE = ROOT / "docs" / "benchmarks.md", ROOT / "benchmarks" / "baseline.json"
PACKAGES = ("torch", "torchvision", "facenet-pytorch", "streamlit", "numpy", "scikit-learn")
#: A ratio this much below the baseline's is a regression; timings on a shared machine differ by less.
FELL = 0.9


@dataclass(frozen=True)
class Part:
    """One benchmark: what it shows, how it is called here, and of which figures (rows, label, ratio) it has a peer."""

    title: str
    says: str
    arguments: tuple[str, ...]
    rows: str = ""
    label: tuple[str, ...] = ()
    ratio: str = ""
    #: whether a smaller ratio is the better one
    falling: bool = False


PARTS = {
    "detect": Part(
        "Detection",
        "frames a second beside facenet-pytorch's MTCNN, boxes compared",
        ("--threads", "1", "--repeats", "3", "--frames", "12", "--batch", "1,16"),
        *("rows", ("size", "batch"), "ratio"),
    ),
    "train": Part(
        "Training",
        "seconds of an epoch beside the usual fine-tuning loop",
        ("--threads", "1", "--images", "160", "--recipe-images", "64"),
        *("settings", ("unfreeze",), "ratio"),
    ),
    "predict": Part(
        "Prediction",
        "milliseconds an image beside MTCNN and ResNet-18 by hand",
        ("--frames", "6"),
        *("rows", ("system", "batch", "plain_pixels"), "share"),
        falling=True,
    ),
    "descriptors": Part("Descriptors", "seconds beside plain loops", ("--images", "42", "--threads", "1")),
    "faces": Part("Faces", "the right face, the lost ones won back, the cause named", ("--frames", "20")),
    "photographs": Part("Photographs", "every shipped way to answer on real faces", ("--epochs", "8")),
    "coverage": Part(
        "Intervals", "how often a 95 % interval holds the truth", ("--repeats", "100", "--groups", "10", "37")
    ),
    "uploads": Part("Uploads", "malformed files answered", ("--count", "300")),
    "pages": Part(
        "Pages", "milliseconds of a visit", ("--runs", "5000", "--rows", "20000", "--frames", "5000")
    ),
    "executors": Part(
        "Executors", "the same runs, each way", ("--executors", "inline,local", "--epochs", "2")
    ),
    "load": Part("Load", "visitors at once", ("--visitors", "20", "--seconds", "60")),
    "attacks": Part("Attacks", "tried and held", ("--share", "0.1")),
    "faults": Part("Faults", "killed, and nothing lost", ("--kills", "6", "--epochs", "3", "--seeds", "1")),
}


def carry_out(name: str, part: Part) -> tuple[dict[str, Any] | None, str, float, int]:
    """Run a benchmark; return its JSON where it has ratios, else its table, with seconds and exit status."""
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), *part.arguments]
    command += ["--json"] if part.ratio else []
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    printed = done.stdout or done.stderr[-2000:]
    found = json.loads(done.stdout) if part.ratio and not done.returncode else None
    return found, printed.strip(), seconds, done.returncode


def ratios(part: Part, found: dict[str, Any]) -> dict[str, float]:
    """Return the ratios of a benchmark by what each is of."""
    return {
        " ".join(str(row[name]) for name in part.label): float(row[part.ratio]) for row in found[part.rows]
    }


def as_table(rows: list[dict[str, Any]]) -> str:
    """Write rows as a Markdown table, numbers to three figures."""

    def cell(value: Any) -> str:
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


def main() -> None:
    """Run, write the page, print what fell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument(
        "--baseline", action="store_true", help="keep these ratios to compare later ones with"
    )
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    before = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    kept, sections, fell, failed = dict(before), [], [], []
    for name in options.only:
        part = PARTS[name]
        found, printed, seconds, status = carry_out(name, part)
        print(f"{name}: {seconds:.0f} s, exit {status}", flush=True)
        if status:
            failed.append(name)
        if found is None:
            body = f"```text\n{printed}\n```"
        else:
            kept[name] = ratios(part, found)
            fell += compare(name, part, kept[name], before.get(name, {}))
            body = as_table(found[part.rows])
        command = " ".join(["python", f"benchmarks/{name}.py", *part.arguments])
        sections.append(
            f"## {part.title}: {part.says}\n\n`{command}`: {seconds:.0f} s, exit {status}\n\n{body}\n"
        )
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    head = (
        f"# Benchmarks\n\nMade by `make bench` on {datetime.date.today()}: {os.cpu_count()} cores "
        f"({platform.machine()}), Python {platform.python_version()}, {versions}. Sizes are small, so that all of "
        "it takes under 25 minutes on two cores; each benchmark's `--help` says how to have more.\n\n"
    )
    PAGE.write_text(head + "\n".join(sections))
    if options.baseline:
        BASELINE.write_text(json.dumps(kept, indent=1) + "\n")
    print("\n".join(["worse than the baseline:", *fell]) if fell else "no ratio fell")
    print(f"exit status not 0: {', '.join(failed)}" if failed else "all held")


if __name__ == "__main__":
    main()
