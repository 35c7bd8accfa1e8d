"""`demo`: the paper's three settings on the generated set; `--prepare` makes what a hosted demo shows."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from fer_core.datasets.audit import audit
from fer_core.learning.networks.backbones import PACKAGED

from .context import Bar, Context, note
from .train import train


def demo(options: argparse.Namespace) -> int:
    """Carry out `demo`; 1 when a run failed or was cancelled. What has been made is recalled."""
    from .main import parser

    worst = 0
    for arguments in _requests(options):
        if options.prepare:
            note(" ".join(arguments))
        asked = parser().parse_args([*arguments, *(["--json"] if options.json else [])])
        worst = max(worst, train(asked))
    if options.prepare:
        _audit()
    return worst


def _requests(options: argparse.Namespace) -> Iterator[list[str]]:
    """Yield the command lines of `train` that the demo consists of."""
    epochs = options.epochs or (2 if options.prepare else 20)
    start = ["train", "--data", "demo"]
    network = [*start, "--backbone", PACKAGED]
    grouped = ["--protocol", "group"]
    yield [*network, *grouped, "--epochs", str(epochs), "--unfreeze", "1,2,3"]
    if options.prepare:
        # The head alone costs little: one run long enough for curves, one whose images are dealt at random,
        # to show what a leak does, and one on whole frames; then what the paper compares with.
        long = ["--epochs", "20", "--unfreeze", "1", "--calibrate"]
        yield [*network, *grouped, *long]
        yield [*network, "--protocol", "stratified", *long]
        yield [*network, *grouped, *long, "--no-faces"]
        yield [*start, *grouped, "--model", "svm", "--features", "phog"]
        yield [*start, *grouped, "--model", "bdnn"]


def _audit() -> None:
    """Have the set's audit ready, so that the first visitor need not wait for it."""
    context = Context.open()
    options = argparse.Namespace(data="demo", layout="auto", label_codes=None, group_pattern=None)
    dataset, _ = context.dataset(options)
    with Bar("reading images") as bar:
        audit(dataset, cache=context.settings.cache, progress=bar)
