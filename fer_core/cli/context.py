"""What commands share: the opened installation, its data sets, and runs carried out or waited for."""

import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from fer_core.config import settings as settings_module
from fer_core.config.run import DataConfig, RunConfig
from fer_core.config.settings import Settings
from fer_core.datasets.audit import AuditReport, audit
from fer_core.datasets.base import Dataset
from fer_core.datasets.fingerprint import data_config
from fer_core.datasets.open import open_dataset
from fer_core.datasets.understood import understood
from fer_core.errors import DataError
from fer_core.results.rows import title
from fer_core.runs.jobs import executors
from fer_core.runs.jobs.queue import submit, submit_together
from fer_core.runs.plans.requests import faces_per_frame, most_blocks_first, newest_detection
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.home import open_store
from fer_core.storage.shared_artifacts import artifacts_of
from fer_core.storage.store import Store, StoredRun

from .options import Source
from .output import note, progress


@dataclass(frozen=True)
class Context:
    """The state folder, the database and the artifacts of this installation."""

    settings: Settings
    store: Store
    artifacts: Artifacts

    @classmethod
    def open(cls) -> Self:
        """Open them as FER_* say."""
        settings = settings_module.load()
        return cls(settings, open_store(settings), artifacts_of(settings))

    def dataset(self, source: Source, *, shown: bool = True) -> tuple[Dataset, DataConfig]:
        """Open a data set, with its identity; unless not `shown`, print what a label map made of it.

        The name of one that was brought stands for its place and how it is read, to which what is given adds.
        """
        named = self.store.data_sets().get(source.data)
        if named and not Path(source.data).exists():
            source = replace(
                source,
                data=named.source,
                layout=named.layout if source.layout == "auto" else source.layout,  # type: ignore[arg-type]
                reading=named.reading.model_copy(update=source.reading.declared()),
            )
        with progress("drawing the generated set") as show:
            dataset = open_dataset(
                source.data,
                layout=source.layout,
                demo_root=self.settings.demo_data,
                roots=self.settings.data_roots,
                progress=show,
                reading=source.reading.model_copy(update={"exclude": None}),
            ).without(_named(source.reading.exclude or ()))
        if shown and dataset.label_map:  # a wrong one is seen before anything trains
            note("\n".join(understood(dataset).lines()))
        with progress("hashing files") as show:
            return dataset, data_config(dataset, cache=self.settings.cache, progress=show)

    def audit(self, dataset: Dataset, config: DataConfig) -> AuditReport:
        """Look into every image of a data set, or recall what was found."""
        found = newest_detection(self.store, self.artifacts, config.whole.fingerprint)
        faces = faces_per_frame(self.artifacts, found)
        with progress("reading images") as show:
            return audit(dataset, faces=faces, cache=self.settings.cache, progress=show)

    def finish(self, run_id: str) -> StoredRun:
        """Carry a run out in this process, or wait for the worker that holds it; show its progress."""
        with self._watched(run_id):
            while not (run := self.store.run(run_id)).ended:
                executors.EXECUTORS[self.settings.executor].work(self.settings, until_idle=True, only=run_id)
                if not self.store.run(run_id).ended:
                    time.sleep(0.5)
        return run

    def finish_all(self, ids: Iterable[str], total: int) -> Iterator[StoredRun]:
        """Yield each run as it has ended; a line names the one that is next."""
        for number, run_id in enumerate(ids, 1):
            run = self.store.run(run_id)
            note(f"[{number}/{total}] {title(run)}, {run.protocol}")
            yield self.finish(run_id)

    def asked(
        self, configs: Sequence[RunConfig], *, detach: bool, sweep: str | None = None
    ) -> tuple[list[StoredRun], set[str]]:
        """Ask for runs, carry them out unless they are left to a worker, and return them and which were done before."""
        ids = list(dict.fromkeys(config.key() for config in configs))
        done = self.finished(ids)
        queued = submit_together(self.store, most_blocks_first(configs), sweep=sweep)
        if detach:
            self.hand_over()
        found = {run.id: run for run in ([] if detach else self.finish_all(queued, len(queued)))}
        return [found.get(run_id) or self.store.run(run_id) for run_id in ids], done

    def carry_out(self, configs: Sequence[RunConfig]) -> list[StoredRun]:
        """Ask for runs one after another, each once the one before has ended, and return them."""
        asked = (submit(self.store, config)[0] for config in configs)
        return list(self.finish_all(asked, len(configs)))

    def finished(self, ids: Iterable[str]) -> set[str]:
        """Return which of these runs are done already."""
        return {run.id for run in self.store.runs(ids=list(ids), status=["done"])}

    def hand_over(self) -> None:
        """Have what is queued carried out by another process than this one, and say by which."""
        if not self.store.active():
            return
        if self.settings.executor == "inline":
            note(
                "FER_EXECUTOR=inline starts no worker; carry out what is queued with: python -m fer_core worker"
            )
        else:
            executors.launch(self.settings)
            where = executors.describe(self.settings)
            note(f"Carried out by {where}; watch it with: python -m fer_core jobs")

    @contextmanager
    def _watched(self, run_id: str) -> Iterator[None]:
        """Show a run's progress from the database while the body works or waits; nothing when piped."""
        if not sys.stderr.isatty():
            yield
            return
        ended = threading.Event()

        def watch() -> None:
            with progress(run_id[:8]) as show:
                while not ended.wait(0.3):
                    run = self.store.run(run_id)
                    if run.step_total:
                        show(run.step_done, run.step_total, f"{run_id[:8]} {run.step}")

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _named(frames: Iterable[str]) -> set[str]:
    """Return names of frames; one that ends in .txt is a file with a name on each line."""
    found: set[str] = set()
    for one in frames:
        try:
            found |= set(Path(one).read_text("utf-8").splitlines()) if one.endswith(".txt") else {one}
        except (OSError, UnicodeDecodeError) as error:
            raise DataError("A file of excluded frames must be readable text", got=str(error)) from error
    return found - {""}
