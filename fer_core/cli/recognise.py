"""`recognise`: expression networks trained elsewhere, as they are; `recogniser`: files of one's own; `vote`."""

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from fer_core.config.recognition import OnnxConfig
from fer_core.errors import ConfigError
from fer_core.learning.networks import onnx_files
from fer_core.learning.networks.recognisers import RECOGNISERS, named
from fer_core.results.rows import run_row
from fer_core.runs.plans.requests import recogniser_run

from .context import Context
from .options import ALL_FACES, DEMO, Detach, ExtractionOrNone, Json, Source, names
from .output import answer, note, print_errors, print_generated, print_protocols, print_table

COLUMNS = (
    *(
        "system",
        "protocol",
        "val_accuracy",
        "val_accuracy_interval",
        "val_accuracy_interval_over",
        "macro_f1",
        "images",
        "missing_faces",
    ),
    *("seconds", "status", "cached", "run_id"),
)
Comma = Annotated[str | None, Parameter(show_default=False)]


def recognise(
    *,
    source: Source = DEMO,
    recogniser: str = "mini_xception",
    zooms: Comma = None,
    mirror: Annotated[bool | None, Parameter(negative="--no-mirror", show_default=False)] = None,
    extraction: ExtractionOrNone = ALL_FACES,
    detach: Detach = False,
    json: Json = False,
) -> int:
    """Carry out `recognise`; 1 when the run failed or was cancelled.

    Args:
        recogniser: its name, or the first digits of a file's SHA-256, as `recogniser list` has them.
        zooms: the answer is the mean over these parts of the face, such as 0.8,0.9,1.0,1.1 (the default).
        mirror: average over mirror images too (the default).
    """
    context = Context.open()
    _, data = context.dataset(source)
    own: dict[str, Any] = {} if mirror is None else {"mirror": mirror}
    if zooms is not None:
        own["zooms"] = names(zooms)
    config = recogniser_run(
        context.store, context.artifacts, data, recogniser, faces=extraction.given(), **own
    )
    (run,), done = context.asked([config], detach=detach)
    row = run_row(run, cached=run.id in done)

    def show(_: object) -> None:
        print_table([row], COLUMNS)
        print("\nAccuracy is that of all images, with its 95 % interval.")
        print_protocols([config.protocol.name])
        print_generated(config.data)
        print_errors([run])

    answer(json, row, show)
    return 0 if detach or run.status == "done" else 1


def vote(
    *runs: str,
    plain: bool = False,
    json: Json = False,
) -> int:
    """Carry out `vote`.

    Args:
        runs: ids, or their first digits, of finished runs on the same frames and folds; recognisers' go with any.
        plain: the mean as it is; otherwise each run's probabilities are calibrated first.
    """
    from fer_core.results.trust import against
    from fer_core.results.votes import vote as let_vote

    context = Context.open()
    members = [context.store.run(given) for given in runs]
    found = let_vote(context.store, context.artifacts, members, calibrated=not plain)
    row = run_row(found) | {"vote": found.summary["vote"]}

    def show(_: object) -> None:
        print_table([run_row(run) for run in (*members, found)], COLUMNS)
        print("\n" + ": ".join(against("Lead on its best member", found.summary["vote"])))
        print_protocols([found.config.protocol.name])
        print_generated(found.config.data)

    return answer(json, row, show)


def add(
    file: Path,
    /,
    *,
    labels: str,
    size: int,
    channels: Literal["rgb", "bgr", "gray"] = "rgb",
    mean: str = "0",
    std: str = "1",
    aligned: bool = False,
    name: str = "",
    json: Json = False,
) -> int:
    """Carry out `recogniser add`.

    Args:
        file: an ONNX file that reads one face and gives a number a class; docs/recognisers.md has known ones.
        labels: what each output means, in the network's order, such as anger,contempt=-,disgust: 'contempt=-' leaves
            that output out, 'contempt=disgust' counts it as another class.
        size: side of its square input in pixels.
        channels: order of the input's colours.
        mean, std: of pixel values scaled to 0..1, one number for all channels or one each, in the network's order.
        aligned: it wants faces turned to the usual five points.
        name: what people call it (default: the file's).
    """
    context = Context.open()
    found = onnx_files.add(
        file.expanduser(),
        context.artifacts,
        labels=[label.strip() for label in labels.split(",") if label.strip()],
        size=size,
        channels=channels,
        mean=mean.split(","),
        std=std.split(","),
        aligned=aligned,
        name=name,
    )
    return _added(found, json)


def fetch(name: str = "opencv_mobilefacenet", /, *, json: Json = False) -> int:
    """Carry out `recogniser fetch`.

    Args:
        name: of a published file, as docs/recognisers.md has it.
    """
    context = Context.open()
    return _added(onnx_files.fetch(name, context.artifacts, context.settings.weights_dir), json)


def _added(found: OnnxConfig, json: bool) -> int:
    document = found.model_dump(mode="json")
    return answer(
        json, document, lambda _: note(f"{found.name}: outputs are {found.output}, {_meant(found)}")
    )


def listing(*, json: Json = False) -> int:
    """Carry out `recogniser list`."""
    rows: list[dict[str, Any]] = [
        {"name": name, "file": "", "about": f"trained on {trained}"} for name, trained in RECOGNISERS.items()
    ]
    rows += [
        {"name": one.name, "file": one.sha256[:16], "about": f"{one.size} px {one.channels}, {_meant(one)}"}
        for one in onnx_files.listed(Context.open().artifacts)
    ]
    have = {str(row["name"]) for row in rows}
    rows += [
        {"name": name, "file": one.file, "about": f"to be fetched; {one.title}", "settings": one.settings}
        for name, one in onnx_files.KNOWN.items()
        if name not in have
    ]
    return answer(json, rows, lambda _: print_table(rows, ("name", "file", "about")))


def remove(name: str, /, *, json: Json = False) -> int:
    """Carry out `recogniser remove`.

    Args:
        name: of the file, or the first digits of its SHA-256.
    """
    context = Context.open()
    network = named(name, context.artifacts)[0].network
    if isinstance(network, str):
        raise ConfigError(
            "only a file that was added can be removed", got=repr(name), fix="See: recogniser list"
        )
    onnx_files.remove(network, context.artifacts)
    return answer(json, {"removed": network.sha256}, lambda _: note(f"Removed {network.name}"))


def _meant(network: OnnxConfig) -> str:
    return ", ".join("left out" if label == "-" else label for label in network.labels)
