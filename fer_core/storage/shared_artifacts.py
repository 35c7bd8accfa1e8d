"""Artifacts that several hosts share through an object store: S3 and all else that fsspec reads.

The folder below FER_HOME is each host's cache. An artifact made here is uploaded once it is whole; one that another
host has made is downloaded when it is opened. Objects can't be renamed as one, so config.json goes up last and comes
off first: where it is, the artifact is whole. What is still being made stays on its host, and only its writer's host
excludes other writers: two hosts may make the same artifact at once, which costs time and gives the same bits.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fer_core.config.settings import Settings
from fer_core.errors import ConfigError, NotFoundError, StoreError

from .artifacts import CONFIG, Artifacts


def artifacts_of(settings: Settings) -> Artifacts:
    """Return the artifacts of an installation: this host's, or with FER_ARTIFACTS_URL those at that address.

    Raises:
        ConfigError: the address is of a kind that is not known or whose package is missing.
    """
    if settings.artifacts_url and not settings.published:
        return SharedArtifacts(settings.artifacts, settings.artifacts_url)
    return Artifacts(settings.artifacts)


class SharedArtifacts(Artifacts):
    """Artifacts in an object store, behind a folder of this host.

    Args:
        root: the folder.
        url: where they are shared: s3://bucket/path, file:///shared/path or another address fsspec knows.

    Raises:
        ConfigError: the address can't be used.
    """

    def __init__(self, root: Path, url: str) -> None:
        super().__init__(root)
        import fsspec

        self.url = url
        try:
            self._files, self._base = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise ConfigError(
                "FER_ARTIFACTS_URL must be an address that fsspec reads",
                got=f"{url!r}: {error}",
                fix="Install the package it names (s3fs for s3://), or correct the address",
            ) from error

    def has(self, kind: str, key: str) -> bool:
        """Return whether the artifact is whole, here or in the store."""
        return super().has(kind, key) or self._shared(kind, key)

    def open(self, kind: str, key: str) -> Path:
        """Return the folder of an artifact on this host, downloaded now unless it is here.

        Raises:
            NotFoundError: it is neither here nor in the store.
            StoreError: the store doesn't answer.
        """
        # Noted as used in the same breath: `discard` leaves it alone from here on.
        if self._use(kind, key) and self.whole(kind, key):
            return self.path(kind, key)
        if self._shared(kind, key):
            config = self._shared_config(kind, key)
            return super().ensure(kind, key, config, lambda folder: self._download(kind, key, folder))
        return super().open(kind, key)

    def ensure(
        self,
        kind: str,
        key: str,
        config: dict[str, Any],
        build: Callable[[Path], None],
        **options: Any,
    ) -> Path:
        """Return the folder of an artifact: here, downloaded, or made now and uploaded (`Artifacts.ensure`).

        An upload that was cut off is done at the next call.
        """
        if self._shared(kind, key):
            return self.open(kind, key)
        folder = super().ensure(kind, key, config, build, **options)
        self._upload(kind, key, folder)
        return folder

    def read_config(self, kind: str, key: str) -> dict[str, Any]:
        """Return the config that an artifact was made with, without downloading the rest of it."""
        try:
            return super().read_config(kind, key)
        except NotFoundError:
            if not self._shared(kind, key):
                raise
        return self._shared_config(kind, key)

    def _shared_config(self, kind: str, key: str) -> dict[str, Any]:
        with self._errors():
            return json.loads(self._files.cat_file(f"{self._at(kind, key)}/{CONFIG}"))

    def keys(self, kind: str) -> list[str]:
        """Return the keys of all whole artifacts of a kind, here and in the store, sorted."""
        self.path(kind, "any")
        with self._errors():
            found = self._files.glob(f"{self._base}/{kind}/*/{CONFIG}")
        return sorted({*super().keys(kind), *(str(path).split("/")[-2] for path in found)})

    def delete(self, kind: str, key: str) -> bool:
        """Delete an artifact here and in the store; return whether it was there."""
        shared = self._shared(kind, key)
        if shared:
            with self._errors():
                self._files.rm_file(f"{self._at(kind, key)}/{CONFIG}")
                self._files.rm(self._at(kind, key), recursive=True)
        return super().delete(kind, key) or shared

    def _at(self, kind: str, key: str) -> str:
        self.path(kind, key)  # refuses what isn't a word
        return f"{self._base}/{kind}/{key}"

    def _shared(self, kind: str, key: str) -> bool:
        with self._errors():
            return bool(self._files.exists(f"{self._at(kind, key)}/{CONFIG}"))

    def _upload(self, kind: str, key: str, folder: Path) -> None:
        names = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()]
        with self._errors():
            for name in [*(name for name in names if name != CONFIG), CONFIG]:
                target = f"{self._at(kind, key)}/{name}"
                self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
                self._files.put_file(str(folder / name), target)

    def _download(self, kind: str, key: str, folder: Path) -> None:
        with self._errors():
            self._files.get(f"{self._at(kind, key)}/", f"{folder}/", recursive=True)
        (folder / CONFIG).unlink()  # `ensure` writes it, last

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what a store's client raises into an error that says what to do."""
        try:
            yield
        except Exception as error:
            raise StoreError(
                "The store of shared artifacts must answer",
                got=f"{self.url}: {type(error).__name__}: {error}",
                fix="Check FER_ARTIFACTS_URL, its credentials and the network; nothing made so far is lost",
            ) from error
