"""A run leaves and arrives whole; whatever is wrong with an archive is refused before anything is kept."""

import hashlib
import io
import json
import shutil
import stat
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save

from fer_core.cli.main import main
from fer_core.errors import DataError, FerError, NotFoundError, StoreError
from fer_core.results.sharing.runs import Imported, export_run, import_run
from fer_core.runs.jobs.queue import cancel, submit
from fer_core.storage.artifacts import Artifacts
from fer_core.storage.shared_artifacts import SharedArtifacts
from fer_core.storage.store import Store, StoredRun

Parts = dict[str, bytes]
ANSWERS = "predictions.probabilities"


@pytest.fixture(scope="session")
def exported(shared_home: Path) -> bytes:
    store = Store(shared_home / "fer.sqlite")
    packed = io.BytesIO()
    run = store.runs(status=["done"])[0]
    export_run(store, Artifacts(shared_home / "artifacts"), run.id, packed, origin="the other lab")
    return packed.getvalue()


@pytest.fixture
def here(shared_home: Path) -> StoredRun:
    return Store(shared_home / "fer.sqlite").runs(status=["done"])[0]


class Elsewhere:
    """Another installation, empty."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.store, self.artifacts = Store(home / "fer.sqlite"), Artifacts(home / "artifacts")

    def take_in(self, data: bytes) -> Imported:
        return import_run(io.BytesIO(data), self.store, self.artifacts)

    def untouched(self) -> bool:
        return not self.store.runs() and not self.artifacts.keys("runs")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    return Elsewhere(tmp_path / "elsewhere")


def parts_of(data: bytes) -> Parts:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(parts: Parts, *, listed: bool = True, about: dict[str, Any] | None = None) -> bytes:
    """Pack files; `listed` renews the manifest's hashes, as a careful forger would."""
    parts = dict(parts)
    manifest = json.loads(parts.pop("manifest.json")) | (about or {})
    if listed:
        manifest["files"] = {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in parts.items()
        }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
        archive.writestr("manifest.json", json.dumps(manifest))
    return packed.getvalue()


def without(parts: Parts, left_out: str) -> Parts:
    return {name: data for name, data in parts.items() if name != left_out}


def edited(parts: Parts, name: str, change: Callable[[Any], Any]) -> Parts:
    document = json.loads(parts[name])
    found = change(document)
    return parts | {name: json.dumps(document if found is None else found).encode()}


def refused(elsewhere: Elsewhere, data: bytes, match: str) -> None:
    with pytest.raises(DataError, match=match):
        elsewhere.take_in(data)
    assert elsewhere.untouched()


def test_a_run_arrives_as_it_left_and_only_once(
    exported: bytes, elsewhere: Elsewhere, shared_home: Path, here: StoredRun
) -> None:
    found = elsewhere.take_in(exported)
    assert found == Imported(here.id, True, "the other lab")
    there = elsewhere.store.run(here.id)
    assert there.config.key() == here.id
    for name in ("summary", "environment", "created", "finished", "seconds", "status", "data", "data_name"):
        assert getattr(there, name) == getattr(here, name), name
    mark = there.extra["imported"]
    assert mark["origin"] == "the other lab"
    assert mark["exported"] <= mark["at"]
    assert there.data_source == ""
    before, after = Store(shared_home / "fer.sqlite"), elsewhere.store
    for table in ("epochs", "predictions", "log"):
        tables = [
            getattr(store, table)(here.id).drop(columns="written", errors="ignore")
            for store in (before, after)
        ]
        pd.testing.assert_frame_equal(*tables)
    left, came = (home / "artifacts" / "runs" / here.id for home in (shared_home, elsewhere.home))
    for path in left.glob("*.safetensors"):
        assert (came / path.name).read_bytes() == path.read_bytes()

    assert elsewhere.take_in(exported) == Imported(here.id, False, "the other lab")
    assert elsewhere.store.run(here.id) == there


def test_an_import_opens_no_folder_of_this_host(exported: bytes, elsewhere: Elsewhere) -> None:
    parts = edited(parts_of(exported), "run.json", at("config", "data", "source", value="/etc/ssh"))
    found = elsewhere.take_in(pack(parts))
    assert found.new
    assert elsewhere.store.run(found.run_id).data_source == ""
    assert set(elsewhere.store.sources()) <= {"", "demo"}


def test_a_data_set_known_here_is_found_by_its_fingerprint(
    exported: bytes, elsewhere: Elsewhere, here: StoredRun
) -> None:
    config = here.config
    data = config.data.model_copy(update={"source": "/data/here"})
    submit(elsewhere.store, config.model_copy(update={"data": data, "goal": "faces"}))
    run_id = elsewhere.take_in(exported).run_id
    assert elsewhere.store.run(run_id).data_source == "/data/here"


def test_a_run_under_way_is_left_alone_and_a_cancelled_one_gives_way(
    exported: bytes, elsewhere: Elsewhere, here: StoredRun
) -> None:
    run_id, _ = submit(elsewhere.store, here.config)
    with pytest.raises(StoreError, match="under way"):
        elsewhere.take_in(exported)
    assert elsewhere.store.run(run_id).status == "queued"
    assert not elsewhere.artifacts.keys("runs")
    cancel(elsewhere.store, run_id)
    assert elsewhere.take_in(exported).new
    assert elsewhere.store.run(run_id).status == "done"


def test_the_commands_carry_it_over(
    shared_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = Store(shared_home / "fer.sqlite").runs(status=["done"])[0].id
    file = tmp_path / "run.zip"
    monkeypatch.setenv("FER_HOME", str(shared_home))
    assert main(["export", "--run", run_id, "-o", str(file), "--origin", "desk", "--json"]) == 0
    assert main(["export", "--run", "feedfeedfeedfeed", "-o", str(tmp_path / "no.zip")]) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.zip"]
    monkeypatch.setenv("FER_HOME", str(tmp_path / "elsewhere"))
    capsys.readouterr()
    for new in (True, False):
        assert main(["import", str(file), "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"run": run_id, "new": new, "origin": "desk"}
    file.write_bytes(file.read_bytes()[:-100])
    assert main(["import", str(file)]) == 2


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 not really", b"GIF89a"])
def test_what_is_no_zip_is_refused(data: bytes, elsewhere: Elsewhere) -> None:
    refused(elsewhere, data, "must be a zip that FER Lab exported")


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "networks/../run.json",
        "networks/seed0-fold0.pt",
        "networks/",
        "networks/seed0-fold0.safetensors.bak",
    ],
)
def test_names_that_are_no_run_s_own_are_refused(name: str, exported: bytes, elsewhere: Elsewhere) -> None:
    refused(elsewhere, pack(parts_of(exported) | {name: b"x"}), "only a run's files")


def test_links_and_doubles_are_refused(exported: bytes, elsewhere: Elsewhere) -> None:
    for mode, name, match in (
        (stat.S_IFLNK | 0o777, "networks/seed7-fold7.safetensors", "no links"),
        (stat.S_IFREG, "run.json", "each file once"),
    ):
        packed = io.BytesIO(exported)
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        with zipfile.ZipFile(packed, "a") as archive, pytest.warns() if name == "run.json" else nullcontext():
            archive.writestr(entry, "/etc/passwd")
        refused(elsewhere, packed.getvalue(), match)


def test_bombs_are_refused_by_their_directory_alone(
    exported: bytes, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = parts_of(exported)
    bomb = pack(parts | {"networks/seed7-fold7.safetensors": bytes(20_000_000)})
    monkeypatch.setattr(zipfile.ZipFile, "open", _opened_only_for_the_manifest)
    refused(elsewhere, bomb, "packed more than 100 times")
    monkeypatch.setattr("fer_core.results.sharing.archive.MAX_MANIFEST", 100)
    refused(elsewhere, exported, "a file may have")
    monkeypatch.setattr("fer_core.storage.zips.MOST_ENTRIES", 3)
    refused(elsewhere, exported, "3 is the limit")


def _opened_only_for_the_manifest(*_: object, **__: object) -> None:
    raise AssertionError("nothing may be unpacked before the directory is judged")


def test_a_directory_that_lies_about_a_size_is_refused(exported: bytes, elsewhere: Elsewhere) -> None:
    parts = parts_of(exported)
    data = pack(parts | {"log.json": b'{"columns":["line","written","text"],"rows":[]}' + b" " * 5000})
    spot = data.rindex(b"log.json") - 46 + 24  # in the central directory: the unpacked size
    lied = data[:spot] + (40).to_bytes(4, "little") + data[spot + 4 :]
    refused(elsewhere, lied, "unpack|changed or damaged")


def test_every_changed_file_is_refused_by_its_hash(exported: bytes, elsewhere: Elsewhere) -> None:
    parts = parts_of(exported)
    for name in set(parts) - {"manifest.json"}:
        changed = parts | {name: parts[name][:-1] + bytes([parts[name][-1] ^ 1])}
        refused(elsewhere, pack(changed, listed=False), "SHA-256|unpack")


def test_files_beside_the_manifest_and_missing_ones_are_refused(
    exported: bytes, elsewhere: Elsewhere
) -> None:
    parts = parts_of(exported)
    network = next(name for name in parts if name.endswith("safetensors"))
    more = parts | {"networks/seed9-fold9.safetensors": b"x"}
    refused(elsewhere, pack(more, listed=False), "manifest lists")
    refused(elsewhere, pack(without(parts, network), listed=False), "lists")
    refused(elsewhere, pack(without(parts, network)), "network for each fold")
    refused(elsewhere, pack(without(parts, "log.json")), "document log")


@pytest.mark.parametrize(
    ("about", "match"),
    [
        ({"format": "something else"}, "a manifest of the format"),
        ({"version": 3}, "version 2 or older"),
        ({"version": "2"}, "version 2 or older"),
        ({"exported": 9e9}, "manifest.json.exported: .*between the year 2000 and tomorrow"),
        ({"run": "feedfeedfeedfeed"}, "key must be that of its definition"),
        ({"data": "feedfeedfeedfeed"}, "data fingerprint must be that"),
    ],
)
def test_a_manifest_of_something_else_is_refused(
    about: dict[str, Any], match: str, exported: bytes, elsewhere: Elsewhere
) -> None:
    refused(elsewhere, pack(parts_of(exported), about=about), match)


def at(*path: Any, value: Any) -> Callable[[Any], None]:
    """Return what sets a value deep in a document."""

    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("run.json", at("config", "training", "lr", value=0.5), "key must be that of its definition"),
        ("run.json", at("config", "colour", value="red"), "a definition that this FER Lab understands"),
        ("run.json", at("config", value=None), "run.json.config: "),
        ("run.json", at("summary", "val_accuracy", value=0.99), "follow from its predictions"),
        ("run.json", at("summary", "confusion", 0, 0, value=99), "follow from its predictions"),
        ("run.json", at("summary", "folds", value="2"), "run.json.summary.folds: "),
        ("run.json", at("summary", "train_accuracy", value="all"), "run.json.summary.train_accuracy: "),
        ("run.json", at("summary", "leakage", value={}), "run.json.summary.leakage.clip: "),
        ("run.json", at("environment", value=None), "run.json.environment: "),
        ("run.json", at("seconds", value="long"), "run.json.seconds: "),
        ("predictions.json", at("rows", 0, 3, value=9), r"predictions.0.3: "),
        ("predictions.json", at("rows", 0, 3, value=-1), "predictions.0.3: "),
        ("predictions.json", at("rows", 0, 6, value=0.9), "probabilities of the seven classes"),
        ("predictions.json", at("rows", 0, 0, value=5), "seeds of the definition"),
        ("predictions.json", at("rows", 0, value=[1]), "predictions.0.1: "),
        ("predictions.json", at("columns", value=["name"]), "must have the columns"),
        ("epochs.json", at("rows", 0, 3, value="<b>"), "epochs.0.3: "),
        ("epochs.json", at("rows", 0, 2, value=2**40), "epochs.0.2: "),
        (
            "epochs.json",
            lambda table: table["rows"].append(table["rows"][0]),
            "row of epochs must stand there once",
        ),
        (
            "predictions.json",
            lambda table: table["rows"].append(table["rows"][0]),
            "row of predictions must stand",
        ),
        (
            "log.json",
            lambda table: table["rows"].append(table["rows"][0]),
            "row of log must stand there once",
        ),
        ("log.json", at("rows", 0, 2, value="half a character: \ud800"), "documents that are JSON"),
        ("log.json", at("rows", 0, 1, value=1e300), "log.0.1: "),
        ("log.json", lambda table: table["rows"].extend([[9 + n, 1.7e9, ""] for n in range(2001)]), "log: "),
        ("run.json", at("environment", "commit", value="\udcff"), "documents that are JSON"),
        ("run.json", at("environment", "packages", value=[[]]), "run.json.environment.packages"),
        ("run.json", at("summary", "images", value=-5), "run.json.summary.images: "),
        ("run.json", at("summary", "images", value=3), "images must be at least those held out"),
        ("run.json", at("summary", "missing_faces", value=0.5), "run.json.summary.missing_faces"),
        ("run.json", at("summary", "over_epochs", value=[1]), "run.json.summary.over_epochs: "),
        ("run.json", at("created", value=-1e18), "run.json.created: "),
        ("run.json", at("finished", value=4e9), "run.json.finished: "),
        ("run.json", at("seconds", value=-1.0), "run.json.seconds: "),
        ("probe.json", at("logits", value={}), "whole and this run's"),
        (
            "probe.json",
            at("logits", value={"seed0-fold0.safetensors": [[0.0] * 7] * 8}),
            "as it did where it was exported",
        ),
        ("log.json", at("rows", value=7), "log.rows: "),
    ],
)
def test_documents_that_do_not_hang_together_are_refused(
    name: str, change: Callable[[Any], None], match: str, exported: bytes, elsewhere: Elsewhere
) -> None:
    refused(elsewhere, pack(edited(parts_of(exported), name, change)), match)


def test_documents_that_are_no_json_are_refused(exported: bytes, elsewhere: Elsewhere) -> None:
    for data in (b"\xff\xfe", b"[" * 100_000, b"{'a': 1}"):
        refused(elsewhere, pack(parts_of(exported) | {"run.json": data}), "documents that are JSON")


def network(
    parts: Parts, tmp_path: Path, change: Callable[[dict[str, np.ndarray], dict[str, Any]], None]
) -> Parts:
    """Return the parts with one network changed: its tensors, its note."""
    name = next(name for name in parts if name.endswith("safetensors"))
    path = tmp_path / "network.safetensors"
    path.write_bytes(parts[name])
    with safe_open(path, framework="np") as file:
        note = json.loads(file.metadata()["note"])
    tensors = load_file(path)
    change(tensors, note)
    return parts | {name: save(tensors, metadata={"note": json.dumps(note)})}


Tensors = dict[str, np.ndarray]


def weight_of(tensors: Tensors) -> str:
    return next(name for name in tensors if name.endswith("weight"))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda _, note: note.update(run="feedfeedfeedfeed"), "whole and this run's"),
        (lambda _, note: note.update(fold=1 - note["fold"]), "whole and this run's"),
        (lambda all_, _: all_.update({(one := weight_of(all_)): all_[one][:3].copy()}), "trained blocks"),
        (lambda all_, _: all_.update({"suffix.extra": np.zeros(3, np.float32)}), "trained blocks"),
        (
            lambda all_, _: all_.update(
                {name: np.zeros_like(one) for name, one in all_.items() if name.startswith("suffix.")}
            ),
            "must answer as it did where it was exported",
        ),
        (lambda _, note: note.update(training={"temperature": "warm"}), "as FER Lab writes them"),
        (lambda _, note: note.update(training=[]), "as FER Lab writes them"),
        (
            lambda all_, _: all_.update({ANSWERS: np.roll(all_[ANSWERS], 1, axis=1)}),
            "must be those of the predictions",
        ),
    ],
)
def test_networks_of_another_run_or_shape_are_refused(
    change: Callable[[Tensors, dict[str, Any]], None],
    match: str,
    exported: bytes,
    elsewhere: Elsewhere,
    tmp_path: Path,
) -> None:
    refused(elsewhere, pack(network(parts_of(exported), tmp_path, change)), match)


def test_a_network_that_is_no_file_of_tensors_is_refused(exported: bytes, elsewhere: Elsewhere) -> None:
    parts = parts_of(exported)
    name = next(name for name in parts if name.endswith("safetensors"))
    refused(elsewhere, pack(parts | {name: b"\x80\x04junk" * 40}), "whole and this run's")


def test_one_answer_to_everything_is_refused_even_where_the_probe_was_answered_anew(
    exported: bytes, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    def zeroed(tensors: dict[str, np.ndarray], _: dict[str, Any]) -> None:
        for name in [name for name in tensors if name.endswith("weight")]:
            tensors[name] = np.zeros_like(tensors[name])
        biases.append(next(value for name, value in tensors.items() if name.endswith("bias")))

    biases: list[np.ndarray] = []
    parts = network(parts_of(exported), tmp_path, zeroed)
    name = next(name for name in parts if name.endswith("safetensors")).removeprefix("networks/")
    forged = edited(parts, "probe.json", at("logits", name, value=[biases[0].tolist()] * 8))
    refused(elsewhere, pack(forged), "one answer to every input")


def test_an_archive_made_before_there_was_a_probe_is_to_be_exported_again(
    exported: bytes, elsewhere: Elsewhere
) -> None:
    parts = without(parts_of(exported), "probe.json")
    refused(elsewhere, pack(parts, about={"version": 1}), "document probe.json.*Export it again")


@pytest.mark.parametrize("error", [FerError("the disk is full"), ValueError("no"), KeyboardInterrupt()])
def test_whatever_fails_leaves_no_networks(
    exported: bytes, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fails(*_: object) -> bool:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("fer_core.results.sharing.runs.adopt", fails)
        with pytest.raises(type(error)):
            elsewhere.take_in(exported)
    assert elsewhere.untouched()
    assert elsewhere.take_in(exported).new


def test_networks_that_another_import_left_give_way_to_those_of_the_archive(
    exported: bytes, elsewhere: Elsewhere
) -> None:
    parts = parts_of(exported)
    run_id = json.loads(parts["manifest.json"])["run"]
    name = next(name for name in parts if name.endswith("safetensors"))

    def other(folder: Path) -> None:
        (folder / name.removeprefix("networks/")).write_bytes(b"someone else's")

    folder = elsewhere.artifacts.ensure("runs", run_id, {}, other)
    assert elsewhere.take_in(exported).new
    assert (folder / name.removeprefix("networks/")).read_bytes() == parts[name]


def test_a_run_whose_networks_are_gone_is_not_exported(shared_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "copy"
    shutil.copytree(shared_home, home)
    store, artifacts = Store(home / "fer.sqlite"), Artifacts(home / "artifacts")
    run = store.runs(status=["done"])[0]
    artifacts.delete("runs", run.id)
    with pytest.raises(StoreError, match="must be there"):
        export_run(store, artifacts, run.id, io.BytesIO())


def test_a_host_exports_what_another_has_shared(shared_home: Path, tmp_path: Path, exported: bytes) -> None:
    url = f"file://{tmp_path}/bucket"
    maker, other = SharedArtifacts(shared_home / "artifacts", url), SharedArtifacts(tmp_path / "other", url)
    store = Store(shared_home / "fer.sqlite")
    run = store.runs(status=["done"])[0]
    with pytest.raises(NotFoundError):
        export_run(store, other, run.id, io.BytesIO())
    maker.ensure("runs", run.id, maker.read_config("runs", run.id), lambda folder: None)
    packed = io.BytesIO()
    export_run(store, other, run.id, packed, origin="the other lab")
    networks = {name: data for name, data in parts_of(exported).items() if name.startswith("networks/")}
    assert networks
    found = parts_of(packed.getvalue())
    assert {name: data for name, data in found.items() if name.startswith("networks/")} == networks
