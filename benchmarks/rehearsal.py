"""A data set of 100 000 small frames from the audit to the pages: CPU time and memory of each tenth of every stage.

The frames are varied from a few hundred generated ones (drawn by this program, no evidence about real faces) by window,
mirror, brightness and noise, so that no two are equal; names say movies and shots as SFEW's do. One process lists,
audits, detects, cuts, computes activations and trains mini-Xception's head (n = 1, folds by movie) as a worker does; a
server then shows them. Weights are random: cost doesn't depend on them, and FER2013's would be compared with a
recogniser that cuts all faces once more. A stage is flat when its last tenth costs what its first does. Memory is what
no file backs.

    python benchmarks/rehearsal.py [--frames N] [--epochs E] [--home DIR] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from benchmarks.pages import visits_of_frames  # noqa: E402
from benchmarks.parts.long_detection import resident  # noqa: E402
from benchmarks.parts.server import Server  # noqa: E402
from fer_core.config import settings  # noqa: E402
from fer_core.config.run import ProtocolConfig, RunConfig, TrainingConfig, TransferConfig  # noqa: E402
from fer_core.config.settings import Settings  # noqa: E402
from fer_core.datasets.audit import audit  # noqa: E402
from fer_core.datasets.fingerprint import data_config  # noqa: E402
from fer_core.datasets.generated.frames import GeneratedConfig, generate  # noqa: E402
from fer_core.datasets.open import open_dataset  # noqa: E402
from fer_core.learning.reporting import Report, RunResult  # noqa: E402
from fer_core.runs.jobs.queue import submit  # noqa: E402
from fer_core.runs.jobs.worker import pipeline_execute, run_worker  # noqa: E402
from fer_core.storage.store import Store  # noqa: E402

WIDTH, HEIGHT = 160, 120
DRAWN = GeneratedConfig(seed=5, ordinary=420, hard=60, movies=20, width=2 * WIDTH, height=2 * HEIGHT)
TENTHS, VISITS = 10, 3


@dataclass(frozen=True)
class Mark:
    """What a part of a stage took, all threads together: `frames` of it done, seconds, MiB at its end."""

    stage: str
    frames: int
    cpu: float
    wall: float
    memory: float


class Watch:
    """Notes what each tenth of a stage takes; as a run's report it passes on all that it hears."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []
        self._stage, self._noted, self._start = "", 0, (time.process_time(), time.perf_counter())

    def progress(self, stage: str) -> Callable[[int, int], None]:
        """Return what a stage calls with frames done and frames in all."""
        return lambda done, total: self.note(stage, done, total)

    def note(self, stage: str, done: int, total: int) -> None:
        """Note the part of the stage that has ended, if one has."""
        if stage != self._stage:  # what came before it, since the last mark, belongs to no stage
            self.rest(stage)
            self._stage, self._noted = stage, done
        elif done * TENTHS // total > self._noted * TENTHS // total:
            self._mark(stage, done - self._noted)
            self._noted = done

    def rest(self, following: str) -> None:
        """Note what has passed since the last mark: listing files, reading tables, writing rows."""
        self._mark(f"before {following}", 0)

    def over(self, report: Report) -> Report:
        """Return a report that also notes steps here; training counts folds times epochs instead of frames."""
        watch = self

        class Passing:
            run_id, attempt, epoch = report.run_id, report.attempt, report.epoch
            check, log = report.check, report.log

            def step(self, name: str, done: int, total: int) -> None:
                watch.note(name, done, total)
                report.step(name, done, total)

        return Passing()

    def _mark(self, stage: str, frames: int) -> None:
        now = time.process_time(), time.perf_counter()
        cpu, wall = (after - before for after, before in zip(now, self._start, strict=True))
        self._start = now
        self.marks.append(Mark(stage, frames, cpu, wall, resident("RssAnon")))
        print(f"{stage:32}{frames:>8}{cpu:>10.1f}{wall:>10.1f}{self.marks[-1].memory:>8.0f}", file=sys.stderr)


def vary(sources: list[Path], folder: Path, frames: int, watch: Watch) -> None:
    """Write `frames` variations of drawn frames, no two alike, in shots of some frames and movies of many."""
    pictures = [Image.open(path).convert("RGB") for path in sources]
    for number in range(frames):
        rng = np.random.default_rng([7, number])
        turn, index = divmod(number, len(sources))
        picture, source = pictures[index], sources[index]
        width = int(picture.width * rng.uniform(0.8, 1.0))
        height = width * HEIGHT // WIDTH
        left, top = rng.integers(picture.width - width + 1), rng.integers(picture.height - height + 1)
        window = (left, top, left + width, top + height)
        pixels = np.asarray(picture.resize((WIDTH, HEIGHT), Image.Resampling.BOX, window), np.float32)
        pixels = pixels[:, :: rng.choice((-1, 1))] * np.float32(rng.uniform(0.7, 1.3))
        pixels += rng.integers(-6, 7, pixels.shape, np.int8)
        movie, stamp, rest = source.stem.split("_")
        place = folder / source.parent.name / f"{movie}{turn % 5}_{turn:04d}{stamp[:5]}_{rest}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(place, quality=85)
        watch.note("drawing the frames", number + 1, frames)


def carry_out(folder: Path, here: Settings, epochs: int, watch: Watch) -> None:
    """List, audit and train, as a worker does, faces first."""
    watch.rest("listing")
    dataset = open_dataset(str(folder))
    watch.rest("the audit")
    audit(dataset, cache=here.cache, progress=watch.progress("audit"))
    config = RunConfig(
        data=data_config(dataset, cache=here.cache),
        model=TransferConfig(backbone="mini_xception", weights="none", unfreeze=1),
        protocol=ProtocolConfig(name="group", folds=5),
        training=TrainingConfig(epochs=epochs),
    )
    store = Store(here.database)
    submit(store, config)

    def execute(config: RunConfig, report: Report, here: Settings) -> RunResult:
        return pipeline_execute(config, watch.over(report), here)

    run_worker(here, until_idle=True, execute=execute)
    watch.rest("the pages")
    (run,) = store.runs(goal="train")
    if run.status != "done":
        raise SystemExit(run.error)
    store.close()


def pages(folder: Path, home: Path) -> dict[str, list[float]]:
    """Return by page the server's CPU ms of the first visit and of the median of some later ones, and its MiB then."""
    dataset = open_dataset(str(folder))
    with Server(home / "server.log", dict(os.environ)) as server:
        found = {}
        for name, (page, query) in visits_of_frames(folder, dataset.samples[len(dataset) // 2].name).items():
            first, *later = (server.visit(page, query).cpu_ms for _ in range(1 + VISITS))
            found[name] = [first, statistics.median(later), server.memory()]
            print(name, *(f"{value:.0f}" for value in found[name]), file=sys.stderr)
        return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument(
        "--home", type=Path, help="keep what is made here, and find the frames here the next time"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    os.chdir(ROOT)
    for name in [name for name in os.environ if name.startswith("FER_")]:
        del os.environ[name]
    watch = Watch()
    with tempfile.TemporaryDirectory(prefix="fer-rehearsal-") as temporary:
        home = (options.home or Path(temporary)).absolute()
        os.environ |= {
            "FER_HOME": str(home),
            "FER_DEVICE": "cpu",
            "FER_THREADS": "1",
            "FER_EXECUTOR": "inline",
        }
        if not (home / "frames").exists():
            drawn = generate(DRAWN, home / "drawn", workers=1)
            vary(sorted(drawn.glob("*/*.png")), home / "frames", options.frames, watch)
        carry_out(home / "frames", settings.load(), options.epochs, watch)
        seen = pages(home / "frames", home)
    if options.json:
        print(json.dumps({"marks": [asdict(mark) for mark in watch.marks], "pages": seen}, indent=2))
        return
    print(
        f"{options.frames} frames of {WIDTH} x {HEIGHT}, load {os.getloadavg()[0]:.1f}; CPU s for 1,000 frames\n"
    )
    print("| stage | first tenth | middle | last tenth | in all | wall | MiB, first tenth | MiB, last |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for stage in dict.fromkeys(mark.stage for mark in watch.marks):
        marks = [mark for mark in watch.marks if mark.stage == stage]
        each = [f"{1000 * mark.cpu / mark.frames:.2f}" if mark.frames else "" for mark in marks]
        cpu, wall = sum(mark.cpu for mark in marks), sum(mark.wall for mark in marks)
        cells = [each[0], each[len(each) // 2], each[-1], f"{cpu:.0f}", f"{wall:.0f}"]
        memory = [f"{marks[0].memory:.0f}", f"{marks[-1].memory:.0f}"]
        print(f"| {' | '.join([stage, *cells, *memory])} |")
    print("\n| page | first visit (CPU ms) | later | MiB of the server |\n|---|---:|---:|---:|")
    for page, (first, later, memory) in seen.items():
        print(f"| {page} | {first:.0f} | {later:.0f} | {memory:.0f} |")


if __name__ == "__main__":
    main()
