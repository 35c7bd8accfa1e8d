"""Who may do what: roles from secrets, every page gated, a viewer's store read only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.runtime.secrets import Secrets
from streamlit.testing.v1 import AppTest

from fer_core import ROOT
from fer_core.config.run import DataConfig, RunConfig
from fer_core.errors import ConfigError, NotFoundError, StoreError
from fer_core.prediction import limits
from fer_core.runs.jobs.queue import submit
from fer_core.storage.public_store import PublicStore
from fer_core.storage.store import Store
from fer_core.ui.cache import resources
from fer_core.ui.shell.access import Access, role_of

PAGES = ("app.py", "pages/faces.py", "pages/train.py", "pages/compare.py", "pages/predict.py")
ROLES = {"runner": ["Ada@Lab.org"], "viewer": "@anu.edu.au"}
AUTH = {
    "client_id": "x",
    "client_secret": "x",
    "cookie_secret": "x",
    "redirect_uri": "x",
    "server_metadata_url": "x",
}

Open = Callable[..., AppTest]


@pytest.mark.parametrize(
    ("user", "role"),
    [
        ({"email": "ADA@lab.ORG", "email_verified": True}, "runner"),
        ({"email": "ada@lab.org", "email_verified": False}, None),
        *(({"email": "ada@lab.org", "email_verified": said}, None) for said in ("False", "true", 1, None)),
        ({"email": "ada@lab.org"}, None),
        ({"email": "someone@anu.edu.au", "email_verified": True}, "viewer"),
        ({"email": "someone@not-anu.edu.au", "email_verified": True}, None),
        ({"email": "someone@evil.org@anu.edu.au", "email_verified": True}, None),
        ({"email": "x@sub.anu.edu.au", "email_verified": True}, None),
        ({"email": "", "email_verified": True}, None),
        ({}, None),
    ],
)
def test_roles_are_given_by_confirmed_addresses(user: dict[str, Any], role: str | None) -> None:
    assert role_of(user, ROLES) == role


def test_a_star_is_everyone_with_an_address_and_the_higher_role_counts() -> None:
    assert role_of({"email": "a@b.c", "email_verified": True}, {"viewer": "*"}) == "viewer"
    assert role_of({"email": "a@b.c", "email_verified": True}, {"viewer": "*", "runner": "*"}) == "runner"
    assert role_of({"name": "nobody"}, {"viewer": "*"}) is None
    with pytest.raises(ConfigError, match="runner and viewer"):
        role_of({"email": "a@b.c", "email_verified": True}, {"admin": "*"})


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, shared_home: Path, generated: Path) -> Open:
    """Return a function that opens a page with sign-in set up, as the given user."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("FER_HOME", str(shared_home))
    monkeypatch.setenv("FER_DATA_ROOTS", str(generated.parent))

    def open_page(name: str, user: dict[str, Any] | None, roles: Any = ROLES, **query: str) -> AppTest:
        st.cache_data.clear()
        st.cache_resource.clear()
        known = (
            {"is_logged_in": False}
            if user is None
            else {"is_logged_in": True, "email_verified": True, **user}
        )
        monkeypatch.setattr("streamlit.user_info._get_user_info", lambda: dict(known))
        test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        test.secrets["auth"] = AUTH
        test.secrets["fer"] = {"roles": roles} if roles else {}
        if name != "app.py":
            test.switch_page(name)
        for key, value in ({"data": str(generated)} | query).items():
            test.query_params[key] = value
        return test.run()

    return open_page


@pytest.mark.parametrize("name", PAGES)
def test_no_page_draws_anything_before_the_sign_in(name: str, lab: Open) -> None:
    shown = lab(name, None, run="feedfeedfeedfeed")
    assert not shown.exception
    assert [button.label for button in shown.button] == ["Sign in"]
    assert [title.value for title in shown.title] == ["FER Lab"]
    for kind in (
        shown.sidebar.markdown,
        shown.selectbox,
        shown.dataframe,
        shown.metric,
        shown.error,
        shown.info,
    ):
        assert not len(kind)


def test_someone_without_a_role_gets_in_nowhere(lab: Open) -> None:
    shown = lab("app.py", {"email": "eve@evil.org"})
    assert "eve@evil.org" in shown.error[0].value
    assert [button.label for button in shown.button] == ["Sign in as someone else"]
    assert not shown.metric


def test_sign_in_without_roles_lets_nobody_in(lab: Open) -> None:
    shown = lab("app.py", {"email": "ada@lab.org"}, roles=None)
    assert r"\[fer.roles\]" in shown.error[0].value
    assert not shown.metric


def test_sign_in_needs_folders_that_data_sets_may_lie_in(lab: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FER_DATA_ROOTS")
    shown = lab("app.py", {"email": "ada@lab.org"})
    assert "FER_DATA_ROOTS" in shown.error[0].value.replace("\\", "")
    assert not shown.metric
    assert not shown.button


def test_secrets_that_can_not_be_read_let_nobody_in(
    page: Open, shared_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "secrets.toml"
    broken.write_text("[auth\nclient_id = ")
    options = st.config.get_option
    monkeypatch.setattr(
        "streamlit.config.get_option",
        lambda name: [str(broken)] if name == "secrets.files" else options(name),
    )
    monkeypatch.setattr(st, "secrets", Secrets())
    shown = page("app.py", shared_home)
    assert not shown.exception
    assert "must be readable before anyone gets in" in shown.error[0].value
    assert not shown.metric


def test_a_runner_starts_things_and_a_viewer_looks(lab: Open) -> None:
    chosen = {"backbone": "efficientnet_lite0"}
    runner = lab("pages/train.py", {"email": "ada@lab.org"}, **chosen)
    assert not runner.exception
    assert [one for one in runner.button if one.label.startswith("Train ")]
    assert any("ada@lab.org, runner" in one.value for one in runner.sidebar.caption)
    viewer = lab("pages/train.py", {"email": "x@anu.edu.au"}, **chosen)
    assert not viewer.exception
    assert not [one for one in viewer.button if one.label.startswith("Train ")]
    assert not [one for one in viewer.file_uploader if one.key == "import-file"]
    assert any("signed in as a viewer" in one.value for one in viewer.info)
    assert len(viewer.dataframe[-1].value) == 1


def test_only_a_runner_sees_what_a_demo_counted_and_can_pause_it(
    lab: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_DEMO", "1")
    owner = lab("app.py", {"email": "ada@lab.org"})
    assert owner.toggle[0].label.startswith("Paused")
    assert "visits" in owner.dataframe[0].value
    other = lab("app.py", {"email": "x@anu.edu.au"})
    assert other.title[0].value == "Predict"
    assert not [one for one in other.toggle if one.label.startswith("Paused")]


def test_a_viewer_opens_listed_sets_only(lab: Open, awkward: Path) -> None:
    shown = lab("app.py", {"email": "x@anu.edu.au"}, data=str(awkward))
    assert "data sets in the list" in shown.error[0].value


def test_a_viewers_store_refuses_writes(shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_HOME", str(shared_home))
    st.cache_resource.clear()
    with pytest.raises(StoreError, match="read only"):
        resources.reader().add_manual_box("0" * 16, "a.png", (0, 0, 1, 1))
    st.cache_resource.clear()


def test_a_demo_shows_no_run_on_photographs_and_its_pages_of_runs_are_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "fer.sqlite")
    ids = [
        submit(store, RunConfig(data=DataConfig(fingerprint=f"{number:016x}", generated=number % 3 == 0)))[0]
        for number in range(12)
    ]
    public = PublicStore(store.url, read_only=True)
    first = public.runs(limit=3)
    second = public.runs(limit=3, before=first[-1])
    assert [run.id for run in [*first, *second]] == [ids[9], ids[6], ids[3], ids[0]]
    assert public.active() == [ids[0], ids[3], ids[6], ids[9]]
    assert public.run(ids[3]).id == ids[3]
    with pytest.raises(NotFoundError):
        public.run(ids[1])


def test_who_looks_says_what_is_closed() -> None:
    assert Access("runner").closed == ""
    assert "demo" in Access("visitor").closed
    assert "viewer" in Access("viewer", "a@b.c").closed


def test_predictions_are_counted_and_take_turns(
    page: Open, shared_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_LIMITS", "images_per_minute=2,all_images_per_minute=2")
    limits.guard.cache_clear()
    turns: list[str] = []

    @contextmanager
    def turn(visitor: str, report: object = None) -> Iterator[None]:
        turns.append(visitor)
        yield

    monkeypatch.setattr("fer_core.prediction.limits.device_turn", turn)
    shown = page("pages/predict.py", shared_home, sample="true")
    assert not shown.exception
    assert not shown.error
    assert len(turns) == 2  # the answer, and the reasons for it
    assert turns[0]
    assert not shown.run().error  # seen again, nothing is computed again
    assert len(turns) == 2
    sample = next(box for box in shown.selectbox if box.label == "Sample")
    another = sample.select_index(1).run()
    assert "At most 2 images a minute" in another.error[0].value
    limits.guard.cache_clear()
