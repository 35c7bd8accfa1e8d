"""A zip file whose manifest names every file with its size and SHA-256; nothing else may be in it.

The manifest is `{"format", "version", "files": {name: {"bytes", "sha256"}}, ...}`. An archive is judged by its
directory before a byte of it is unpacked: names are matched against a list, never used as paths.
"""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Self

from fer_core.config.regular_files import opened
from fer_core.errors import DataError
from fer_core.storage.zips import BROKEN, MOST_RATIO, distrusted, open_zip

MANIFEST = "manifest.json"
CHUNK = 1 << 20

#: Most an archive may unpack to, and most of that in its manifest.
MAX_BYTES, MAX_MANIFEST = 8 << 30, 4 << 20


def write(
    target: Path | IO[bytes], about: Mapping[str, Any], files: Iterable[tuple[str, bytes | Path]]
) -> None:
    """Write an archive. Documents (bytes) are compressed, files stored as they are.

    Args:
        about: what the manifest says besides `files`: format, version and more, JSON-able.
    """
    listed: dict[str, dict[str, object]] = {}
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files:
            hashed, size = hashlib.sha256(), 0
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED if isinstance(content, bytes) else zipfile.ZIP_STORED
            source = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
            with source, archive.open(entry, "w", force_zip64=True) as packed:
                while chunk := source.read(CHUNK):
                    hashed.update(chunk)
                    size += len(chunk)
                    packed.write(chunk)
            listed[name] = {"bytes": size, "sha256": hashed.hexdigest()}
        manifest = json.dumps({**about, "files": listed}, indent=2)
        archive.writestr(zipfile.ZipInfo(MANIFEST), manifest, zipfile.ZIP_DEFLATED)


class Bundle:
    """An opened archive whose directory has been judged.

    Args:
        source: the file or its bytes.
        format_name, version: what the manifest must say.
        documents: the names of those files that are read into memory, and the most bytes that each may have.
        networks: a pattern that the names of the others match in full.

    Raises:
        DataError: it is no such archive, of a newer version, or holds what it must not.
    """

    def __init__(
        self,
        source: Path | IO[bytes],
        *,
        format_name: str,
        version: int,
        documents: Mapping[str, int],
        networks: re.Pattern[str],
    ) -> None:
        with ExitStack() as stack:
            try:
                file = stack.enter_context(opened(source, MAX_BYTES)) if isinstance(source, Path) else source
                self._archive = stack.enter_context(open_zip(file))
            except (*BROKEN, OSError) as error:
                raise DataError(
                    "The file must be a zip that FER Lab exported", got=str(error), fix="Export the run again"
                ) from error
            self._documents, self._networks = {**documents, MANIFEST: MAX_MANIFEST}, networks
            entries = self._archive.infolist()
            self._entries = {entry.filename: entry for entry in entries}
            if len(self._entries) != len(entries):
                raise _refused("each file once", "a name twice")
            for entry in entries:
                self._judge(entry)
            if (total := sum(entry.file_size for entry in entries)) > MAX_BYTES:
                raise _refused(f"at most {MAX_BYTES >> 30} GiB unpacked", f"{total / 2**30:.1f} GiB")
            self.manifest = self._read_manifest(format_name, version)
            self._opened = stack.pop_all()

    def _judge(self, entry: zipfile.ZipInfo) -> None:
        name = entry.filename
        if name not in self._documents and not self._networks.fullmatch(name):
            raise _refused("only a run's files, by their names", repr(name[:200]))
        if reason := distrusted(entry, self._documents.get(name, MAX_BYTES)):
            rule = f"plain files alone, no links and nothing packed more than {MOST_RATIO} times"
            raise _refused(rule, f"{name}: {reason}")

    def _read_manifest(self, format_name: str, version: int) -> dict[str, Any]:
        manifest = self._json(self._bytes(MANIFEST), MANIFEST) if MANIFEST in self._entries else {}
        if not isinstance(manifest, dict) or manifest.get("format") != format_name:
            raise _refused(f"a manifest of the format {format_name!r}", repr(str(manifest)[:80]))
        found = manifest.get("version")
        if not isinstance(found, int) or not 1 <= found <= version:
            raise DataError(
                f"The archive's format must be version {version} or older",
                got=repr(found)[:80],
                fix="Update FER Lab, or export the run with an older one",
            )
        files = manifest.get("files")
        if not isinstance(files, dict) or set(files) != set(self._entries) - {MANIFEST}:
            raise _refused("exactly the files its manifest lists", "others, or fewer")
        return manifest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @property
    def networks(self) -> list[str]:
        """The names of the files that are no documents, sorted."""
        return sorted(name for name in self._entries if self._networks.fullmatch(name))

    def document(self, name: str) -> Any:
        """Return a JSON document whose hash is the manifest's. Raises DataError."""
        if name not in self._entries:
            raise _refused(f"the document {name}", "none")
        data = self._bytes(name)
        self._compare(name, len(data), hashlib.sha256(data).hexdigest())
        return self._json(data, name)

    def unpack(self, name: str, target: Path) -> None:
        """Write a file whose hash is the manifest's to a path of the caller's choice. Raises DataError."""
        hashed, size = hashlib.sha256(), 0
        with _unpacking(name), self._archive.open(self._entries[name]) as packed, target.open("wb") as file:
            while chunk := packed.read(CHUNK):
                hashed.update(chunk)
                size += len(chunk)
                file.write(chunk)
        self._compare(name, size, hashed.hexdigest())

    def _bytes(self, name: str) -> bytes:
        with _unpacking(name), self._archive.open(self._entries[name]) as packed:
            return packed.read(self._documents[name] + 1)

    def _compare(self, name: str, size: int, digest: str) -> None:
        if self.manifest["files"][name] != {"bytes": size, "sha256": digest}:
            raise DataError(
                "Each file must have the SHA-256 that the manifest says",
                got=f"{name} has been changed or damaged",
                fix="Get the archive again from where it came from",
            )

    @staticmethod
    def _json(data: bytes, name: str) -> Any:
        try:
            if b"\\ud" in data or b"\\uD" in data:  # half a character alone can't be stored
                json.dumps(json.loads(data), ensure_ascii=False).encode()
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise _refused("documents that are JSON", f"{name}: {error}") from error


@contextmanager
def _unpacking(name: str) -> Iterator[None]:
    try:
        yield
    except BROKEN as error:
        raise _refused("files that unpack", f"{name}: {error}") from error


def _refused(rule: str, got: str) -> DataError:
    return DataError(f"An exported run holds {rule}", got=got, fix="Export it again where it was made")


def encode(document: Any) -> bytes:
    """Return a document as JSON. Raises ValueError where a number is not finite."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
