"""Settings come from FER_* alone and refuse what they can't mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import URL

from fer_core.config.settings import load
from fer_core.errors import ConfigError


def test_defaults() -> None:
    settings = load({})
    assert settings.home == Path(".fer").absolute()
    assert (settings.device, settings.executor, settings.demo, settings.threads) == (
        "auto",
        "local",
        False,
        0,
    )
    assert settings.weights_dir == settings.home / "weights"
    assert settings.artifacts.parent == settings.home
    assert settings.database == URL.create("sqlite", database=str(settings.home / "fer.sqlite"))


def test_everything_is_below_the_home_that_is_given(tmp_path: Path) -> None:
    settings = load({"FER_HOME": str(tmp_path), "FER_WEIGHTS_DIR": "/w", "FER_DEMO": "1", "FER_THREADS": "3"})
    assert settings.home == tmp_path
    assert settings.weights_dir == Path("/w")
    assert settings.demo
    assert settings.threads == 3


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:1", "auto"])
def test_devices(device: str) -> None:
    assert load({"FER_DEVICE": device}).device == device


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FER_DEVICE", "tpu"),
        ("FER_DEVICE", "cuda:x"),
        ("FER_EXECUTOR", "cloud"),
        ("FER_THREADS", "-1"),
        ("FER_DISK_LIMIT", "lots"),
        ("FER_DISK_LIMIT", "0"),
    ],
)
def test_what_it_cannot_mean_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        load({name: value})


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_database_by_url_is_kept_for_children_and_never_printed_with_its_password(scheme: str) -> None:
    given = f"{scheme}://lab:gehe%40im@db.example:5433/fer?sslmode=require"
    settings = load({"FER_DATABASE_URL": given})
    assert settings.database.password == "gehe@im"
    assert settings.database.get_backend_name() == "postgresql"
    assert "gehe" not in f"{settings} {settings!r} {settings.database} {settings.database!r}"
    assert load(settings.environment()).database == settings.database
    assert load(load({}).environment()).database == load({}).database


@pytest.mark.parametrize(
    "value", ["mysql://u:geheim@h/d", "sqlite:///geheim", "geheim", "postgresql://u:geheim@h:port/d"]
)
def test_a_url_that_can_not_be_is_refused_without_repeating_it(value: str) -> None:
    with pytest.raises(ConfigError, match="FER_DATABASE_URL") as refused:
        load({"FER_DATABASE_URL": value})
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "size"), [("20GB", 20_000_000_000), ("1.5 tb", 1_500_000_000_000), ("300k", 300_000), ("7", 7)]
)
def test_a_disk_limit_is_read_as_people_write_it_and_passed_on(given: str, size: int) -> None:
    settings = load({"FER_DISK_LIMIT": given})
    assert settings.disk_limit == size
    assert load(settings.environment()).disk_limit == size
    assert load(load({}).environment()).disk_limit == 0


def test_a_process_started_elsewhere_has_the_same_settings() -> None:
    given = {
        "FER_HOME": "/srv/fer",
        "FER_WEIGHTS_DIR": "/srv/weights",
        "FER_DEVICE": "cuda:1",
        "FER_EXECUTOR": "slurm",
        "FER_THREADS": "3",
        "FER_DATABASE_URL": "postgresql://u:p@h/d",
        "FER_ARTIFACTS_URL": "s3://bucket/path",
        "FER_DISK_LIMIT": "20GB",
        "FER_DATA_ROOTS": "/data:/srv/data",
    }
    assert load(load(given).environment()) == load(given)
    assert load(load({}).environment()).data_roots == ()
