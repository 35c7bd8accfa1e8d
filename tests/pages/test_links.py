"""Links: every key of the URL belongs to one page, so that what a link says of one page changes no other."""

import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from urllib.parse import urlencode

import pytest
from page_case import words
from streamlit.testing.v1 import AppTest

from fer_core import ROOT

#: A link of each page, as its widgets write it.
STATE = {
    "faces": {
        "frames": "Failed detections",
        "status": "none",
        "class": "happy",
        "order": "face size",
        "page": "1",
    },
    "train": {
        "protocol": "reshuffle",
        "folds": "3",
        "seeds": "2",
        "unfreeze": "1",
        "recipes": "adamw",
        "lr": "0.01",
    },
    "compare": {"view": "Learning curves", "protocols": "group", "sort": "newest first", "runs_page": "1"},
    "bring": {"layout": "csv", "label_map": "rafdb", "group_pattern": "(a)"},
    "predict": {"from": "sample", "unsure": "0.5"},
}
#: What a detection is, wherever one is chosen.
SHARED = {"no_face", "detector", "detection", "turned_down"}


def keys(page: str) -> set[str]:
    """Return the keys that a page's own folder binds to the URL."""
    files = [ROOT / "pages" / f"{page}.py", *(ROOT / "fer_core" / "ui" / page).glob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    bound = re.findall(r'(?:one_of|linked|in_range|switch)\(\s*"(\w+)"', text)
    return set(bound + re.findall(r'key="(\w+)",\s*bind=', text)) - SHARED


def test_no_key_belongs_to_two_pages() -> None:
    known = {page: keys(page) for page in STATE}
    assert {"protocol", "folds", "seeds"} <= known["train"]
    assert not [(a, b, known[a] & known[b]) for a, b in combinations(known, 2) if known[a] & known[b]]


@pytest.mark.parametrize("name", STATE)
def test_a_page_is_the_same_with_the_state_of_all_others_in_its_link(
    name: str, page: Callable[..., AppTest], trained: Path
) -> None:
    own = {"backbone": "efficientnet_lite0"} | STATE[name]
    others = {key: value for other in STATE if other != name for key, value in STATE[other].items()}
    alone = words(page(f"pages/{name}.py", trained, **own))
    shown = page(f"pages/{name}.py", trained, **others | own)
    assert words(shown) == alone
    assert not [*shown.error, *shown.toast]


def test_what_was_chosen_on_one_page_stays_there(page: Callable[..., AppTest], trained: Path) -> None:
    app = page("pages/compare.py", trained, protocols="group", backbone="efficientnet_lite0")
    assert app.multiselect(key="protocols").value == ["group"]
    app = app.multiselect(key="protocols").set_value([]).run()
    app = app.switch_page("pages/train.py").run()
    assert not app.error
    assert app.selectbox(key="protocol").value in ("group", "stratified")


@pytest.mark.parametrize("name", ["app.py", "pages/compare.py"])
def test_every_link_to_a_page_names_the_data_set(
    page: Callable[..., AppTest], home: Path, generated: Path, name: str
) -> None:
    """Opened in a new tab or sent to somebody, it shows the same data."""
    found = page(name, home).get("page_link")
    assert len(found) > 6  # more than those of the sidebar
    assert {link.proto.query_string for link in found} == {urlencode({"data": str(generated)})}
