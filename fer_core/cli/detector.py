"""`detector train`: fine-tune R- and O-Net, and say what that wins and loses."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from fer_core.config.run import parse
from fer_core.faces.finetuning.finetuned import KIND, FineTuneConfig

from .context import Bar, Context, note, percent, percent_interval, print_json, print_table

#: The rows of the table: title, figure before, figure after.
ROWS = (
    ("faces found", "found_before", "found_after"),
    ("no-face frames with a false face", "false_before", "false_after"),
    ("one-face frames with a false face", "beside_before", "beside_after"),
)


def train(options: argparse.Namespace) -> int:
    """Carry out `detector train`."""
    context = Context.open()
    dataset, data = context.dataset(options)
    config = parse(FineTuneConfig, {"epochs": options.epochs, "seed": options.seed})
    drawn = context.store.drawn_boxes(data.fingerprint)
    from fer_core.faces.finetuning.train import fine_tune

    with _Steps() as told:
        key = fine_tune(dataset, data, drawn, config, context.artifacts, progress=told)
    about = context.artifacts.read_config(KIND, key)
    if options.json:
        print_json({"key": key, **about})
        return 0
    _print(key, about)
    return 0


def _print(key: str, about: dict[str, Any]) -> None:
    figures = about["figures"]
    rows = [
        {
            "held-out movies": title,
            "before": _counted(figures[before]),
            "after": _counted(figures[after]),
        }
        for title, before, after in ROWS
    ]
    rows.append(
        {
            "held-out movies": "mean IoU of faces found by both",
            "before": _averaged(figures["iou_before"]),
            "after": _averaged(figures["iou_after"]),
        }
    )
    print_table(rows, {"held-out movies": None, "before": None, "after": None})
    print(f"\nfailures won: {_counted(figures['won'])}\nfaces lost: {_counted(figures['lost'])}")
    print(
        f"\n{figures['frames']} frames of {len(about['held_out_groups'])} movies that were not trained on"
        f" ({len(about['training_groups'])} were). A face is found at an IoU of 0.5 or more. Intervals are 95 %:"
        " Wilson for shares, a bootstrap over movies for the IoU."
    )
    if about["data"]["generated"]:
        print("Generated faces, not photographs: these figures say nothing about real faces.")
    print(f"\nUse it: faces --detector {key}")


def _counted(figure: dict[str, Any]) -> str:
    if figure["share"] is None:
        return "no such frame"
    shown = f"{figure['count']} of {figure['of']}, {percent(figure['share'])}"
    return f"{shown} ({percent_interval(figure['interval'])})"


def _averaged(figure: dict[str, Any]) -> str:
    if figure["mean"] is None:
        return "-"
    interval = figure["interval"]
    return f"{figure['mean']:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


class _Steps:
    """One bar a step on a terminal; elsewhere a line a step."""

    def __init__(self) -> None:
        self._name, self._bar = "", Bar("")

    def __enter__(self) -> _Steps:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.__exit__()

    def __call__(self, name: str, done: int, total: int) -> None:
        if name != self._name:
            self._bar.__exit__()
            self._name, self._bar = name, Bar(name)
            if not sys.stderr.isatty():
                note(name)
        self._bar(done, total)
