"""`data audit` and `data generate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..datasets.audit import audit as audit_dataset
from .context import Bar, Context, print_json, print_table


def audit(options: argparse.Namespace) -> int:
    """Carry out `data audit`."""
    context = Context.open()
    dataset, config = context.dataset(options)
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
