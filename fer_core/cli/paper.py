"""`compare --paper`: what the paper compares, run or recalled, in one table beside its figures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from fer_core.datasets.base import generated_words
from fer_core.errors import ConfigError
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.results.paper.counterparts import Runs, systems_table
from fer_core.results.paper.reported import DISAGREEMENTS
from fer_core.results.paper.verdicts import (
    MISSING,
    Checked,
    JudgedStatement,
    Measured,
    check_figures,
    check_statements,
)
from fer_core.results.rows import run_row, title
from fer_core.runs.jobs.queue import submit
from fer_core.runs.plans.comparison import Plan, paper_plan
from fer_core.runs.plans.requests import faces_config
from fer_core.storage.store import StoredRun

from .context import Context, note, percent, print_json, print_table
from .train import finish

CAUTION = (
    "That one agrees or disagrees with the paper's says nothing about it. What this shows is that every system runs "
    "through the same folds."
)


def compare_with_paper(options: argparse.Namespace) -> int:
    """Carry out `compare --paper`; 1 when a run failed."""
    context = Context.open()
    options.data = options.data or "demo"
    options.label_codes, options.group_pattern = None, None
    dataset, data = context.dataset(options)
    plan = paper_plan(
        dataset,
        data,
        faces_config(context.store, context.artifacts, data, {"no_face": "manual"}),
        context.settings,
        backbone=options.backbone,
        weights=options.weights,
        epochs=options.epochs,
        folds=options.folds,
        table=Path(options.table).expanduser() if options.table else None,
    )
    plan = _restricted(plan, options.protocol)
    for line in plan.notes:
        note(line)
    runs, cached = [], {}
    for number, config in enumerate(plan.configs, 1):
        run_id, created = submit(context.store, config)
        note(f"[{number}/{len(plan.configs)}] {title(context.store.run(run_id))}, {config.protocol.name}")
        runs.append(finish(context, run_id))
        cached[run_id] = not created
    done = [run for run in runs if run.status == "done"]
    found = Runs(
        done,
        plan.backbone,
        lambda run: context.store.epochs(run.id),
        lambda run: context.store.predictions(run.id),
        plan.weights,
        plan.absent,
    )
    figures, statements = check_figures(found), check_statements(found)
    if options.json:
        print_json(_document(plan, runs, cached, figures, statements))
    else:
        _print(plan, found, runs, figures, statements)
    return 0 if len(done) == len(runs) else 1


def _restricted(plan: Plan, protocol: str | None) -> Plan:
    """Return the part of a plan that runs under one protocol; all of it for None.

    Raises:
        ConfigError: nothing of it does.
    """
    if protocol is None:
        return plan
    configs = tuple(config for config in plan.configs if config.protocol.name == protocol)
    if not configs:
        known = ", ".join(dict.fromkeys(config.protocol.name for config in plan.configs))
        raise ConfigError(
            f"what the paper compares must be run under one of {known} on this data set",
            got=repr(protocol),
            fix=plan.absent.get(protocol, "Choose one of them, or leave --protocol out"),
        )
    return replace(plan, configs=configs)


def _document(
    plan: Plan,
    runs: Sequence[StoredRun],
    cached: dict[str, bool],
    figures: Sequence[Checked],
    statements: Sequence[JudgedStatement],
) -> dict[str, Any]:
    return {
        "backbone": plan.backbone or None,
        "weights": plan.weights or None,
        "generated": runs[0].config.data.generated,
        "notes": list(plan.notes),
        "absent": plan.absent,
        "systems": systems_table(runs),
        "runs": [run_row(run, cached=cached[run.id]) for run in runs],
        "figures": [
            {
                "system": one.reported.system,
                "measure": one.reported.measure,
                "source": one.reported.source,
                "paper": one.reported.value,
                "protocol": one.reported.protocol,
                "here": _measured(one.like),
                "by_group": _measured(one.by_group),
                "verdict": one.verdict,
                "words": one.words,
            }
            for one in figures
        ],
        "statements": [asdict(one) for one in statements],
        "disagreements": [asdict(one) for one in DISAGREEMENTS],
    }


def _measured(one: Measured | None) -> dict[str, Any] | None:
    return None if one is None else {"value": one.value, "interval": one.interval, "run_id": one.run.id}


def _print(
    plan: Plan,
    found: Runs,
    runs: Sequence[StoredRun],
    figures: Sequence[Checked],
    statements: Sequence[JudgedStatement],
) -> None:
    rows = systems_table(runs)
    names = [name for name in PROTOCOLS if any(name in row for row in rows)]
    names.sort(key=lambda name: name != "group")
    shown = []
    for row in rows:
        cells = {name: _cell(row, name) for name in names}
        paper = f"{percent(row['paper'])} ({row['paper_protocol']})" if row["paper"] else None
        shown.append({"system": row["system"], "paper": paper, **cells})
    print_table(shown, {"system": None, "paper": None, **dict.fromkeys(names)})
    folds, seeds = runs[0].config.protocol.folds, len(runs[0].config.protocol.seeds)
    print(
        f"\nThe same {folds} folds for all systems of a column, seeds: {seeds}. Validation accuracy after the last "
        "epoch, with its 95 % Wilson interval over images."
    )
    for name in names:
        protocol = PROTOCOLS[name]
        print(f"  {name}: {'LEAKS. ' if protocol.leaks else ''}{protocol.why}")
    print("\nThe paper's figures beside those here under its own kind of protocol, and by whole groups")
    known = [one for one in figures if one.like or one.by_group or one.reported.protocol in plan.absent]
    print_table([_figure_row(one) for one in known], dict.fromkeys(FIGURE_COLUMNS))
    if len(known) < len(figures):
        print(f"{len(figures) - len(known)} more of its figures have no counterpart here (all in --json).")
    beside = f", with {found.stand_in} in place of its ResNet-18" if found.stand_in else ""
    print(f"\nThe paper's statements, judged here{beside}")
    judged = [asdict(one) for one in statements if one.verdict != MISSING]
    print_table(judged, dict.fromkeys(STATEMENT_COLUMNS))
    print("\nWhere the paper disagrees with itself")
    for one in DISAGREEMENTS:
        print(f"  {one.about}: {one.reading}")
    print()
    for line in plan.notes:
        print(line)
    data = runs[0].config.data
    if data.generated:
        print(f"{': '.join(generated_words(data.layout))} {CAUTION}")
    for run in runs:
        if run.error:
            print(f"{run.id}: {run.error}")


FIGURE_COLUMNS = ("figure", "source", "paper", "here", "by group", "verdict", "words")
STATEMENT_COLUMNS = ("statement", "protocol", "verdict", "words")


def _cell(row: dict[str, Any], name: str) -> str | None:
    if name not in row:
        return None
    low, high = row[f"{name}_interval"]
    return f"{100 * row[name]:.1f} ({100 * low:.1f}-{100 * high:.1f}) %"


def _figure_row(one: Checked) -> dict[str, Any]:
    accuracy = one.reported.measure.endswith("accuracy")

    def shown(value: float) -> str:
        return f"{100 * value:.2f} %" if accuracy else f"{value:.3f}"

    return {
        "figure": f"{one.reported.system}: {one.reported.measure}",
        "source": one.reported.source,
        "paper": shown(one.reported.value),
        "here": shown(one.like.value) if one.like else None,
        "by group": shown(one.by_group.value) if one.by_group else None,
        "verdict": one.verdict,
        "words": one.words,
    }
