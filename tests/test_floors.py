"""The walls of the design: levels, no circles, pages apart, small folders; who knows Streamlit and the environment."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

from fer_core import ROOT

PAGES = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py"))]
FILES = {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in (ROOT / "fer_core").rglob("*.py")}
MODULES = {name.removesuffix(".__init__"): path for name, path in FILES.items()}
TEXT = {name: path.read_text(encoding="utf-8") for name, path in MODULES.items()}
#: From the bottom; a module imports from its own level and those below.
LEVELS = "errors |config|evaluation storage datasets|faces learning|runs prediction results|ui|cli __main__"
LEVEL = {name: level for level, names in enumerate(LEVELS.split("|")) for name in names.split(" ")}


def imported(path: Path) -> set[str]:
    """Return the modules that a file imports, inside functions too, relative names made absolute."""
    package, found = path.relative_to(ROOT).parts[:-1], set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join([*base, *filter(None, [node.module])])
            found |= {n if n in MODULES else stem for n in (f"{stem}.{alias.name}" for alias in node.names)}
    return found


IMPORTS = {name: imported(path) for name, path in MODULES.items()}
INSIDE = {name: {other for other in used if other in MODULES} for name, used in IMPORTS.items()}
ARROWS = [(name, other) for name, used in INSIDE.items() for other in used]


def room(dotted: str) -> str:
    return f"{dotted}.".split(".")[1]


def test_no_import_leads_upward_and_none_in_a_circle() -> None:
    assert not [(a, b) for a, b in ARROWS if LEVEL[room(b)] > LEVEL[room(a)]]
    rooms = {room(one): {room(b) for a, b in ARROWS if room(a) == room(one) != room(b)} for one in MODULES}
    for graph in (INSIDE, rooms):
        list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def test_pages_are_short_and_no_pages_folder_imports_anothers() -> None:
    assert not [page.name for page in PAGES if len(page.read_text(encoding="utf-8").splitlines()) > 60]
    own = {
        name: name.split(".")[2]
        for name in MODULES
        if re.match(r"fer_core\.ui\.(faces|train|compare|predict|bring)\b", name)
    }
    assert not [(a, b) for a, b in ARROWS if a in own and b in own and own[a] != own[b]]


def test_files_and_folders_are_small() -> None:
    assert not [name for name, text in TEXT.items() if len(text.splitlines()) > 350]
    for folder in {path.parent for path in MODULES.values()}:
        assert len([entry for entry in folder.iterdir() if entry.name != "__pycache__"]) <= 14, folder


def test_who_knows_streamlit_its_caches_the_store_and_the_environment() -> None:
    assert {room(name) for name, used in IMPORTS.items() if "streamlit" in used} == {"ui"}
    assert not [a for a in TEXT if "st.cache_" in TEXT[a] and not a.startswith("fer_core.ui.cache")]
    assert not [
        a for a, b in ARROWS if a.startswith("fer_core.runs.pipeline") and b == "fer_core.storage.store"
    ]
    assert not [a for a in TEXT if re.search(r"environ(\[|\.get)", TEXT[a]) and room(a) != "config"]


def test_what_pages_import_leaves_torch_out() -> None:
    names = sorted({name for page in PAGES for name in imported(page) if name.startswith("fer_core")})
    code = f"import sys, {', '.join(names)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
