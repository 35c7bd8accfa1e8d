"""The list of runs on the Train page: a page at a time, each at its link."""

from collections.abc import Callable
from pathlib import Path

from page_case import labels, press, words
from streamlit.testing.v1 import AppTest

from fer_core.config.run import DataConfig, ProtocolConfig, RunConfig
from fer_core.runs.jobs.queue import cancel, submit_together
from fer_core.storage.store import Store
from fer_core.ui.train.run_lists import PAGE


def listed(app: AppTest) -> list[str]:
    return [link.partition("run=")[2].partition("&")[0] for link in app.dataframe[-1].value["link"]]


def test_older_runs_are_a_page_further_at_their_link(
    page: Callable[..., AppTest], home: Path, store: Store
) -> None:
    data = DataConfig(fingerprint="0" * 16)
    configs = [RunConfig(data=data, protocol=ProtocolConfig(seeds=(seed,))) for seed in range(PAGE + 2)]
    for run_id in submit_together(store, configs, sweep="many"):
        cancel(store, run_id)
    first = page("pages/train.py", home, backbone="efficientnet_lite0")
    assert "Newest runs" not in labels(first)
    newest = listed(first)
    assert len(newest) == PAGE
    second = press(first, "Older runs")
    assert second.query_params["before"] == newest[-1]
    older = listed(second)
    assert len(older) == 2
    assert not set(older) & set(newest)
    assert "Older runs" not in labels(second)
    linked = page("pages/train.py", home, backbone="efficientnet_lite0", before=newest[-1])
    assert listed(linked) == older
    back = press(linked, "Newest runs")
    assert "before" not in back.query_params
    assert listed(back) == newest
    assert "no older runs" in words(page("pages/train.py", home, before=older[-1]))


def test_an_unknown_run_to_continue_after_is_an_error(page: Callable[..., AppTest], trained: Path) -> None:
    shown = page("pages/train.py", trained, backbone="efficientnet_lite0", before="none")
    assert "No run has this id" in shown.error[0].value
