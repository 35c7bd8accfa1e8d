"""`data audit` and `data generate`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from fer_core.config import settings
from fer_core.config.run import DataConfig
from fer_core.datasets.base import Dataset
from fer_core.datasets.generated.movie_plan import GeneratedConfig
from fer_core.datasets.readers.feature_table import LAYOUT, read_feature_table
from fer_core.errors import ConfigError
from fer_core.storage.home import require_home

from .context import Context
from .options import DEMO, Json, Source, only
from .output import answer, print_generated, print_json, print_table, progress, writable


def audit(*, source: Source = DEMO, json: Json = False) -> int:
    """Carry out `data audit`."""
    context = Context.open()
    dataset, config = context.dataset(source, shown=False)
    if dataset.layout == LAYOUT:
        return _audit_sheet(dataset, config, json=json)
    report = context.audit(dataset, config)
    if json:
        print_json({"fingerprint": config.fingerprint, **asdict(report)})
        return 0
    print(f"{dataset.name}: {len(dataset)} images, layout {dataset.layout}, fingerprint {config.fingerprint}")
    print_table([dataset.class_counts()], dataset.class_counts())
    for line in report.understood.lines():
        print(line)
    for finding in (one for one in report.findings if one.code != "reading"):  # remarks stand above
        print(f"\n[{finding.severity}] {finding.title}\n  {finding.detail}")
        for name in finding.names[:10]:
            print(f"    {name}")
        if len(finding.names) > 10:
            print(f"    ... and {len(finding.names) - 10} more (all in --json)")
    return 0


def _audit_sheet(dataset: Dataset, config: DataConfig, *, json: bool) -> int:
    """Report what is odd in a feature table, which has no images to look into."""
    found = {
        "fingerprint": config.fingerprint,
        "generated": dataset.generated,
        "rows": len(dataset),
        "classes": dataset.class_counts(),
        "problems": [asdict(problem) for problem in dataset.problems],
    }

    def show(_: object) -> None:
        about = f"{len(dataset)} rows of a feature table, no images"
        print(f"{dataset.name}: {about}, fingerprint {config.fingerprint}")
        print_table([dataset.class_counts()], dataset.class_counts())
        print_generated(config)
        for problem in dataset.problems:
            print(f"\n{problem.name}\n  {problem.reason}")

    return answer(json, found, show)


def generate(
    *,
    out: Path | None = None,
    table: Path | None = None,
    config: Annotated[GeneratedConfig, only("config", "seed", "ordinary", "hard")] = GeneratedConfig(),  # noqa: B008
    json: Json = False,
) -> int:
    """Carry out `data generate`.

    Args:
        out: where to put it (default: the state folder).
        table: a feature table (.xlsx or .csv) instead of faces.
    """
    from fer_core.datasets.generated.frames import generate as draw  # with scipy, which an audit does without

    if table:
        return _generate_table(writable(table), config.seed, json=json)
    if out:
        folder = writable(out, "new folder")
    else:
        require_home(here := settings.load())
        folder = here.demo_data / f"generated-{config.key()}"
    with progress("drawing faces") as show:
        folder = draw(config, folder, progress=show)
    images = config.ordinary + config.hard
    found = {"folder": str(folder), "key": config.key(), "images": images}
    return answer(json, found, lambda _: print(f"{images} generated frames (not photographs) in {folder}"))


def _generate_table(path: Path, seed: int, *, json: bool) -> int:
    """Write a feature table of SFEW's kind, with figures drawn at random and the traps of the real one."""
    from fer_core.datasets.generated.table import generate_table

    if path.suffix.lower() not in (".xlsx", ".csv"):
        raise ConfigError(
            "A feature table must be .xlsx or .csv", got=repr(path.name), fix="Give the file such an ending"
        )
    if path.exists():
        raise ConfigError("a new file must be named", got=str(path), fix="Name another, or delete it first")
    rows = len(read_feature_table(generate_table(path, seed=seed)))
    text = f"{rows} rows of generated figures (not measured on faces) in {path}"
    return answer(json, {"file": str(path), "rows": rows}, lambda _: print(text))
