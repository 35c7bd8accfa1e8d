"""`data audit` and `data generate`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from ..datasets.audit import audit as audit_dataset
from ..datasets.base import Dataset
from ..datasets.table_rows import LAYOUT
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
            {"fingerprint": fingerprint, "rows": len(dataset), "classes": counts, "problems": problems}
        )
        return 0
    print(f"{dataset.name}: {len(dataset)} rows of a feature table, no images, fingerprint {fingerprint}")
    print_table([counts], dict.fromkeys(counts))
    for problem in dataset.problems:
        print(f"\n{problem.name}\n  {problem.reason}")
    return 0


def generate(options: argparse.Namespace) -> int:
    """Carry out `data generate`."""
    from .. import settings
    from ..datasets.synthetic import GeneratedConfig
    from ..datasets.synthetic import generate as draw

    config = GeneratedConfig(seed=options.seed, ordinary=options.ordinary, hard=options.hard)
    folder = Path(options.out) if options.out else settings.load().demo_data / f"generated-{config.key()}"
    with Bar("drawing faces") as bar:
        folder = draw(config, folder, progress=bar)
    if options.json:
        print_json({"folder": str(folder), "key": config.key(), "images": config.ordinary + config.hard})
    else:
        print(f"{config.ordinary + config.hard} generated frames (not photographs) in {folder}")
    return 0
