"""The command line, with the same powers as the dashboard: options and their meaning.

With `--json` a command prints one JSON document on standard output; progress, notes and errors go to
standard error. Exit codes: 0 done, 1 a run failed or was cancelled, 2 the request can't be carried out.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from fer_core import __version__
from fer_core.config.recipes import RECIPES
from fer_core.config.run import RESCUES
from fer_core.errors import FerError
from fer_core.prediction.answers import UNSURE_BELOW

from .clean import add_clean
from .jobs import add_jobs
from .recipe import add_free, add_recipe
from .share import add_share

PROTOCOLS = ("stratified", "group", "clip", "spi", "reshuffle", "fixed")
LAYOUTS = ("auto", "sfew1", "sfew2", "folder", "csv", "table")
WEIGHTS_HELP = "imagenet, none (random, explicit) or a weights file (default: imagenet)"
DATA_HELP = (
    "demo (generated faces), a folder (SFEW 1, SFEW 2.0 or one folder a class), a .csv with path, label"
    " and optionally split, group, clip, or a sheet of LPQ and PHOG components (.xlsx, or .csv with"
    " --layout table)"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(arguments)
    module, function = options.run.split(":")
    try:
        return getattr(importlib.import_module(f"fer_core.cli.{module}"), function)(options)
    except FerError as error:
        if getattr(options, "json", False):
            print(json.dumps({"error": str(error), "kind": type(error).__name__}))
        print(f"fer_core: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("fer_core: interrupted; a run that was training goes on when asked for again", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="python -m fer_core",
        description="FER Lab: facial-expression recognition by transfer learning, measured honestly.",
        epilog="State lives in FER_HOME (default: .fer in the working folder); weights are looked for in "
        "FER_WEIGHTS_DIR; FER_DEVICE is auto, cpu or cuda; FER_DATABASE_URL names a PostgreSQL database.",
    )
    top.add_argument("--version", action="version", version=f"FER Lab {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _data(commands)
    _faces(commands)
    _detector(commands)
    _train(commands)
    _sweep(commands)
    _reproduce(commands)
    _compare(commands)
    _predict(commands)
    add_share(commands, _command)
    add_clean(commands, _command)
    add_jobs(commands, _command)
    _serve(commands)
    return top


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Name defaults, except where there is none."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


def _command(commands: argparse._SubParsersAction, name: str, run: str, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=text,
        description=text,
        formatter_class=_Help,
        allow_abbrev=False,
    )
    command.set_defaults(run=run)
    return command


def _detach(command: argparse.ArgumentParser) -> None:
    text = "leave it to a worker, started unless one lives, and return at once"
    command.add_argument("--detach", action="store_true", help=text)


def _json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print one JSON document on standard output")


def _source(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", default="demo", metavar="PATH", help=DATA_HELP)
    command.add_argument(
        "--layout",
        default="auto",
        choices=LAYOUTS,
        help="how to read it",
    )
    command.add_argument(
        "--label-codes", choices=["0-6", "1-7"], default=None, help="how labels written as numbers count"
    )
    command.add_argument(
        "--group-pattern",
        metavar="REGEX",
        default=None,
        help="finds the movie or person in a file's name where it is not named as SFEW's frames are",
    )


def _extraction(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("face extraction")
    group.add_argument("--margin", type=int, default=0, help="pixels of the 160 x 160 crop around the face")
    group.add_argument("--choice", default="largest", choices=["largest", "most_probable", "central"])
    group.add_argument("--align", action="store_true", help="turn and scale faces by their landmarks")
    group.add_argument(
        "--no-face-policy",
        default="manual",
        choices=["resize", "drop", "manual"],
        help="a frame with no face: resize it whole (the paper), drop it, or use its hand-drawn box and "
        "resize where there is none",
    )
    group.add_argument(
        "--rescue",
        default="",
        metavar="POLICY[,POLICY]",
        help=f"second looks at a frame with no face, tried in order: {', '.join(RESCUES)}",
    )
    group.add_argument(
        "--detector",
        default="",
        metavar="KEY",
        help="a detector fine-tuned by `detector train` (default: the pretrained one)",
    )


def _protocol(command: argparse.ArgumentParser) -> None:
    protocol = command.add_argument_group("protocol")
    protocol.add_argument(
        "--protocol",
        default="stratified",
        choices=PROTOCOLS,
        help="how folds are drawn; stratified and reshuffle leak where frames come from films",
    )
    protocol.add_argument("--folds", type=int, default=5, metavar="K")
    protocol.add_argument(
        "--seeds", default="1", metavar="S", help="how many seeds (from 0), or a list such as 3,5,8"
    )


def _faces_or_frames(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--faces",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="cut faces out with MTCNN; --no-faces resizes whole frames (the paper's table 3)",
    )


def _data(commands: argparse._SubParsersAction) -> None:
    data = commands.add_parser("data", help="look into a data set before anything is trained")
    actions = data.add_subparsers(title="actions", metavar="ACTION", required=True)
    audit = _command(actions, "audit", "data:audit", "report counts, unreadable files, duplicates and leaks")
    _source(audit)
    _json(audit)
    generate = _command(
        actions, "generate", "data:generate", "draw the generated data set (synthetic faces), or a table"
    )
    generate.add_argument("--out", metavar="FOLDER", help="where to put it (default: the state folder)")
    generate.add_argument("--table", metavar="FILE", help="a feature table (.xlsx or .csv) in place of faces")
    generate.add_argument("--seed", type=int, default=0)
    generate.add_argument("--ordinary", type=int, default=420, help="ordinary frames")
    generate.add_argument("--hard", type=int, default=60, help="frames made to defeat detection")
    _json(generate)


def _faces(commands: argparse._SubParsersAction) -> None:
    faces = _command(commands, "faces", "faces:faces", "detect faces and report what became of every frame")
    _source(faces)
    _extraction(faces)
    _json(faces)


def _detector(commands: argparse._SubParsersAction) -> None:
    detector = commands.add_parser("detector", help="fine-tune MTCNN's R- and O-Net on known faces")
    actions = detector.add_subparsers(title="actions", metavar="ACTION", required=True)
    text = (
        "fine-tune on the hand-drawn boxes of a data set, or on the generated set's exact boxes and landmarks, "
        "and compare before and after on movies left out; nothing uses the result unless --detector names it"
    )
    train = _command(actions, "train", "detector:train", text)
    _source(train)
    train.add_argument("--epochs", type=int, default=6, metavar="E")
    train.add_argument("--seed", type=int, default=0, metavar="S")
    _json(train)


def _train(commands: argparse._SubParsersAction) -> None:
    train = _command(commands, "train", "train:train", "train one run per unfreeze setting, or recall it")
    _source(train)
    model = train.add_argument_group("model")
    model.add_argument(
        "--model",
        default="transfer",
        choices=["transfer", "svm", "bdnn", "mlp"],
        help="a pretrained backbone, or what it is compared with",
    )
    model.add_argument(
        "--features",
        choices=["pixels", "phog", "lpq", "lpq+phog", "table"],
        help="what an svm, bdnn or mlp reads (default: phog for svm, else pixels)",
    )
    model.add_argument(
        "--table", metavar="FILE", help="the feature table (.xlsx or .csv) of --features table"
    )
    model.add_argument(
        "--unfreeze", default="1,2,3", metavar="N[,N]", help="how many of the last blocks train"
    )
    model.add_argument("--backbone", default="resnet18", metavar="NAME")
    model.add_argument("--weights", default="imagenet", metavar="imagenet|none|FILE", help=WEIGHTS_HELP)
    _protocol(train)
    recipe = train.add_argument_group("recipe (of a transferred backbone)")
    add_free(recipe)
    add_recipe(recipe)
    _extraction(train)
    _faces_or_frames(train)
    _detach(train)
    _json(train)
    demo = _command(
        commands, "demo", "demo:demo", "train the three settings on the generated set and print the table"
    )
    demo.add_argument(
        "--prepare",
        action="store_true",
        help="make what a hosted demo shows: short runs of the three settings, longer ones of n = 1, comparators",
    )
    demo.add_argument(
        "--epochs",
        type=int,
        default=None,
        metavar="E",
        help="of the three settings (default: 20; prepared: 2)",
    )
    _json(demo)


def _sweep(commands: argparse._SubParsersAction) -> None:
    text = "train every unfreeze setting of every backbone by every recipe, and rank them"
    sweep = _command(commands, "sweep", "sweep:sweep", text)
    _source(sweep)
    sweep.add_argument("--unfreeze", default="1,2,3", metavar="N[,N]", help="settings of n")
    sweep.add_argument("--backbone", default="resnet18", metavar="NAME[,NAME]")
    sweep.add_argument("--recipe", default="paper", metavar="NAME[,NAME]", help=f"{', '.join(RECIPES)}")
    sweep.add_argument("--weights", default="imagenet", metavar="imagenet|none|FILE", help=WEIGHTS_HELP)
    _protocol(sweep)
    add_free(sweep.add_argument_group("in every recipe"))
    _extraction(sweep)
    _faces_or_frames(sweep)
    _detach(sweep)
    _json(sweep)


def _reproduce(commands: argparse._SubParsersAction) -> None:
    text = "run the grid of the paper's tables 2 and 3, under its reshuffle and by whole groups, beside its figures"
    reproduce = _command(commands, "reproduce", "reproduce:reproduce", text)
    _source(reproduce)
    reproduce.add_argument(
        "--backbone", metavar="NAME", help="(default: resnet18 where its weights are here)"
    )
    reproduce.add_argument("--weights", default="imagenet", metavar="imagenet|none|FILE", help=WEIGHTS_HELP)
    reproduce.add_argument("--epochs", type=int, default=20, metavar="E")
    reproduce.add_argument("--folds", type=int, default=5, metavar="K")
    reproduce.add_argument("--seeds", default="1", metavar="S", help="how many seeds (from 0), or a list")
    _json(reproduce)


def _compare(commands: argparse._SubParsersAction) -> None:
    compare = _command(commands, "compare", "compare:compare", "list what has been run, best first")
    compare.add_argument("--data", default=None, metavar="PATH", help="only runs on this data set")
    compare.add_argument("--protocol", choices=PROTOCOLS, help="only runs under this protocol")
    compare.add_argument(
        "--paper",
        action="store_true",
        help="run, or recall, what the paper compares, all through the same folds, and print it beside its figures",
    )
    paper = compare.add_argument_group("with --paper")
    paper.add_argument("--backbone", metavar="NAME", help="(default: resnet18 where its weights are here)")
    paper.add_argument("--weights", default="imagenet", metavar="imagenet|none|FILE", help=WEIGHTS_HELP)
    paper.add_argument("--epochs", type=int, default=20, metavar="E", help="of the transferred network")
    paper.add_argument("--folds", type=int, default=5, metavar="K")
    paper.add_argument("--table", metavar="FILE", help="also compare models that read this feature table")
    paper.add_argument("--layout", default="auto", choices=LAYOUTS, help="how to read the data set")
    _json(compare)


def _predict(commands: argparse._SubParsersAction) -> None:
    predict = _command(commands, "predict", "predict:predict", "find faces in images and classify them")
    predict.add_argument("--run", dest="run_id", required=True, metavar="ID", help="a finished run")
    predict.add_argument("images", nargs="+", metavar="IMAGE", help="image files, folders of them, or zips")
    predict.add_argument("--fold", metavar="SEED.FOLD", help="one fold's network alone; all vote otherwise")
    predict.add_argument(
        "--unsure", type=float, default=UNSURE_BELOW, metavar="P", help="say 'unsure' below this probability"
    )
    predict.add_argument(
        "--nearest", type=int, default=0, metavar="K", help="name the K nearest training faces of each face"
    )
    predict.add_argument("--csv", type=Path, metavar="FILE", help="write a table, a row a face")
    predict.add_argument("--annotated", type=Path, metavar="DIR", help="write the images with faces boxed")
    predict.add_argument("--explain", type=Path, metavar="DIR", help="write Grad-CAM over each face's crop")
    _json(predict)


def _serve(commands: argparse._SubParsersAction) -> None:
    serve = _command(commands, "serve", "serve:serve", "make the demo data, start a worker and the dashboard")
    serve.add_argument("--port", type=int, default=8501)
    serve.add_argument("--address", default="127.0.0.1", help="0.0.0.0 to serve other machines")
    serve.add_argument("--no-worker", action="store_true", help="leave training to workers started elsewhere")
    text = (
        "train queued runs until stopped: one at a time on a GPU, the oldest first. Ended by Ctrl-C or SIGTERM it "
        "gives its run back; killed, another worker goes on from the last epoch once the lease has run out. "
        "Several workers may share a state folder: one a GPU, on a CPU as many as there are cores for"
    )
    worker = _command(commands, "worker", "serve:worker", text)
    worker.add_argument(
        "--device",
        default=None,
        metavar="DEVICE",
        help="auto (the first GPU, else the CPU), all (a worker a GPU), cpu, cuda or cuda:<index> "
        "(default: FER_DEVICE, else auto)",
    )
    worker.add_argument("--until-idle", action="store_true", help="stop when nothing is queued or running")
