from __future__ import annotations

from datetime import date

import pytest

from mimica.experiments.literature import DATA, published_figures


def test_the_row_of_the_paper_is_as_it_is_printed() -> None:
    [dfew] = [row for row in published_figures("dfew") if row.method == "DuSE"]
    [ferv] = [row for row in published_figures("ferv39k") if row.method == "DuSE"]
    assert ((dfew.uar, dfew.war), (ferv.uar, ferv.war)) == ((64.88, 75.36), (43.39, 53.05))
    assert "DuSE" not in [row.method for row in published_figures("mafw")]


@pytest.mark.parametrize("kind", DATA)
def test_every_row_says_from_where_and_when_it_is_and_holds_percent(kind: str) -> None:
    rows = published_figures(kind)
    assert len(rows) >= 10
    for row in rows:
        assert row.source
        assert date.fromisoformat(row.gathered) >= date(2026, 1, 1)
        assert all(figure is None or 10 < figure < 100 for figure in (row.uar, row.war))
    assert [row.war for row in rows] == sorted(row.war or 0 for row in rows)


def test_a_figure_that_is_not_printed_is_none() -> None:
    [row] = [row for row in published_figures("dfew") if row.method == "S4D"]
    assert (row.uar, row.war, row.audio) == (None, 76.68, False)


def test_other_data_has_none() -> None:
    assert published_figures("folder") == []
