"""What commands print."""

import json
from pathlib import Path

import numpy as np
import pytest
from cli_case import at_home, run
from trees import plant

from fer_core.cli.output import print_json
from fer_core.config.reading import Reading
from fer_core.storage.store import NamedData, Store


def test_the_name_of_a_data_set_that_was_brought_stands_for_how_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_home(monkeypatch, tmp_path / "home")
    plant(tmp_path / "set", ["0/a.png", "3/b.png"])
    assert run(capsys, "data", "audit", "--data", "mine")[0] == 2
    store = Store(tmp_path / "home" / "fer.sqlite")
    store.name_data(NamedData("mine", str(tmp_path / "set"), "auto", Reading(label_map="fer2013")))

    assert run(capsys, "data", "audit", "--data", "mine")[1]["understood"]["label_map"] == "fer2013"
    given = run(capsys, "data", "audit", "--data", "mine", "--label-map", "0=happy,3=sad")[1]
    assert given["understood"]["declared"] == {"label_map": "0=happy,3=sad"}


def test_frames_are_excluded_by_name_and_by_a_file_of_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_home(monkeypatch, tmp_path / "home")
    plant(tmp_path / "set", ["happy/a.png", "happy/b.png", "sad/c.png", "sad/d.png"])
    (tmp_path / "list.txt").write_text("sad/c.png\n\n")
    data = "--data", str(tmp_path / "set")
    whole = run(capsys, "data", "audit", *data)[1]
    fewer = run(capsys, "data", "audit", *data, "--exclude", "happy/a.png", str(tmp_path / "list.txt"))[1]
    assert (whole["images"], fewer["images"]) == (4, 2)
    assert whole["fingerprint"] != fewer["fingerprint"]
    for wrong in ("happy/z.png", "nowhere.txt"):
        assert run(capsys, "data", "audit", *data, "--exclude", wrong)[0] == 2


def test_json_holds_no_word_that_json_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    nan = float("nan")
    print_json({"a": [nan, (1.5, np.float32(nan))], "b": {"c": np.float64("inf"), 2: np.int64(3)}, "d": True})

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    found = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert found == {"a": [None, [1.5, None]], "b": {"c": None, "2": 3}, "d": True}
