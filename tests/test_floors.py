"""The walls of the design: levels, no circles, pages apart, small folders; who knows Streamlit and the environment."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

from fer_core import ROOT

PACKAGE = ROOT / "fer_core"
PAGES = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py"))]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
TEXT = {name: path.read_text(encoding="utf-8") for name, path in MODULES.items()}
#: From the bottom; a module imports from its own level and those below.
LEVELS = (
    "errors",
    "config",
    "evaluation storage datasets",
    "faces learning",
    "runs prediction results",
    "ui",
    "cli",
)
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names.split()} | {"": 0, "__main__": 6}


def imported(path: Path) -> set[str]:
    """Return the modules that a file imports, function by function too, relative names made absolute."""
    package, found = path.relative_to(ROOT).parts[:-1], set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join([*base, *filter(None, [node.module])])
            names = [f"{stem}.{alias.name}" for alias in node.names]
            found |= {name if name in MODULES else stem for name in names}
    return found


IMPORTS = {name: imported(path) for name, path in MODULES.items()}
INSIDE = {name: {other for other in used if other in MODULES} for name, used in IMPORTS.items()}


def room(dotted: str) -> str:
    return f"{dotted}.".split(".")[1]


def test_no_import_leads_upward_and_none_in_a_circle() -> None:
    upward = [(a, b) for a, used in INSIDE.items() for b in used if LEVEL[room(b)] > LEVEL[room(a)]]
    assert not upward
    list(TopologicalSorter(INSIDE).static_order())  # raises CycleError and names the circle
    rooms: dict[str, set[str]] = {room(name): set() for name in MODULES}
    for name, used in INSIDE.items():
        rooms[room(name)] |= {room(other) for other in used} - {room(name)}
    list(TopologicalSorter(rooms).static_order())


def test_pages_are_short_and_no_pages_folder_imports_anothers() -> None:
    assert not [page.name for page in PAGES if len(page.read_text(encoding="utf-8").splitlines()) > 60]
    folders = [f"fer_core.ui.{name}" for name in ("faces", "train", "compare", "predict")]
    of = {name: next((f for f in folders if f"{name}.".startswith(f"{f}.")), None) for name in MODULES}
    assert not [(a, b) for a, used in INSIDE.items() for b in used if of[a] and of[b] and of[a] != of[b]]


def test_folders_are_small() -> None:
    for folder in {path.parent for path in MODULES.values()}:
        assert len([entry for entry in folder.iterdir() if entry.name != "__pycache__"]) <= 14, folder


def test_who_knows_streamlit_its_caches_the_store_and_the_environment() -> None:
    assert {room(name) for name, used in IMPORTS.items() for u in used if u.split(".")[0] == "streamlit"} == {
        "ui"
    }
    assert not [a for a in TEXT if "st.cache_" in TEXT[a] and not a.startswith("fer_core.ui.cache")]
    assert not [
        a for a in INSIDE if a.startswith("fer_core.runs.pipeline") and "fer_core.storage.store" in INSIDE[a]
    ]
    assert not [
        a for a in TEXT if room(a) != "config" and ("os.environ[" in TEXT[a] or "environ.get" in TEXT[a])
    ]


def test_what_pages_import_leaves_torch_out() -> None:
    names = sorted({name for page in PAGES for name in imported(page) if name.startswith("fer_core")})
    code = f"import sys, {', '.join(names)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
