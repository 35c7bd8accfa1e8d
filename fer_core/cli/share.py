"""`report`, `export`, `import`, `export-model`: a finished run for people and programs elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .context import Context, note, print_json


def add_share(commands: Any, command: Any) -> None:
    """Add the commands; `command` makes one as `cli._command` does."""
    report = command(
        commands, "report", "share:report", "write a finished run as one HTML file that needs no network"
    )
    _run(report, "FILE", "where to write it (default: fer-<run>.html)")
    export = command(
        commands, "export", "share:export", "write a finished run as a zip that another installation imports"
    )
    _run(export, "FILE", "where to write it (default: fer-<run>.zip)")
    export.add_argument(
        "--origin", default="", metavar="TEXT", help="where it comes from (default: this host's name)"
    )
    text = "write a finished run's networks as safetensors and ONNX, with config.json and a model card"
    model = command(commands, "export-model", "share:export_model", text)
    _run(model, "FOLDER", "a new folder (default: fer-<run>-model)")
    model.add_argument(
        "--onnx",
        default="ensemble",
        choices=["ensemble", "folds", "none"],
        help="one file for the mean of all networks, one file a network, or none",
    )
    taken = command(commands, "import", "share:take_in", "take in a run that another installation exported")
    taken.add_argument("file", metavar="FILE", help="a zip written by export")
    taken.add_argument("--json", action="store_true", help="print one JSON document on standard output")


def _run(command: argparse.ArgumentParser, place: str, text: str) -> None:
    command.add_argument("--run", dest="run_id", required=True, metavar="ID", help="a finished run")
    command.add_argument("-o", "--out", metavar=place, default=None, help=text)
    command.add_argument("--json", action="store_true", help="print one JSON document on standard output")


def report(options: argparse.Namespace) -> int:
    """Carry out `report`."""
    from fer_core.results.sharing.report import write_report

    context = _opened(options)
    path = write_report(context.store, options.run_id, _place(options, "html"))
    return _said(options, {"run": options.run_id, "report": str(path), "bytes": path.stat().st_size})


def export(options: argparse.Namespace) -> int:
    """Carry out `export`; a file that could not be finished is taken away again."""
    from fer_core.results.sharing.runs import export_run

    context = _opened(options)
    path = _place(options, "zip")
    partial = path.with_name(path.name + ".partial")
    try:
        export_run(context.store, context.artifacts, options.run_id, partial, origin=options.origin)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return _said(options, {"run": options.run_id, "file": str(path), "bytes": path.stat().st_size})


def export_model(options: argparse.Namespace) -> int:
    """Carry out `export-model`."""
    from fer_core.results.sharing.model import export_model as write

    context = _opened(options)
    folder = Path(options.out or f"fer-{options.run_id}-model").expanduser()
    files = write(
        context.store, context.artifacts, context.settings, options.run_id, folder, onnx=options.onnx
    )
    said = {
        "run": options.run_id,
        "folder": str(folder),
        "files": sorted(one.name for one in folder.iterdir()),
    }
    return _said(options, said | {"onnx": [vars(one) for one in files]})


def take_in(options: argparse.Namespace) -> int:
    """Carry out `import`."""
    from fer_core.results.sharing.runs import import_run

    context = Context.open()
    found = import_run(Path(options.file).expanduser(), context.store, context.artifacts)
    return _said(options, {"run": found.run_id, "new": found.new, "origin": found.origin})


def _opened(options: argparse.Namespace) -> Context:
    """Open the installation and make the run's id in the options a whole one."""
    context = Context.open()
    options.run_id = context.run_id(options.run_id)
    return context


def _place(options: argparse.Namespace, suffix: str) -> Path:
    return Path(options.out or f"fer-{options.run_id}.{suffix}").expanduser()


def _said(options: argparse.Namespace, document: dict[str, Any]) -> int:
    if options.json:
        print_json(document)
    else:
        note(", ".join(f"{name} {value}" for name, value in document.items()))
    return 0
