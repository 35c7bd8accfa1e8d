"""A walk through an installation, on whatever Python runs it: a small demo, every page, a prediction.

`make smoke PYTHON=python3.13`. It needs nothing but what the dashboard needs.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SMALL = ("--ordinary", "42", "--hard", "4")
QUICK = ("--backbone", "efficientnet_lite0", "--unfreeze", "1", "--folds", "2", "--epochs", "2")


def fer_core(*words: str) -> str:
    """Run a command and return what it prints; its errors end the walk."""
    command = [sys.executable, "-m", "fer_core", *words]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def pages(data: Path) -> None:
    """Open every page on a data set and demand that none shows an error."""
    from streamlit.testing.v1 import AppTest

    os.chdir(ROOT)
    for name in ("app.py", *sorted(f"pages/{path.name}" for path in (ROOT / "pages").glob("*.py"))):
        shown = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
        if name != "app.py":
            shown.switch_page(name)
        shown.query_params["data"] = str(data)
        shown.run()
        if shown.exception or shown.error:
            raise SystemExit(f"{name}: {[one.value for one in (*shown.exception, *shown.error)]}")
        if not shown.title:
            raise SystemExit(f"{name}: nothing was drawn")
        print(f"{name}: {shown.title[0].value}, {len(shown.main)} elements")


def main() -> None:
    """Walk, and print what was done with its seconds."""
    started = time.perf_counter()
    print(f"Python {platform.python_version()}, {platform.platform()}")
    with tempfile.TemporaryDirectory() as home:
        os.environ["FER_HOME"] = home
        data = Path(home) / "faces"
        print(fer_core("data", "generate", "--out", str(data), *SMALL).strip())
        run = json.loads(fer_core("train", "--data", str(data), *QUICK, "--json"))[0]
        print("run:", json.dumps(run)[:300])
        pages(data)
        frame = sorted(data.rglob("*.png"))[0]
        print("prediction:", fer_core("predict", "--run", run["run_id"], "--json", str(frame))[:400])
    print(f"All of it in {time.perf_counter() - started:.0f} s.")


if __name__ == "__main__":
    main()
