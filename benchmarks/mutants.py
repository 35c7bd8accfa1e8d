"""Change the code that figures rest on, an operator or value at a time, and count the changes that its tests notice.

mutmut makes the mutants and runs, for each, the tests that reach its function; `[tool.mutmut]` in pyproject.toml says
which files and tests. A mutant is killed where a test fails or takes far too long. Texts that stand alone on a line,
the words of errors, are not changed. What is printed of a survivor is the line before and after the change.

    python benchmarks/mutants.py [--sample N] [--seed 0] [--only protocols ...] [--survivors]
"""

import argparse
import ast
import difflib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MADE = ROOT / "mutants" / "fer_core"
PARTS = {
    "protocols": "evaluation/protocols/*.py.meta",
    "metrics": "evaluation/metrics/*.py.meta",
    "crops": "faces/crops.py.meta",
    "bdnn": "learning/comparators/bdnn*.py.meta",
    "queue": "runs/jobs/queue.py.meta",
}
#: Exit statuses that mutmut keeps: no test failed, and no test reaches the function.
SURVIVED, UNTESTED = 0, 33


def run(names: list[str], jobs: int) -> None:
    """Have mutmut try these mutants; the first call makes all of them."""
    command = [
        str(Path(sys.executable).with_name("mutmut")),
        "run",
        "--max-children",
        str(jobs),
        *names,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit((done.stdout + done.stderr)[-3000:])


def tried(part: str) -> dict[str, int | None]:
    """Return the exit status of each mutant of a part, None for one that was not tried."""
    files = sorted(MADE.glob(PARTS[part]))
    return {
        name: status
        for file in files
        for name, status in json.loads(file.read_text())["exit_code_by_key"].items()
    }


def change(name: str) -> str:
    """Return the lines that a mutant changes, before and after."""
    module, _, function = name.rpartition(".")
    path = ROOT / "mutants" / Path(*module.split("."))
    source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
    bodies = {
        node.name: source.splitlines()[node.lineno : node.end_lineno]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and "__mutmut_" in node.name
    }
    original = bodies[function.rpartition("_")[0] + "_orig"]
    lines = list(difflib.unified_diff(original, bodies[function], n=0, lineterm=""))[3:]
    return "\n".join(f"    {line}" for line in lines if not line.startswith("@@"))


def main() -> None:
    """Try them, and print one table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--sample", type=int, help="mutants of a part, drawn at random (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--survivors", action="store_true", help="print what was changed and not noticed")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="mutants at once (default: all cores)"
    )
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    run(["fer_core.evaluation.protocols.x_draw__mutmut_1"], options.jobs)
    print(f"{'part':12}{'mutants':>9}{'tried':>9}{'killed':>9}{'survived':>10}{'untested':>10}{'score':>9}")
    for part in options.only:
        names = sorted(tried(part))
        if options.sample and options.sample < len(names):
            names = sorted(random.Random(options.seed).sample(names, options.sample))
        run(names, options.jobs)
        ended = {name: status for name, status in tried(part).items() if name in set(names)}
        survived = [name for name, status in ended.items() if status == SURVIVED]
        untested = [name for name, status in ended.items() if status == UNTESTED]
        killed = len(ended) - len(survived) - len(untested)
        print(
            f"{part:12}{len(tried(part)):9}{len(ended):9}{killed:9}{len(survived):10}{len(untested):10}"
            f"{100 * killed / len(ended):8.1f}%",
            flush=True,
        )
        if options.survivors:
            print("\n".join(f"  {name}\n{change(name)}" for name in [*survived, *untested]))


if __name__ == "__main__":
    main()
