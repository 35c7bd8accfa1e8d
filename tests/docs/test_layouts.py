"""The table of layouts in docs/datasets.md: a row a layout at least, and every test that it names is there."""

import re

from fer_core import ROOT
from fer_core.datasets.open import LAYOUTS

ROW = re.compile(r"^\| `(\w+)`.* \| `(test_\w+)` \|$", re.MULTILINE)


def test_every_layout_has_a_row_and_an_imitation() -> None:
    rows = ROW.findall((ROOT / "docs" / "datasets.md").read_text(encoding="utf-8"))
    assert {layout for layout, _ in rows} == set(LAYOUTS)
    tests = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "datasets").rglob("*.py")
    )
    assert not [name for _, name in rows if f"def {name}(" not in tests]
