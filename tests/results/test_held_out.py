"""What a run says of held-out images: agrees with its confusion matrix cell by cell, and is gathered by a column."""

from pathlib import Path

import numpy as np
import pandas as pd

from fer_core.config.run import CLASSES
from fer_core.results.trust import held_out, shares
from fer_core.storage.store import Store


def test_each_cell_of_the_confusion_has_its_frames(trained: Path) -> None:
    store = Store(trained / "fer.sqlite")
    for run in store.runs(status=["done"], goal="train"):
        answers = held_out(store.predictions(run.id))
        counts = np.array(run.summary["confusion"])
        for i, true in enumerate(CLASSES):
            for j, said in enumerate(CLASSES):
                cell = answers[(answers["true"] == true) & (answers["said"] == said)]
                assert len(cell) == counts[i, j]
                assert (cell["right"] == (i == j)).all()
        assert answers["confidence"].between(1 / 7, 1).all()
    store.close()


def test_shares_leave_out_what_has_no_name_and_begin_with_the_worst() -> None:
    answers = pd.DataFrame({"group": ["a", "a", "b", "", "c"], "right": [True, False, True, False, False]})
    table = shares(answers, "group")
    assert table.to_dict("list") == {
        "group": ["c", "a", "b"],
        "answers": [1, 2, 1],
        "wrong": [1, 1, 0],
        "share": [1.0, 0.5, 0.0],
    }
