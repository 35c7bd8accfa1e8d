"""`report`, `publish`, `export`, `import`, `export-model` and a run's tables: for people and programs elsewhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from .context import Context
from .options import Json, Out, RunId
from .output import answer, note, replacing, writable


def report(*, run_id: RunId, out: Out = None, json: Json = False) -> int:
    """Carry out `report`.

    Args:
        out: where to write it (default: fer-<run>.html).
    """
    from fer_core.results.sharing.report import write_report

    context, run_id = _opened(run_id)
    path = writable(out or Path(f"fer-{run_id}.html"))
    with replacing(path) as file:
        write_report(context.store, run_id, file)
    return _print({"run": run_id, "report": str(path), "bytes": path.stat().st_size}, json=json)


def export(*, run_id: RunId, out: Out = None, origin: str = "", json: Json = False) -> int:
    """Carry out `export`.

    Args:
        out: where to write it (default: fer-<run>.zip).
        origin: where it comes from (default: this host's name).
    """
    from fer_core.results.sharing.runs import export_run

    context, run_id = _opened(run_id)
    path = writable(out or Path(f"fer-{run_id}.zip"))
    with replacing(path) as file:
        export_run(context.store, context.artifacts, run_id, file, origin=origin)
    return _print({"run": run_id, "file": str(path), "bytes": path.stat().st_size}, json=json)


def export_model(
    *,
    run_id: RunId,
    out: Out = None,
    onnx: Literal["ensemble", "folds", "none"] = "ensemble",
    json: Json = False,
) -> int:
    """Carry out `export-model`.

    Args:
        out: a new folder (default: fer-<run>-model).
        onnx: one file for the mean of all networks, one file a network, or none.
    """
    from fer_core.results.sharing.model import export_model as write

    context, run_id = _opened(run_id)
    folder = writable(out or Path(f"fer-{run_id}-model"), "new folder")
    graphs = write(context.store, context.artifacts, context.settings, run_id, folder, onnx=onnx)
    files = sorted(one.name for one in folder.iterdir())
    found = {"run": run_id, "folder": str(folder), "files": files, "onnx": [vars(one) for one in graphs]}
    return _print(found, json=json)


def publish(
    *,
    run_id: Annotated[
        list[str], Parameter(name="--run", help="A run's id, or its first digits; several may be.")
    ],
    out: Annotated[Path, Parameter(name=["--out", "-o"])],
    pictures: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    json: Json = False,
) -> int:
    """Carry out `publish`.

    Args:
        out: a new folder, for FER_DEMO on any host.
        pictures: none (figures only), all (frames and faces of the data sets), or those to try, nothing else: names of
            frames of the data set, or files (default: none of photographs, all of generated sets).
    """
    from fer_core.results.sharing.publish import publish as write

    context = Context.open()
    folder, given = writable(out, "new folder"), pictures or ["generated"]
    shown: Any = given[0] if given in (["none"], ["all"], ["generated"]) else "none"
    samples = given if shown != given[0] else []
    found = write(
        context.store, context.artifacts, context.settings, run_id, folder, pictures=shown, samples=samples
    )
    size = sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())
    document = {
        "folder": str(folder),
        "bytes": size,
        "data": list(found.data),
        "pictures": list(found.pictured),
    }
    return _print(document | {"samples": len(found.samples)}, json=json)


def take_in(file: Path, /, *, json: Json = False) -> int:
    """Carry out `import`.

    Args:
        file: a zip written by export.
    """
    from fer_core.results.sharing.runs import import_run

    context = Context.open()
    found = import_run(file.expanduser(), context.store, context.artifacts)
    return _print({"run": found.run_id, "new": found.new, "origin": found.origin}, json=json)


def _writes(what: str) -> Callable[..., int]:
    def write(*, run_id: RunId, out: Out = None, json: Json = False) -> int:
        from fer_core.results.sharing import tables

        context, run_id = _opened(run_id)
        path = writable(out or Path(f"fer-{run_id}-{what}.csv"))
        write = tables.writer(path)
        table = tables.TABLES[what](context.store, context.settings, run_id)
        with replacing(path) as file:
            write(table, file)
        found = {"run": run_id, "file": str(path), "rows": len(table)}
        return answer(json, found, lambda _: note(f"{len(table)} rows in {path}"))

    write.__doc__ = f"""Carry out `{what}`.

    Args:
        out: a .csv or .parquet (default: fer-<run>-{what}.csv).
    """
    return write


predictions, splits, features = map(_writes, ("predictions", "splits", "features"))


def _opened(given: str) -> tuple[Context, str]:
    """Open the installation, and return the whole of the run's id."""
    context = Context.open()
    return context, context.store.whole_id(given)


def _print(document: dict[str, Any], *, json: bool) -> int:
    return answer(
        json, document, lambda _: note(", ".join(f"{name} {value}" for name, value in document.items()))
    )
