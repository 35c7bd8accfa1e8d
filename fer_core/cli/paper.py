"""`reproduce` and `compare --paper`: the paper's tables and comparisons, run or recalled, beside its figures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import pandas as pd

from fer_core.errors import ConfigError
from fer_core.evaluation.protocols import PROTOCOLS
from fer_core.results.paper.counterparts import Runs, by_setting, systems_table, table_2, table_3
from fer_core.results.paper.reported import DISAGREEMENTS
from fer_core.results.paper.verdicts import (
    MISSING,
    Checked,
    JudgedStatement,
    check_figures,
    check_statements,
)
from fer_core.results.rows import run_row
from fer_core.results.shares import interval, percent
from fer_core.runs.plans.comparison import Plan, choose_backbone, grid, paper_plan
from fer_core.runs.plans.requests import faces_config, most_blocks_first, transfer_configs
from fer_core.storage.store import StoredRun

from .context import Context
from .options import DEMO, PAPERS_NETWORK, RANDOM_FOLDS, Json, PapersNetwork, ProtocolOptions, Source, only
from .output import (
    note,
    print_errors,
    print_generated,
    print_json,
    print_protocols,
    print_table,
    share_with_interval,
)

CAUTION = (
    "That one agrees or disagrees with the paper's says nothing about it. What this shows is that every system runs "
    "through the same folds."
)


def reproduce(
    *,
    source: Source = DEMO,
    network: PapersNetwork = PAPERS_NETWORK,
    protocol: Annotated[ProtocolOptions, only("protocol", "seeds")] = RANDOM_FOLDS,
    json: Json = False,
) -> int:
    """Carry out `reproduce`; 1 when a run failed."""
    context = Context.open()
    dataset, data = context.dataset(source)
    name, choice = choose_backbone(network.backbone, context.settings, network.weights)
    plan = grid(
        dataset,
        data,
        faces_config(context.store, context.artifacts, data, {"no_face": "resize", "choice": "largest"}),
        transfer_configs(name, network.weights, (1, 2, 3)),
        epochs=network.epochs,
        folds=network.folds,
        seeds=protocol.seeds,
    )
    notes = [line for line in (choice, *plan.notes) if line]
    runs = context.carry_out(most_blocks_first(plan.configs))
    found, protocols = by_setting(runs), plan.protocols
    accuracies, losses = table_2(found, protocols), table_3(found, protocols)
    if json:
        print_json(
            {
                "backbone": name,
                "weights": network.weights,
                "generated": data.generated,
                "protocols": {one: {"leaks": PROTOCOLS[one].leaks} for one in protocols},
                "notes": notes,
                "table_2": accuracies,
                "table_3": losses,
                "runs": [run_row(run) for run in runs],
            }
        )
    else:
        _print_tables(accuracies, losses, protocols, network.epochs)
        print(*notes, sep="\n")
        print_generated(data, "That one agrees or not says nothing about the paper.")
        print_errors(runs)
    return 0 if all(run.status == "done" for run in runs) else 1


def _print_tables(
    accuracies: list[dict[str, Any]], losses: list[dict[str, Any]], protocols: tuple[str, ...], epochs: int
) -> None:
    print(
        f"Table 2: accuracy, mean over {epochs} epochs as in the paper; 'last' after the last one, with its interval"
    )
    parts = (
        ("train_accuracy", _hundredths),
        ("val_accuracy", _hundredths),
        ("last", percent),
        ("interval", interval),
    )
    forms = {
        f"{name} {part}": form
        for name in ("paper", *protocols)
        for part, form in parts[: 2 if name == "paper" else 4]
    }
    _print_grid(accuracies, forms, "unfreeze")
    print(
        f"\nTable 3: mean loss over {epochs} epochs, in nats, for each n; the paper does not say of which n its are"
    )
    _print_grid(
        losses, {f"{name} {n}": "{:.3f}".format for name in protocols for n in (1, 2, 3)}, "measure", "paper"
    )
    print()
    print_protocols(protocols)
    _print_disagreements()


def _print_grid(rows: list[dict[str, Any]], forms: Mapping[str, Callable[[Any], str]], *known: str) -> None:
    """Print nested rows flat, some columns as they are and some in a form."""
    table = pd.json_normalize(rows, sep=" ").rename(columns=lambda name: name.replace("paper_", "paper "))
    table = table.assign(input=table["faces"].map({True: "faces", False: "whole frames"}))
    table = table.reindex(columns=["input", *known, *forms])
    for name, form in forms.items():
        table[name] = table[name].map(form, na_action="ignore")
    print_table(table.to_dict("records"), ("input", *known, *forms))


def _hundredths(share: float) -> str:
    return percent(share, 2)


def _print_disagreements() -> None:
    print("\nWhere the paper disagrees with itself")
    for one in DISAGREEMENTS:
        print(f"  {one.about}: {one.reading}")
    print()


def compare_with_paper(
    source: Source,
    protocol: str | None,
    network: PapersNetwork,
    table: Path | None,
    *,
    json: bool,
) -> int:
    """Carry out `compare --paper`; 1 when a run failed."""
    context = Context.open()
    dataset, data = context.dataset(source)
    plan = paper_plan(
        dataset,
        data,
        faces_config(context.store, context.artifacts, data, {"no_face": "manual", "choice": "largest"}),
        context.settings,
        **vars(network),
        table=table and table.expanduser(),
    )
    plan = _restricted(plan, protocol)
    for line in plan.notes:
        note(line)
    cached = context.finished(config.key() for config in plan.configs)
    runs = context.carry_out(plan.configs)
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
    if json:
        print_json(_document(plan, runs, cached, figures, statements))
    else:
        _print_comparison(plan, found, runs, figures, statements)
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
        raise ConfigError(
            f"what the paper compares must be run under one of {', '.join(plan.protocols)} on this data set",
            got=repr(protocol),
            fix=plan.absent.get(protocol, "Choose one of them, or leave --protocol out"),
        )
    return replace(plan, configs=configs)


def _document(
    plan: Plan,
    runs: Sequence[StoredRun],
    cached: set[str],
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
        "runs": [run_row(run, cached=run.id in cached) for run in runs],
        "figures": [one.row() for one in figures],
        "statements": [asdict(one) for one in statements],
        "disagreements": [asdict(one) for one in DISAGREEMENTS],
    }


def _print_comparison(
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
        cells = {
            name: share_with_interval(row[name], row[f"{name}_interval"]) for name in names if name in row
        }
        paper = f"{percent(row['paper'])} ({row['paper_protocol']})" if row["paper"] else None
        shown.append({"system": row["system"], "paper": paper, **cells})
    print_table(shown, ("system", "paper", *names))
    protocol = runs[0].config.protocol
    print(
        f"\nThe same {protocol.folds} folds for all systems of a column, seeds: {len(protocol.seeds)}. Validation "
        "accuracy after the last epoch, with its 95 % interval over movies or persons where known, else over images."
    )
    print_protocols(names)
    print("\nThe paper's figures beside those here under its own kind of protocol, and by whole groups")
    known = [one for one in figures if one.like or one.by_group or one.reported.protocol in plan.absent]
    print_table(
        [_figure_row(one) for one in known],
        ("figure", "source", "paper", "here", "by_group", "verdict", "words"),
    )
    if len(known) < len(figures):
        print(f"{len(figures) - len(known)} more of its figures have no counterpart here (all in --json).")
    beside = f", with {found.stand_in} instead of its ResNet-18" if found.stand_in else ""
    print(f"\nThe paper's statements, judged here{beside}")
    judged = [asdict(one) for one in statements if one.verdict != MISSING]
    print_table(judged, ("statement", "protocol", "rule", "verdict", "words"))
    _print_disagreements()
    print(*plan.notes, sep="\n")
    print_generated(runs[0].config.data, CAUTION)
    print_errors(runs)


def _figure_row(one: Checked) -> dict[str, Any]:
    row = one.row()
    form = _hundredths if one.reported.measure.endswith("accuracy") else "{:.3f}".format
    shown = {name: row[name] and form(row[name]["value"]) for name in ("here", "by_group")}
    figure = f"{row['system']}: {row['measure']}"
    return row | shown | {"figure": figure, "paper": form(row["paper"])}
