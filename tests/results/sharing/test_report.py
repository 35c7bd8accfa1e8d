"""A run's report: whole, alone, escaped, and nothing in it that the run's tables don't say."""

import dataclasses
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fer_core.cli.main import main
from fer_core.config.run import DataConfig, RunConfig
from fer_core.errors import NotFoundError, StoreError
from fer_core.results.shares import percent
from fer_core.results.sharing.report import public_config, render, report
from fer_core.runs.jobs.queue import submit
from fer_core.storage.store import Store, StoredRun

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}}"


class Page(HTMLParser):
    """Text outside of scripts, the scripts by id, and every attribute that could fetch something."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.scripts: dict[str, str] = {}
        self.fetches: list[str] = []
        self.tags: list[str] = []
        self._script: str | None = None
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetches += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "action", "data")]
        if tag == "script":
            self._script = dict(attrs).get("id") or f"script-{len(self.scripts)}"

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is None:
            self.words.append(data)
        else:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def store(shared_home: Path) -> Store:
    return Store(shared_home / "fer.sqlite", read_only=True)


@pytest.fixture
def run(store: Store) -> StoredRun:
    return store.runs(status=["done"])[0]


def document(store: Store, run: StoredRun) -> str:
    return render(run, store.epochs(run.id), store.predictions(run.id), store.log(run.id))


def test_figures_come_with_all_they_rest_on(store: Store, run: StoredRun) -> None:
    words = Page(document(store, run)).text
    low, high = run.summary["val_accuracy_interval"]
    for expected in (
        percent(run.summary["val_accuracy"]),
        f"95 % interval {100 * low:.1f} – {100 * high:.1f} %",
        "2 folds, seed 0",
        "not looked for",
        "Stratified",
        "leaks.",
        "Validation images whose shot is in training too",
        run.id,
        run.data,
        run.environment["commit"],
        run.environment["packages"]["torch"],
        "drawn by FER Lab, not photographs",
        "2 folds, on cpu",
    ):
        assert expected in words, expected


def test_it_fetches_nothing_and_its_figures_are_the_runs(store: Store, run: StoredRun) -> None:
    text = document(store, run)
    page = Page(text)
    assert page.fetches == []
    assert "default-src 'none'" in text
    assert not {"link", "iframe", "img", "form", "object"} & set(page.tags)
    drawn = [json.loads(code) for name, code in page.scripts.items() if name.startswith("figure-")]
    assert len(drawn) == 4
    cells = [trace["text"] for trace in drawn[1]["data"] if "text" in trace]
    assert sum(int(count) for some in cells for count in some) == run.summary["images"]


def test_whatever_people_have_named_things_stays_text(store: Store, run: StoredRun) -> None:
    environment = run.environment | {"platform": HOSTILE, "packages": {HOSTILE: HOSTILE}}
    imported = {"origin": HOSTILE, "exported": 0.0, "at": 0.0}
    named = dataclasses.replace(
        run, data_name=HOSTILE, environment=environment, extra={"imported": imported}, error=HOSTILE
    )
    log = store.log(run.id).assign(text=HOSTILE)
    page = Page(render(named, store.epochs(run.id), store.predictions(run.id), log))
    plain = Page(document(store, run))
    assert page.tags.count("script") == plain.tags.count("script")
    assert "img" not in page.tags
    assert page.text.count(HOSTILE) >= 6


def test_no_path_of_the_machine_is_told(store: Store, run: StoredRun, generated: Path) -> None:
    assert run.config.data.source == str(generated)
    assert str(generated) not in document(store, run)
    again = RunConfig.model_validate(public_config(run.config))
    assert again.key() == run.id


def test_only_a_finished_training_run_has_a_report(tmp_path: Path) -> None:
    store = Store(tmp_path / "fer.sqlite")
    with pytest.raises(NotFoundError):
        report(store, "feedfeedfeedfeed")
    run_id, _ = submit(store, RunConfig(data=DataConfig(fingerprint="0" * 16)))
    with pytest.raises(StoreError, match="queued"):
        report(store, run_id)


def test_the_command_writes_it(
    shared_home: Path,
    run: StoredRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FER_HOME", str(shared_home))
    target = tmp_path / "some" / "run.html"
    assert main(["report", "--run", run.id, "-o", str(target), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] == target.stat().st_size > 4_000_000
    assert main(["report", "--run", run.id, "-o", "/proc/none/x.html"]) == 2
    assert "writable" in capsys.readouterr().err
