"""Packages that only some installations have: tests that need one say so, and fail where it must not be missing."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

import pytest


def need(package: str, requirements: str) -> ModuleType:
    """Return a package; skip the test file without it, but fail in CI, where every extra is installed."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{error}: pip install -r {requirements}", allow_module_level=True)
