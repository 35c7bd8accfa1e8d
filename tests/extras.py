"""Packages that only some installations have: tests that need one say so, and fail where it must not be missing."""

import importlib.util
import os

import pytest


def need(package: str, requirements: str) -> None:
    """Skip the test file where a package is missing, but fail in CI, where every extra is installed."""
    if importlib.util.find_spec(package) is not None:
        return
    if os.environ.get("CI"):
        pytest.fail(f"{package} must be installed in CI", pytrace=False)
    pytest.skip(f"no {package}: pip install -r {requirements}", allow_module_level=True)
