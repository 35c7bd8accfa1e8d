import csv
from pathlib import Path

import numpy as np
import pytest
from openpyxl import Workbook, load_workbook
from trees import plant

from fer_core.datasets.base import Sample
from fer_core.datasets.generated.table import generate_table
from fer_core.datasets.open import open_dataset
from fer_core.datasets.readers.feature_table import FeatureTable, join, read_feature_table
from fer_core.errors import DataError
from fer_core.runs.plans.comparison import inputs_of, require_rows

ROW = ["a_001234560_00000012.png", "3", *["0.5"] * 10]


def write(path: Path, rows: list[list[str]], delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def reasons(table: FeatureTable) -> str:
    return "\n".join(problem.reason for problem in table.problems)


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_the_generated_sheet_reads_and_its_traps_are_reported(tmp_path: Path, suffix: str) -> None:
    table = read_feature_table(generate_table(tmp_path / f"sheet{suffix}", seed=3, rows=70))
    assert len(table) == 70
    assert table.lpq.shape == table.phog.shape == (70, 5)
    assert table.labels.tolist() == sorted(index % 7 for index in range(70))
    assert len(table.problems) == 2
    assert "no number in 5 of 5 PHOG cells ('NaN')" in table.problems[0].reason
    assert table.problems[1].reason.startswith("listed as ")
    row = table.names.index(table.problems[0].name)
    assert np.isnan(table.phog[row]).all()
    assert np.isfinite(table.lpq[row]).all()
    assert set(range(70)) - set(table.complete("both").tolist()) == {row}
    assert len(table.complete("lpq")) == 70
    assert table.features("both").shape == (70, 10)
    assert (
        read_feature_table(generate_table(tmp_path / "u.csv", seed=3, rows=70)).fingerprint()
        == table.fingerprint()
    )
    assert (
        read_feature_table(generate_table(tmp_path / "v.csv", rows=70)).fingerprint() != table.fingerprint()
    )


def test_a_sheet_that_was_read_is_read_again_without_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = generate_table(tmp_path / "t.xlsx", rows=21)
    first = read_feature_table(path).fingerprint()
    monkeypatch.setattr("sys.executable", str(tmp_path / "no interpreter"))
    assert read_feature_table(path).fingerprint() == first
    monkeypatch.setattr("fer_core.datasets.sheets.KEPT", 1000)  # too large to be kept
    read_feature_table(path)
    with pytest.raises(DataError, match="No such file"):
        read_feature_table(path)


def test_the_generated_sheet_has_the_header_traps(tmp_path: Path) -> None:
    sheet = load_workbook(generate_table(tmp_path / "t.xlsx", rows=21)).worksheets[0]
    assert len(sheet.merged_cells.ranges) == 4
    assert sheet["A1"].value in (None, "")
    assert "\n" in str(sheet["C1"].value)


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_sheet_over_the_limit_is_refused_not_cut(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_core.datasets.readers.feature_table.MAX_ROWS", 4)

    def sheet(rows: list[list[str]]) -> Path:
        if suffix == ".csv":
            return write(tmp_path / "t.csv", rows)
        book = Workbook()
        for row in rows:
            book.active.append(row)
        book.active.cell(len(rows), 20).number_format = "0.00"  # a cell that is kept without a value
        book.save(tmp_path / "t.xlsx")
        return tmp_path / "t.xlsx"

    rows = [[f"m_{number}.png", "1", *["0.5"] * 10] for number in range(4)]
    blank = [""] * 12
    assert len(read_feature_table(sheet([*rows, blank, blank]))) == 4
    with pytest.raises(DataError, match="may have 4 rows; got more"):
        read_feature_table(sheet([*rows, blank, rows[0]]))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_header_order_and_blank_rows(tmp_path: Path, delimiter: str) -> None:
    header = ["\n", "label", "PHOG", "", "", "", "", "LPQ\nfeatures", "", "", "", ""]
    rows = [header, [""] * 12, ["x.png", "1", *map(str, range(10))], [""] * 12]
    table = read_feature_table(write(tmp_path / "t.csv", rows, delimiter))
    np.testing.assert_array_equal(table.phog, [[0, 1, 2, 3, 4]])
    np.testing.assert_array_equal(table.lpq, [[5, 6, 7, 8, 9]])
    assert table.problems == ()


def test_rows_without_name_or_label_are_left_out_and_reported(tmp_path: Path) -> None:
    rows = [ROW, ["", *ROW[1:]], ["b.png", "8", *ROW[2:]], ["c.png", "", *ROW[2:]], ["d.png", "2", "1"], ROW]
    table = read_feature_table(write(tmp_path / "t.csv", rows))
    assert table.names == (ROW[0], "d.png")
    assert table.complete("both").tolist() == [0]
    for text in ("row 2: left out", "label '8'", "label ''", "4 of 5 LPQ", "5 of 5 PHOG", "row 6: left out"):
        assert text in reasons(table)


def test_a_first_row_without_figures_is_not_taken_for_a_header(tmp_path: Path) -> None:
    rows = [["first.png", "1", *["NaN"] * 10], ROW, ["b.png", "1", "inf", *["1"] * 9]]
    table = read_feature_table(write(tmp_path / "t.csv", rows))
    assert table.names == ("first.png", ROW[0], "b.png")
    assert table.complete("lpq").tolist() == [1]
    assert len(table.problems) == 3
    assert "('inf')" in reasons(table)


def test_other_files_are_refused_with_a_reason(tmp_path: Path) -> None:
    texts = (b"only,text\nno,figures\n", b"a.png,3\nb.png,4\n", b"")
    files = [("t.csv", text) for text in texts] + [("t.xlsx", b"not a zip file"), ("t.ods", b"")]
    for name, content in files:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=r"A feature table must"):
            read_feature_table(tmp_path / name)
    with pytest.raises(DataError, match=r"A feature table must"):
        read_feature_table(tmp_path / "missing.csv")


def test_join_by_stem_and_by_label_where_the_stem_is_doubled() -> None:
    listed = {"A.png": 0, "b": 1, "twice.png": 2, "twice.PNG": 5, "gone.png": 3, "odd.png": 6, "same.png": 0}
    listed |= {"Film_01.mat": 1, "a\\b\\Mr.Bean_01": 2, "X.jpg ": 4}
    zeros = np.zeros((len(listed), 5))
    table = FeatureTable(tuple(listed), np.array(list(listed.values())), zeros, zeros)
    images = (
        *(("Sad/twice.jpg", 5), ("Fear/twice.jpg", 2), ("Angry/a.jpg", 0), ("Happy/odd.jpg", 3)),
        *(("Disgust/b.jpg", 1), ("Neutral/extra.jpg", 4), ("x/same.png", 0), ("y/same.png", 0)),
        *(("Disgust/Film_01.PNG", 1), ("Fear/mr.bean_01.png", 2), ("Neutral/x", 4)),
    )
    rows, found = join(table, [Sample(name, Path(name), label) for name, label in images])
    assert dict(zip(rows.tolist(), found.tolist(), strict=True)) == {
        0: 2,
        1: 4,
        2: 1,
        3: 0,
        5: 3,
        7: 8,
        8: 9,
        9: 10,
    }


def test_a_table_of_other_images_is_refused_before_a_run(tmp_path: Path) -> None:
    dataset = open_dataset(plant(tmp_path / "set", ["happy/a_001234560_00000012.png", "sad/other.png"]))
    for name, works in (("A_001234560_00000012.mat", True), ("b_1.mat", False)):
        inputs = inputs_of("table", write(tmp_path / "t.csv", [[name, "4", *ROW[2:]]]))
        if works:
            require_rows(dataset, [inputs])
        else:
            with pytest.raises(DataError, match=r"1 rows such as 'b_1.mat', 2 images"):
                require_rows(dataset, [inputs])
