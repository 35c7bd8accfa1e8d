"""Settings come from variables alone and refuse what they can't mean."""

from pathlib import Path

import pytest
from sqlalchemy import URL

from fer_core.config.settings import Host, Limits, Settings, exported, load, read
from fer_core.errors import ConfigError


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch):
    """Return a function that reads the settings under these variables alone."""

    def reads(**variables: str) -> Settings:
        monkeypatch.delenv("FER_HOME", raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return load()

    return reads


def test_defaults(given) -> None:
    settings = given(FER_DEVICE="", FER_THREADS="")  # an empty variable counts as unset
    assert settings.home == Path(".fer").absolute()
    assert (settings.device, settings.executor, settings.demo, settings.threads) == (
        "auto",
        "local",
        False,
        0,
    )
    assert (settings.data_roots, settings.disk_limit, settings.limits) == ((), 0, Limits())
    assert settings.weights_dir == settings.home / "weights"
    assert settings.artifacts.parent == settings.home
    assert settings.database == URL.create("sqlite", database=str(settings.home / "fer.sqlite"))


def test_variables_count_and_what_is_given_by_name_wins(given, tmp_path: Path) -> None:
    settings = given(
        FER_HOME=str(tmp_path),
        FER_DEVICE="cuda",
        FER_WEIGHTS_DIR="/w",
        FER_DEMO="1",
        FER_THREADS="3",
        RAY_ADDRESS="a:1",
    )
    assert (settings.home, settings.weights_dir, settings.demo, settings.threads) == (
        tmp_path,
        Path("/w"),
        True,
        3,
    )
    assert (settings.device, settings.ray_address) == ("cuda", "a:1")
    assert given(FER_RAY_ADDRESS="b:2").ray_address == "b:2"
    other = load(home=tmp_path / "other", threads=None)
    assert (other.home, other.threads) == (tmp_path / "other", 3)
    with pytest.raises(ValueError, match="frozen"):
        settings.device = "cpu"


def test_what_changes_while_a_process_runs_counts_at_once(
    given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert given(FER_DEMO="0").demo is False
    assert given(FER_DEMO="1").demo is True
    monkeypatch.chdir(tmp_path)
    assert given().home == tmp_path / ".fer"


def test_limits_are_a_list_of_those_that_differ(given) -> None:
    assert given(FER_LIMITS=" files=3, patience=9,").limits == Limits(files=3, patience=9)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("FER_DEVICE", "tpu", "cuda:<index>; got 'tpu'"),
        ("FER_DEVICE", "cuda:x", "cuda:<index>"),
        ("FER_EXECUTOR", "cloud", "inline"),
        ("FER_THREADS", "-1", "a whole number"),
        ("FER_DEMO", "perhaps", "1, 0 or a folder that `publish` has written"),
        ("FER_DISK_LIMIT", "lots", "number of bytes"),
        *(
            ("FER_LIMITS", value, "images_per_minute")
            for value in ("files", "files=", "files=0", "files=-1", "files=two", "colour=3")
        ),
    ],
)
def test_what_it_cannot_mean_is_refused_by_name(given, name: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be .*{said}"):
        given(**{name: value})


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_database_by_url_is_never_printed_with_its_password(given, scheme: str) -> None:
    settings = given(FER_DATABASE_URL=f"{scheme}://lab:gehe%40im@db.example:5433/fer?sslmode=require")
    assert settings.database.password == "gehe@im"
    assert settings.database.get_backend_name() == "postgresql"
    assert "gehe" not in f"{settings} {settings!r} {settings.database} {settings.database!r}"


@pytest.mark.parametrize(
    "value", ["mysql://u:geheim@h/d", "sqlite:///geheim", "geheim", "postgresql://u:geheim@h:port/d"]
)
def test_a_url_that_can_not_be_is_refused_without_repeating_it(given, value: str) -> None:
    with pytest.raises(ConfigError, match="FER_DATABASE_URL") as refused:
        given(FER_DATABASE_URL=value)
    assert "geheim" not in str(refused.value)


def test_a_process_started_elsewhere_has_the_same_settings(given, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {
        "FER_HOME": "/srv/fer",
        "FER_WEIGHTS_DIR": "/srv/weights",
        "FER_DEVICE": "cuda:1",
        "FER_EXECUTOR": "slurm",
        "FER_THREADS": "3",
        "FER_DATABASE_URL": "postgresql://u:p%40@h/d",
        "FER_ARTIFACTS_URL": "s3://bucket/path",
        "FER_DISK_LIMIT": "20GB",
        "FER_DATA_ROOTS": "/data:/srv/data",
    }
    plain, settings = given(), given(**variables)
    assert settings.disk_limit == 20_000_000_000
    assert settings.data_roots == (Path("/data"), Path("/srv/data"))
    for name in variables:
        monkeypatch.delenv(name)
    for wanted in (settings, plain):
        with exported(wanted):
            assert load() == wanted
        assert load() == plain


def test_hub_folder_follows_torchs_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert read(Host).hub == Path("~/.cache/torch/hub/checkpoints").expanduser()
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert read(Host).hub == Path("/b/torch/hub/checkpoints")
    monkeypatch.setenv("TORCH_HOME", "/a")
    assert read(Host).hub == Path("/a/hub/checkpoints")
