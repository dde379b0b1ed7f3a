from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mimica.checkpoint import restate
from mimica.experiments.evaluate import Report, evaluate_protocol, latex_row
from mimica.experiments.page import render
from mimica.experiments.predictions import read_predictions
from mimica.experiments.results import results
from mimica.notice import NOTICE
from tiny_folds import dfew, model, models
from tiny_sets import draw_ferv39k


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> tuple[Report, Path]:
    root = tmp_path_factory.mktemp("report")
    pattern = models(tiny_model, root / "runs")
    for fold in range(1, 6):
        restate(root / "runs" / f"fold{fold}" / "duse-tiny.safetensors", selected_on="validation <10 %>")
    told: list[tuple[str, int, int]] = []
    spec = f"dfew:{dfew(root / 'DFEW')}"
    report = evaluate_protocol(
        spec, protocol="5fold", model=pattern, out=root / "out", progress=lambda *row: told.append(row)
    )
    assert ("1", 13, 13) in told
    assert {name for name, *_ in told} == set("12345")
    return report, root / "out"


def test_all_that_a_report_is_made_of_lies_in_one_folder(made: tuple[Report, Path]) -> None:
    names = {path.name for path in made[1].iterdir()}
    assert names == {
        "folds", "report.html", "report.json", "predictions.csv", "confusion.csv", "row.tex", "confusion.png",
        "confidence.png", "tsne.png",
    }  # fmt: skip
    assert not list(made[1].rglob("*.part"))


def test_every_figure_is_recomputed_from_the_predictions_alone(made: tuple[Report, Path]) -> None:
    report, out = made
    facts = json.loads((out / "report.json").read_text())
    again = json.loads(json.dumps(results(read_predictions(out / "predictions.csv")).facts()))
    assert {key: facts[key] for key in again} == again
    assert facts["n"] == 51
    assert report.found.n == 51


def test_the_json_says_what_was_measured_and_what_models_were_selected_on(made: tuple[Report, Path]) -> None:
    facts = json.loads((made[1] / "report.json").read_text())
    assert facts["selected_on"] == "validation <10 %>"
    assert [one["learned_from"] for one in facts["models"]] == [f"DFEW, part train of fold {k}" for k in range(1, 6)]
    assert facts["models"][0]["reads"] == {"sampling": "uniform", "frames": 16, "kept": 16, "views": 1}
    assert {row["method"] for row in facts["published"]} >= {"DuSE", "MAE-DFER"}
    assert facts["notice"] == NOTICE


class Outside(HTMLParser):
    """Collects whatever a page would fetch, and that its tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_but_itself_and_tells_what_it_is(made: tuple[Report, Path]) -> None:
    page = (made[1] / "report.html").read_text()
    seen = Outside()
    seen.feed(page)
    assert seen.open == []
    assert len(seen.fetched) == 2, "of confidence and features; the confusion is a table"
    assert all(one.startswith("data:image/png;base64,") for one in seen.fetched)
    assert "Apparent expression" in page
    assert "2024/1689" in page
    assert "As printed by their authors, gathered 2026-11-21" in page
    assert "No rank is claimed" in page
    assert "validation &lt;10 %&gt;" in page
    assert "Selected on test" not in page


def test_the_row_of_latex_has_uar_before_war_in_percent(made: tuple[Report, Path]) -> None:
    found = made[0].found
    first, second = latex_row("a_b", found).splitlines()
    assert first.startswith(
        f"a\\_b & {100 * found.uar.mean.value:.2f} & {100 * found.war.mean.value:.2f} \\\\ % UAR, WAR"
    )
    assert f"\\pm {100 * (found.war.deviation or 0):.2f}$" in second
    assert (made[1] / "row.tex").read_text() == made[0].latex


def test_a_split_has_scenes_and_says_that_its_model_was_selected_on_test(tmp_path: Path, tiny_model: Path) -> None:
    learned: Any = {"origin": "FERV39k, part train"}
    file = model(tiny_model, tmp_path / "m.safetensors", selected_on="test", data=learned)
    spec = f"ferv39k:{draw_ferv39k(tmp_path / 'FERV39k')}"
    report = evaluate_protocol(spec, protocol="split", model=str(file), out=tmp_path / "out")
    assert {part.name for part in report.found.groups} == {"Action", "War"}
    page = render(report)
    assert "Selected on test" in page
    assert "By group" in page
    assert "standard deviation</th>" not in page
    assert len(latex_row("x", report.found).splitlines()) == 1


def test_without_matplotlib_all_but_pictures_is_there_and_said(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mimica.experiments import evaluate

    monkeypatch.setattr(evaluate, "find_spec", lambda name: None)
    spec = f"ferv39k:{draw_ferv39k(tmp_path / 'FERV39k')}"
    report = evaluate_protocol(spec, protocol="split", model=str(tiny_model), out=tmp_path / "out")
    assert report.pictures == ()
    assert "mimica[train]" in render(report)
    assert not list((tmp_path / "out").glob("*.png"))
