"""`faces` finds faces and reports on every frame; `detector train` fine-tunes what finds them."""

import sys
from typing import Annotated, Any

import pandas as pd

from fer_core.config.run import RunConfig
from fer_core.faces.extraction import read_crops
from fer_core.faces.finetuning.finetuned import KIND, FineTuneConfig
from fer_core.results.rows import done
from fer_core.runs.jobs.queue import submit
from fer_core.runs.plans.requests import faces_config

from .context import Context
from .options import ALL_FACES, DEMO, Extraction, Json, Source, only
from .output import answer, note, print_json, print_table, progress, share_with_interval

SHOWN = ("status", "box", "probability", "landmarks", "faces", "rescued_by", "label", "group", "reason")

#: The rows of `detector train`'s table: title, figure before, figure after.
ROWS = (
    ("faces found", "found_before", "found_after"),
    ("no-face frames with a false face", "false_before", "false_after"),
    ("one-face frames with a false face", "beside_before", "beside_after"),
    ("mean IoU of faces found by both", "iou_before", "iou_after"),
)


def faces(*, source: Source = DEMO, extraction: Extraction = ALL_FACES, json: Json = False) -> int:
    """Carry out `faces`."""
    context = Context.open()
    _, data = context.dataset(source)
    cut = faces_config(context.store, context.artifacts, data, extraction.values())
    config = RunConfig(goal="faces", data=data, faces=cut)
    done(context.finish(submit(context.store, config)[0]))
    table = read_crops(context.artifacts.open("crops", config.crops_key())).table
    counts = table["status"].value_counts().to_dict()
    known = table.astype(object).where(pd.notna, None).rename(columns={"name": "path"})
    rows: list[dict[Any, Any]] = known[["path", *SHOWN]].to_dict("records")
    if json:
        print_json({"counts": counts, "images": rows})
        return 0
    failed = [row for row in rows if row["status"] not in ("found", "manual")]
    print_table(failed, ("path", "status", "probability", "faces", "rescued_by", "reason"))
    print("\n" + ", ".join(f"{count} {status}" for status, count in counts.items()))
    rescued = table["rescued_by"].value_counts()
    if len(rescued):
        print("found on a second look: " + ", ".join(f"{count} by {name}" for name, count in rescued.items()))
    return 0


def train_detector(
    *,
    source: Source = DEMO,
    config: Annotated[FineTuneConfig, only("config", "epochs", "seed")] = FineTuneConfig(),  # noqa: B008
    json: Json = False,
) -> int:
    """Carry out `detector train`."""
    from fer_core.config.devices import resolve
    from fer_core.faces.finetuning.train import fine_tune

    context = Context.open()
    dataset, data = context.dataset(source)
    drawn = context.store.drawn_boxes(data.whole.fingerprint)
    with progress() as show:
        key = fine_tune(
            dataset,
            data,
            drawn,
            config,
            context.artifacts,
            device=resolve(context.settings),
            progress=_stepwise(show),
        )
    about = context.artifacts.read_config(KIND, key)
    return answer(json, {"key": key, **about}, _print)


def _stepwise(show: Any) -> Any:
    """Return what reports (step, done, total): on a terminal by one bar, elsewhere by a line a step."""
    named: set[str] = set()

    def report(step: str, done: int, total: int) -> None:
        if step not in named and not sys.stderr.isatty():
            note(step)
        named.add(step)
        show(done, total, step)

    return report


def _print(about: dict[str, Any]) -> None:
    figures = about["figures"]
    rows = [
        {"held-out movies": title, "before": _shown(figures[before]), "after": _shown(figures[after])}
        for title, before, after in ROWS
    ]
    print_table(rows, rows[0])
    print(f"\nfailures won: {_shown(figures['won'])}\nfaces lost: {_shown(figures['lost'])}")
    print(
        f"\n{figures['frames']} frames of {len(about['held_out_groups'])} movies that were not trained on"
        f" ({len(about['training_groups'])} were). A face is found at an IoU of 0.5 or more. Intervals are 95 %:"
        " Wilson for shares, over movies for the IoU."
    )
    if about["data"]["generated"]:
        print("Generated faces, not photographs: these figures say nothing about real faces.")
    print(f"\nUse it: faces --detector {about['key']}")


def _shown(figure: dict[str, Any]) -> str:
    """Return a share of frames or a mean IoU, with its interval."""
    if "mean" in figure:
        if figure["mean"] is None:
            return "-"
        bounds = figure["interval"]
        return f"{figure['mean']:.3f}" + (f" ({bounds[0]:.3f} to {bounds[1]:.3f})" if bounds else "")
    if figure["share"] is None:
        return "no such frame"
    return f"{figure['count']} of {figure['of']}, {share_with_interval(figure['share'], figure['interval'])}"
