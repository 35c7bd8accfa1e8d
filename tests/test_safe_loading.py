"""Nothing that is loaded can run code, and nothing that users name reaches the page as HTML: read from the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from fer_core import ROOT

SOURCES = sorted(
    [
        ROOT / "app.py",
        *(ROOT / "pages").glob("*.py"),
        *(ROOT / "fer_core").rglob("*.py"),
    ]
)

#: Modules that run what they read.
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}

#: Files that hand HTML to Streamlit: each escapes what it didn't write itself.
HTML = {"ui/parts/gallery.py", "ui/train/queue.py", "ui/shell/setup.py", "ui/panels/trace.py"}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def problems(source: str) -> list[str]:
    """Return what in a source could run code of a file, or show text as HTML."""
    found = []
    tree = ast.parse(source)
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        found += [f"imports {name}" for name in names if name.split(".")[0] in UNSAFE_MODULES]
    for name, call in calls(tree):
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        if name == "torch.load" and given.get("weights_only") != "True":
            found.append("torch.load without weights_only=True")
        if given.get("allow_pickle", "False") != "False":
            found.append(f"{name} with allow_pickle")
        if given.get("unsafe_allow_html", "False") != "False":
            found.append(f"{name} with unsafe_allow_html")
        if name.endswith("read_pickle") or name in ("eval", "exec", "yaml.load", "os.system"):
            found.append(name)
        if name.startswith("subprocess.") and given.get("shell", "False") != "False":
            found.append(f"{name} with a shell")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_unpickles_or_runs_what_it_reads(path: Path) -> None:
    assert not problems(path.read_text(encoding="utf-8"))


def test_only_known_files_write_html() -> None:
    found = {
        str(path.relative_to(ROOT / "fer_core"))
        for path in SOURCES
        if path.is_relative_to(ROOT / "fer_core")
        and any(name.endswith("st.html") for name, _ in calls(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert found <= HTML, "escape what users name, then list the file here"


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "st.markdown(name, unsafe_allow_html=True)",
        "pd.read_pickle(path)",
        "subprocess.run(text, shell=True)",
    ],
)
def test_the_check_sees_what_it_is_for(source: str) -> None:
    assert problems(source)


def test_every_csv_that_is_offered_is_defused() -> None:
    """Every table's `to_csv` stands on what went through the one helper."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "to_csv":
                said = ast.unparse(node.value)
                assert said.startswith("defused_table("), f"{path.relative_to(ROOT)}: {said}.to_csv"
