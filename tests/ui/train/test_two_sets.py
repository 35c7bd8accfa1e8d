"""The two-set figures on a run's view."""

from streamlit.testing.v1 import AppTest


def page() -> None:
    from types import SimpleNamespace

    import numpy as np

    from fer_core.evaluation.metrics import two_sets
    from fer_core.ui.train.run import two_sets_figures

    labels, guesses = np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0])
    found = two_sets(labels, guesses, np.array([0, 0, 1, 1]), np.zeros(4, int), [""] * 4, list("abcd"))
    two_sets_figures(SimpleNamespace(summary={"two_sets": found}))  # type: ignore[arg-type]
    two_sets_figures(SimpleNamespace(summary={}))  # type: ignore[arg-type]


def test_both_sets_stand_beside_their_mean() -> None:
    app = AppTest.from_function(page, default_timeout=60).run()
    assert not app.exception
    (said,) = [one.value for one in app.caption]
    assert said.startswith("Accuracy 75.0 %; set2: 100.0 %")
    assert "set1: 50.0 %" in said
    assert "2 images" in said
    assert app.dataframe[0].value["recall"].iloc[0] == 1.0
