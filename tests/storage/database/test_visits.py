"""A demo's counts: summed by the hour over processes, and never in the way where nothing can be written."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fer_core.storage.database.visits import WHAT, Visits


def test_counts_of_several_servers_are_summed(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        for _ in range(40):
            pool.submit(Visits(tmp_path).count, turns=1, waited=0.5)
    Visits(tmp_path).count(visits=1)
    table = Visits(tmp_path).by_hour()
    assert table[[*WHAT]].sum().to_dict() == {
        "visits": 1,
        "predictions": 0,
        "refused": 0,
        "turns": 40,
        "waited": 20,
    }
    assert len(table) <= 2  # an hour may have ended meanwhile


def test_nothing_is_kept_and_nothing_fails_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere = Visits(tmp_path / "file" / "home")
    nowhere.count(visits=1)
    assert len(nowhere.by_hour()) == 0
    assert not nowhere.paused.exists()
    visits = Visits(tmp_path / "new")
    visits.count(visits=1)
    assert visits.by_hour()["visits"].tolist() == [1]
    visits.file.write_bytes(b"no database" * 100)
    visits.count(visits=1)
    assert len(visits.by_hour()) == 0
