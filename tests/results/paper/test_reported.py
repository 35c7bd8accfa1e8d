"""The paper's figures are the paper's: every quote and number is found in its text."""

import pytest

from fer_core import ROOT
from fer_core.results.paper import reported

TEXT = ROOT.parent / "shared" / "paper.txt"


@pytest.fixture(scope="module")
def text() -> str:
    if not TEXT.is_file():
        pytest.skip("the paper's text is not here")
    return " ".join(TEXT.read_text(encoding="utf-8").split())


def test_every_quote_stands_in_the_paper(text: str) -> None:
    quotes = [figure.quote for figure in reported.REPORTED if figure.quote]
    quotes += [quote for disagreement in reported.DISAGREEMENTS for _, quote in disagreement.places]
    assert len(quotes) > 15
    assert [quote for quote in quotes if quote not in text] == []


def test_every_figure_is_in_its_quote() -> None:
    for figure in reported.REPORTED:
        assert figure.printed in figure.quote or figure.source == reported.SFEW_PAPER


def test_table_1_is_as_printed(text: str) -> None:
    for name, settings in reported.BDNN_SETTINGS.items():
        assert " ".join([name, *settings.values()]) in text


def test_values_are_shares_and_nats() -> None:
    (best,) = reported.reported("val_accuracy", unfreeze=2)
    assert best.value == pytest.approx(0.4324)
    assert [figure.value for figure in reported.reported("val_loss", faces=False)] == [1.91592]
    assert len(reported.reported("val_accuracy")) == 8
    assert all(0 < figure.value < 1 for figure in reported.REPORTED if figure.measure.endswith("accuracy"))
    assert len(set(reported.REPORTED)) == len(reported.REPORTED)


def test_the_headline_disagreement_is_told() -> None:
    shown = " ".join(quote for _, quote in reported.DISAGREEMENTS[0].places)
    assert "41.36%" in shown
    assert "43.24%" in shown
