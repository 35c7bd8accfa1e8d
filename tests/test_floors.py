"""The floors of the design hold: who may import whom, who knows Streamlit, what stays torch-free."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "fer_core"

FLOORS: dict[int, tuple[str, ...]] = {
    0: (
        "config",
        "settings",
        "errors",
        "reporting",
        "paper",
        "config_base",
        "config_comparators",
        "config_training",
        "recipes",
        "limits",
        "fair_queue",
        "spreadsheets",
        "sizes",
    ),
    1: (
        "datasets",
        "faces",
        "protocols",
        "metrics",
        "transforms",
        "store",
        "database",
        "migrations",
        "artifacts",
        "shared_artifacts",
        "uploads",
        "devices",
        "environment",
        "tensor_files",
    ),
    2: (
        "training",
        "features",
        "models",
    ),
    3: (
        "pipeline",
        "fitting",
        "engine",
        "folds",
        "sweep",
        "reproduction",
        "model_inputs",
        "comparison",
        "replication",
        "statements",
        "planning",
        "pace",
        "results",
        "trust",
        "predict",
        "predictions",
        "prediction_files",
        "neighbours",
        "explain",
        "charts",
    ),
    4: ("ui", "jobs", "report", "exchange"),
    5: ("cli", "commands", "__main__"),
}
FLOOR_OF = {name: floor for floor, names in FLOORS.items() for name in names}
SOURCES = sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports, relative ones made absolute."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            stem = ".".join(part for part in (base, node.module or "") if part)
            yield stem
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def floor_of(dotted: str) -> int | None:
    parts = dotted.split(".")
    return FLOOR_OF.get(parts[1]) if parts[0] == "fer_core" and len(parts) > 1 else None


def test_every_module_has_a_floor() -> None:
    top = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in SOURCES} - {"__init__"}
    assert top <= set(FLOOR_OF), f"name a floor for {sorted(top - set(FLOOR_OF))}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_come_from_the_same_or_lower_floors(path: Path) -> None:
    own = floor_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    if own is None:
        return
    higher = {name for name in imported(path) if (floor := floor_of(name)) is not None and floor > own}
    assert not higher, f"floor {own} imports from above: {sorted(higher)}"


def test_only_the_ui_imports_streamlit() -> None:
    knows = {
        path.relative_to(PACKAGE).parts[0]
        for path in SOURCES
        if any(name.split(".")[0] == "streamlit" for name in imported(path))
    }
    assert knows <= {"ui"}


def test_streamlit_caches_in_one_module_only() -> None:
    pages = [ROOT / "app.py", *(ROOT / "pages").glob("*.py")]
    caching = {
        path.relative_to(ROOT).as_posix()
        for path in [*SOURCES, *pages]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute | ast.alias)
        and (node.attr if isinstance(node, ast.Attribute) else node.name) in ("cache_data", "cache_resource")
    }
    assert caching == {"fer_core/ui/resources.py"}


def test_the_pipeline_does_not_know_the_store() -> None:
    assert not [name for name in imported(PACKAGE / "pipeline.py") if name.startswith("fer_core.store")]


def test_what_pages_import_leaves_torch_out() -> None:
    pages = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py"))]
    names = sorted({name for page in pages for name in imported(page) if name.startswith("fer_core")})
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}:\n"
        "    try: importlib.import_module(name)\n"
        "    except ModuleNotFoundError: getattr(importlib.import_module(name.rpartition('.')[0]), "
        "name.rpartition('.')[2])\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert names
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_pages_are_short_and_know_no_torch() -> None:
    for page in [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py"))]:
        assert len(page.read_text(encoding="utf-8").splitlines()) <= 80, f"{page.name} is over 80 lines"
        assert not [name for name in imported(page) if name.split(".")[0] == "torch"]
