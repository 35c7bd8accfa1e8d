"""`data audit` and `data generate`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from fer_core.datasets.audit import audit as audit_dataset
from fer_core.datasets.base import Dataset, generated_words
from fer_core.datasets.readers.feature_table import read_feature_table
from fer_core.datasets.readers.table_rows import LAYOUT
from fer_core.errors import ConfigError

from .context import Bar, Context, print_json, print_table


def audit(options: argparse.Namespace) -> int:
    """Carry out `data audit`."""
    context = Context.open()
    dataset, config = context.dataset(options)
    if dataset.layout == LAYOUT:
        return _audit_sheet(dataset, config.fingerprint, json=options.json)
    with Bar("reading images") as bar:
        report = audit_dataset(dataset, cache=context.settings.cache, progress=bar)
    if options.json:
        print_json({"fingerprint": config.fingerprint, **report.to_dict()})
        return 0
    print(f"{dataset.name}: {len(dataset)} images, layout {dataset.layout}, fingerprint {config.fingerprint}")
    print_table([dataset.class_counts()], dict.fromkeys(dataset.class_counts()))
    for finding in report.findings:
        print(f"\n[{finding.severity}] {finding.title}\n  {finding.detail}")
        for name in finding.names[:10]:
            print(f"    {name}")
        if len(finding.names) > 10:
            print(f"    ... and {len(finding.names) - 10} more (all in --json)")
    return 0


def _audit_sheet(dataset: Dataset, fingerprint: str, *, json: bool) -> int:
    """Tell what is odd in a feature table, which has no images to look into."""
    counts, problems = dataset.class_counts(), [asdict(problem) for problem in dataset.problems]
    if json:
        print_json(
            {
                "fingerprint": fingerprint,
                "generated": dataset.generated,
                "rows": len(dataset),
                "classes": counts,
                "problems": problems,
            }
        )
        return 0
    print(f"{dataset.name}: {len(dataset)} rows of a feature table, no images, fingerprint {fingerprint}")
    print_table([counts], dict.fromkeys(counts))
    if dataset.generated:
        print(f"\n{': '.join(generated_words(dataset.layout))}")
    for problem in dataset.problems:
        print(f"\n{problem.name}\n  {problem.reason}")
    return 0


def generate(options: argparse.Namespace) -> int:
    """Carry out `data generate`."""
    if options.table:
        return _generate_table(Path(options.table).expanduser(), options.seed, json=options.json)
    from fer_core.config import settings
    from fer_core.datasets.generated.frames import GeneratedConfig
    from fer_core.datasets.generated.frames import generate as draw

    config = GeneratedConfig(seed=options.seed, ordinary=options.ordinary, hard=options.hard)
    folder = Path(options.out) if options.out else settings.load().demo_data / f"generated-{config.key()}"
    with Bar("drawing faces") as bar:
        folder = draw(config, folder, progress=bar)
    if options.json:
        print_json({"folder": str(folder), "key": config.key(), "images": config.ordinary + config.hard})
    else:
        print(f"{config.ordinary + config.hard} generated frames (not photographs) in {folder}")
    return 0


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
    if json:
        print_json({"file": str(path), "rows": rows})
    else:
        print(f"{rows} rows of generated figures (not measured on faces) in {path}")
    return 0
