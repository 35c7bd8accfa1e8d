"""Exported runs that a forger has changed. Manifests list the files as they are: only the content gives them away."""

import copy
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from safetensors.numpy import load, save

Parts = dict[str, bytes]

#: What a cell, a figure or a time must not be.
ABSURD = (-5, 2**60, 1e300, -1e18, "<b>", None, [], {}, "half \ud800", "x" * 100_000, True, -0.5)


def parts_of(archive: bytes) -> Parts:
    """Return an archive's files by name."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def packed(parts: Mapping[str, bytes], about: Mapping[str, Any] | None = None) -> bytes:
    """Return an archive whose manifest lists the files as they are, with `about` put into it."""
    files = {name: data for name, data in parts.items() if name != "manifest.json"}
    manifest = json.loads(parts["manifest.json"]) | (about or {})
    manifest["files"] = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**files, "manifest.json": json.dumps(manifest).encode()}.items():
            archive.writestr(name, data)
    return target.getvalue()


def forgeries(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield a name and an archive of each forgery of an honest one."""
    parts = parts_of(archive)
    documents = {name: json.loads(data) for name, data in parts.items() if name.endswith(".json")}

    def changed(name: str, change: Callable[[Any], object]) -> bytes:
        document = copy.deepcopy(documents[name])
        change(document)
        return packed(parts | {name: json.dumps(document).encode()})

    for table in ("epochs", "predictions", "log"):
        name = f"{table}.json"
        for column, what in enumerate(documents[name]["columns"]):
            for value in ABSURD:
                if value is None and table == "epochs" and column > 2:
                    continue  # a figure that is unknown
                if value in (True,) and what not in ("name", "text"):
                    continue  # JSON's true is a one to Python in places
                if (
                    isinstance(value, str)
                    and what in ("name", "group", "face_status", "text")
                    and len(value) < 9
                ):
                    continue  # as good a text as any, where no figure follows from it
                yield (
                    f"{table}: {what} {value!r:.20}",
                    changed(name, lambda d, c=column, v=value: d["rows"][0].__setitem__(c, v)),
                )
        yield f"{table}: a row twice", changed(name, lambda d: d["rows"].append(d["rows"][0]))
        yield f"{table}: no rows but text", changed(name, lambda d: d.update(rows="none"))
    for field in ("created", "finished", "seconds", "summary", "environment", "config"):
        for value in ABSURD[:8]:
            if (field, value) == ("environment", {}):
                continue
            if field == "seconds" and value in (1e300, 2**60):
                continue
            yield (
                f"run: {field} {value!r:.20}",
                changed("run.json", lambda d, f=field, v=value: d.update({f: v})),
            )
    for field in ("images", "val_accuracy", "train_accuracy", "confusion", "missing_faces", "leakage"):
        for value in (-5, 2**60, "all", []):
            yield (
                f"summary: {field} {value!r}",
                changed("run.json", lambda d, f=field, v=value: d["summary"].update({f: v})),
            )
    for about in (
        {"run": "feed" * 4},
        {"version": 99},
        {"exported": 9e9},
        {"padding": ["x" * 99] * 60_000},
        {"origin": 7},
    ):
        yield f"manifest: {next(iter(about))}", packed(parts, about)
    for name in ("../../evil.py", "/etc/passwd", "networks/seed0-fold0.pt", "notes.txt"):
        yield f"a file {name}", packed(parts | {name: b"x"})
    for name, data in parts.items():
        yield f"without {name}", packed({**parts, name: b""}) if name != "manifest.json" else data
        yield (
            f"{name} cut in half",
            packed({**parts, name: data[: len(data) // 2]}) if name != ("manifest.json") else data[:-9],
        )
    networks = [name for name in parts if name.endswith(".safetensors")]
    for name in networks:
        yield f"{name}: weights zeroed", packed(parts | {name: _other(parts[name], np.zeros_like)})
        yield (
            f"{name}: weights drawn",
            packed(
                parts
                | {name: _other(parts[name], lambda one: np.random.default_rng(0).normal(size=one.shape))}
            ),
        )
        yield f"{name}: signs changed", packed(parts | {name: _other(parts[name], np.negative)})


def _other(network: bytes, change: Callable[[np.ndarray], np.ndarray]) -> bytes:
    """Return a network with its trained tensors changed, its note and its predictions kept."""
    size = int.from_bytes(network[:8], "little")
    note = json.loads(network[8 : 8 + size])["__metadata__"]
    tensors = {
        name: change(value).astype(value.dtype) if name.startswith("suffix.") else value
        for name, value in load(network).items()
    }
    return save(tensors, metadata=note)
