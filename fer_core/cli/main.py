"""`python -m fer_core`: the commands by name, and the exit code of each.

With `--json` a command prints one JSON document on standard output; progress, notes and errors go to standard
error. Exit codes: 0 done, 1 a run failed or was cancelled, 2 the request can't be carried out, 130 interrupted.
"""

import errno
import io
import json
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from fer_core import __version__
from fer_core.errors import FerError, StoreError

app = App(
    name="python -m fer_core",
    help="FER Lab: facial-expression recognition by transfer learning, measured honestly.",
    help_epilogue="State lives in FER_HOME (default: .fer in the working folder); weights are looked for in "
    "FER_WEIGHTS_DIR; FER_DEVICE is auto, cpu or cuda; FER_DATABASE_URL names a PostgreSQL database.",
    version=f"FER Lab {__version__}",
    help_format="plaintext",
    default_parameter=Parameter(negative_bool=(), negative_iterable=()),
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    suppress_keyboard_interrupt=False,
)
app.command(App(name="data", help="Look into a data set before anything is trained.", sort_key=0))
app.command(
    App(name="recogniser", help="Expression networks trained elsewhere: ONNX files of your own.", sort_key=5)
)
app.command(App(name="detector", help="Fine-tune MTCNN's R- and O-Net on known faces.", sort_key=3))

#: The commands in the order of the help: name, where it is found in this folder, what it does. A module is loaded when
#: its command is asked for.
COMMANDS = (
    ("data audit", "data:audit", "Report counts, unreadable files, duplicates and leaks."),
    ("data generate", "data:generate", "Draw the generated data set (synthetic faces), or a table."),
    ("faces", "faces:faces", "Detect faces and report what became of every frame."),
    (
        "detector train",
        "faces:train_detector",
        "Fine-tune on the hand-drawn boxes of a data set, or on the generated set's exact boxes and landmarks, and "
        "compare before and after on movies left out; nothing uses the result unless --detector names it.",
    ),
    ("train", "train:train", "Train one run per unfreeze setting, or recall it."),
    (
        "recognise",
        "recognise:recognise",
        "Judge a data set with an expression network as it is: nothing is trained.",
    ),
    (
        "vote",
        "recognise:vote",
        "Let finished runs vote: the mean of what they say of unseen frames.",
    ),
    ("recogniser add", "recognise:add", "Keep an ONNX file, once it has answered as declared."),
    ("recogniser fetch", "recognise:fetch", "Download a published file, and keep it as its source says."),
    ("recogniser list", "recognise:listing", "List the recognisers that are here."),
    ("recogniser remove", "recognise:remove", "Delete a file that was added; runs that it made stay."),
    ("demo", "train:demo", "Train the three settings on the generated set and print the table."),
    ("sweep", "train:sweep", "Train every setting of every backbone by every recipe, and rank them."),
    ("reproduce", "paper:reproduce", "Run the grid of the paper's tables 2 and 3 beside its figures."),
    ("compare", "runs:compare", "List what has been run, best first; or run what the paper compares."),
    ("predict", "predict:predict", "Find faces in images and classify them."),
    (
        "predictions",
        "share:predictions",
        "Write a run's held-out predictions, a row an image, fold and seed, as .csv or .parquet.",
    ),
    ("splits", "share:splits", "Write which images each fold of a run trained and was judged on."),
    (
        "features",
        "share:features",
        "Write what enters the head of each of a run's networks, a row an image.",
    ),
    ("report", "share:report", "Write a finished run as one HTML file that needs no network."),
    ("export", "share:export", "Write a finished run as a zip that another installation imports."),
    (
        "export-model",
        "share:export_model",
        "Write a run's networks as safetensors and ONNX, with a model card.",
    ),
    (
        "publish",
        "share:publish",
        "Write finished runs as a folder that a demo shows (FER_DEMO=FOLDER) on any host, without their data sets.",
    ),
    ("import", "share:take_in", "Take in a run that another installation exported."),
    ("doctor", "serve:doctor", "Say what this host has for FER Lab, and what to do about what it lacks."),
    (
        "check",
        "serve:check",
        "Compare all artifacts with their SHA-256 sums and say how what is damaged is had again.",
    ),
    (
        "clean",
        "serve:clean",
        "Delete artifacts that can be made again and that no run in the database rests on, and what is left of runs "
        "that are no longer in it, the longest unused first; what was used in the last hour stays.",
    ),
    ("jobs", "runs:jobs", "List what is running, what waits, and what has ended lately."),
    ("cancel", "runs:cancel", "Cancel a run that waits or is running."),
    ("retry", "runs:retry", "Queue a failed or cancelled run again; it continues where it was."),
    ("serve", "serve:serve", "Make the demo data, start a worker and the dashboard."),
    (
        "worker",
        "serve:worker",
        "Train queued runs until stopped: one at a time on a GPU, the oldest first. Ended by Ctrl-C or SIGTERM it "
        "gives its run back; killed, another worker continues from the last epoch once the lease has run out. "
        "Several workers may share a state folder: one a GPU, on a CPU as many as there are cores for.",
    ),
)
for place, (words, function, text) in enumerate(COMMANDS):
    group, _, name = words.rpartition(" ")
    (app[group] if group else app).command(f"fer_core.cli.{function}", name=name, help=text, sort_key=place)

#: What the disk and its permissions are to blame for.
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name need not be a text
    try:
        code = app(given)
    except CycloptsError as error:
        return _refuse(_named(error), given)
    except FerError as error:
        return _refuse(error, given)
    except KeyboardInterrupt:
        print(
            "fer_core: interrupted; a run that was training continues when asked for again", file=sys.stderr
        )
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except UnicodeEncodeError as error:
        return _refuse(StoreError("What is stored must be valid UTF-8", got=ascii(error.object[:200])), given)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        return _refuse(StoreError("There must be room and permission to write", got=str(error)), given)
    if code is None:  # help or the version was printed: asked for, or because no command was named
        return 0 if {"--help", "-h", "--version"} & set(given) else 2
    return code


def _named(error: CycloptsError) -> Exception:
    """Return what is wrong with an option: as `config` says it where a definition refused its value."""
    from pydantic import ValidationError

    from fer_core.config.base import refused

    cause = error.__cause__
    return refused(cause, "The options") if isinstance(cause, ValidationError) else error


def _refuse(error: Exception, given: Sequence[str]) -> int:
    if "--json" in given and isinstance(error, FerError):
        print(json.dumps({"error": str(error), "kind": type(error).__name__}))
    print(f"fer_core: {error}", file=sys.stderr)
    return 2
