"""A run as one self-contained HTML file: figures, tables and all that is known of it, with the network off.

Plotly's own script is written into the file, and its Content-Security-Policy forbids every connection. All text
goes through Jinja's autoescape; figures are JSON in which no character can end a script element.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from fer_core.config.run import CLASSES, RunConfig
from fer_core.config.training import SELECTIONS
from fer_core.datasets.base import generated_words
from fer_core.errors import StoreError
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.prediction.answers import MEANING
from fer_core.results import charts
from fer_core.results.charts.style import INK
from fer_core.results.rows import headline, pictures, title
from fer_core.results.shares import interval_over, percent
from fer_core.results.trust import calibration_words, reliability_tables, trust_rows
from fer_core.storage.store import Store, StoredRun

#: What the learning curves show.
CURVES = (
    "Thin lines are folds, thick ones their mean. A network's training accuracy is the running mean over the epoch's "
    "draws, in train mode."
)
TEMPLATES = Path(__file__).resolve().parent / "templates"


def write_report(store: Store, run_id: str, path: Path) -> None:
    """Write the report of a finished run.

    Raises:
        NotFoundError: there is no such run.
        StoreError: it is not a finished training run, or the file can't be written.
    """
    page = report(store, run_id)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise StoreError("The report must be written to a writable place", got=str(error)) from error


def report(store: Store, run_id: str) -> str:
    """Return the report of a finished run as an HTML document.

    Raises:
        NotFoundError: there is no such run.
        StoreError: it is not a finished training run.
    """
    run = finished(store, run_id)
    return render(run, store.epochs(run.id), store.predictions(run.id), store.log(run.id))


def finished(store: Store, run_id: str) -> StoredRun:
    """Return a finished training run. Raises NotFoundError or StoreError."""
    run = store.run(run_id)
    if run.status != "done" or run.config.goal != "train":
        raise StoreError(
            "Only a training run that is done can be shared",
            got=run.status if run.config.goal == "train" else "a detection of faces",
            fix="Wait until it is done, or choose another",
        )
    return run


def render(run: StoredRun, epochs: pd.DataFrame, predictions: pd.DataFrame, log: pd.DataFrame) -> str:
    """Return the document of a finished run from its tables, as `Store` gives them."""
    from plotly.offline import get_plotlyjs

    return document(
        "report.html.j2",
        run,
        drawn=generated_words(run.config.data.layout) if run.config.data.generated else None,
        figures=figures(run, epochs, predictions),
        per_class=_rounded(pd.DataFrame(run.summary["per_class"])),
        folds=fold_rows(predictions),
        packages=sorted((run.environment.get("packages") or {}).items()),
        config=json.dumps(public_config(run.config), indent=2),
        log="\n".join(log["text"]),
        written=moment(datetime.now(UTC).timestamp()),
        ink=INK,
        plotly=get_plotlyjs(),
    )


def document(template: str, run: StoredRun, **more: Any) -> str:
    """Return a template filled with what is known of a finished run, and with `more`; text is escaped in HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=".html" in template,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["md"] = markdown
    config = run.config
    return environment.get_template(template).render(
        run=run,
        title=title(run),
        meaning=MEANING,
        pictures=pictures(config),
        optimistic=config.trains_backbone and config.training.optimistic,
        selection=SELECTIONS[config.training.selection if config.trains_backbone else "last"],
        protocol=PROTOCOLS[config.protocol.name],
        headline=headline(run),
        trust=trust_rows(run),
        facts=facts(run),
        **more,
    )


def markdown(text: Any) -> str:
    """Return text that Markdown and HTML take for nothing but text, on one line."""
    line = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join("\\" + sign if sign in "\\`*_{}[]()#!|~" else sign for sign in line)


def public_config(config: RunConfig) -> dict[str, Any]:
    """Return a run's definition without paths of the machine it was made on; its key is the same."""
    values = config.model_dump(mode="json")
    values["data"]["reading"]["image_root"] = None
    if values["data"]["source"] != "demo":
        values["data"]["source"] = ""
    model = values["model"]
    for place, field in ((model, "weights_file"), (model.get("inputs") or {}, "file")):
        if place.get(field):
            place[field] = Path(place[field]).name
    return values


def figures(run: StoredRun, epochs: pd.DataFrame, predictions: pd.DataFrame) -> list[dict[str, str]]:
    """Return the figures as heading, note, what they show in words, and Plotly's JSON safe inside a script."""
    drawn: list[tuple[str, str, Any]] = []
    if len(epochs) and epochs["val_accuracy"].notna().any():
        drawn.append(("Learning curves", CURVES, charts.learning_curves(epochs.assign(system=title(run)))))
    matrix = charts.confusion(run.summary["confusion"], CLASSES)
    drawn.append(("Confusion of held-out images", "Counts, summed over seeds; shade by true class.", matrix))
    classes = charts.per_class_figures(pd.DataFrame(run.summary["per_class"]))
    drawn.append(("Per class", "", classes))
    bins, scaled = reliability_tables(run, predictions)
    drawn.append(("Calibration", calibration_words(run), charts.reliability(bins, scaled)))
    return [
        {"heading": heading, "note": note, "alt": charts.describe(figure), "json": script_json(figure)}
        for heading, note, figure in drawn
    ]


def script_json(figure: Any) -> str:
    """Return a Plotly figure as JSON that can stand inside a script element whatever its texts hold."""
    text = figure.to_json()
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return str(text)


def fold_rows(predictions: pd.DataFrame) -> list[dict[str, object]]:
    """Return each fold's held-out images and accuracy with its interval."""
    from fer_core.evaluation.metrics import share
    from fer_core.evaluation.metrics.probabilities import right

    rows = []
    for (seed, fold), part in predictions.groupby(["seed", "fold"]):
        found = share(right(part), list(part["group"]), list(part["name"]))
        words = interval_over(found.interval, found.over)
        rows.append(
            {
                "seed": seed,
                "fold": fold,
                "images": len(part),
                "accuracy": percent(found.value),
                "interval": words,
            }
        )
    return rows


def facts(run: StoredRun) -> list[tuple[str, str]]:
    """Return what identifies the run and what it was made with; a dash where it is not known."""
    made: Mapping[str, Any] = run.environment
    rows = [
        ("Run", run.id),
        ("Data set", run.data_name or "–"),
        ("Data fingerprint", run.config.data.fingerprint),
        *([("Frames excluded", str(len(run.config.data.excluded)))] if run.config.data.excluded else []),
        ("Submitted", moment(run.created)),
        ("Finished", moment(run.finished)),
        ("Seconds of work", f"{run.seconds:.0f}"),
    ]
    for name in ("FER Lab", "Commit", "Python", "Platform", "Device", "Cores"):
        rows.append((name, str(made.get(name.lower().replace(" ", "_")) or "–")))
    if imported := run.extra.get("imported"):
        rows.append(("Imported", imported_note(imported)))
    return rows


def imported_note(imported: Mapping[str, Any]) -> str:
    """Return where and when an imported run came from."""
    return f"from {imported['origin']}, exported {moment(imported['exported'])}, taken in {moment(imported['at'])}"


def moment(seconds: float | None) -> str:
    """Return a time in seconds since 1970 as UTC to the minute; a dash for None."""
    return "–" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _rounded(table: pd.DataFrame) -> list[dict[str, object]]:
    shares = ("precision", "recall", "specificity", "f1")
    return [
        {str(name): _share(value) if name in shares else value for name, value in row.items()}
        for row in table.to_dict("records")
    ]


def _share(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.3f}"
