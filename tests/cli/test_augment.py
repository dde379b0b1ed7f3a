from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mimica import assets
from mimica.generation.write import read_plans
from posed import posed
from scripted import Reply, serving, well

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A table of clips with their unit curves, as `mimica data actor` writes it."""
    monkeypatch.setattr(assets, "check", lambda name: "missing")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    clips = posed(28)
    lines = ["path,label,part,actor," + ",".join(f"AU{unit}" for unit in clips.order)]
    for name, label, curve, who in zip(clips.names, clips.labels, clips.curves, clips.subjects, strict=True):
        columns = [" ".join(f"{value:.3f}" for value in column) for column in curve.T]
        lines.append(f"{name},{clips.space.names[label]},train,{who}," + ",".join(columns))
    (tmp_path / "clips.csv").write_text("\n".join(lines) + "\n")
    return f"table:{tmp_path / 'clips.csv'}"


def test_plans_of_the_classes_asked_for_are_written_with_curves_cards_and_a_picture(mimica: Run, data: str) -> None:
    code, out, _ = mimica("augment", "plan", data, "--out", "p", "--classes", "disgust", "afraid", "--number", 2)
    assert code == 0
    stated = json.loads(Path("p/plans.json").read_text())
    assert [one["label"] for one in stated["plans"]] == ["disgust", "disgust", "fear", "fear"]
    assert "priors, never labels" in out
    assert "9+10+17" in out
    assert Path("p/plans.png").read_bytes().startswith(b"\x89PNG")
    plans, known, base = read_plans(Path("p"))
    for one, facts in zip(plans, stated["plans"], strict=True):
        curves = one.curves(known.units)
        assert pytest.approx(curves, abs=3e-3) == np.array(list(facts["curves"].values())).T
    assert sum(card.kind == "exemplar" for card in base.cards) == 28
    assert stated["knowledge"]["sha256"] == base.sha256


def test_the_same_command_writes_the_same_bytes_and_another_seed_others(mimica: Run, data: str) -> None:
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert mimica("augment", "plan", data, "--out", out, "--seed", seed)[0] == 0
    for name in ("plans.json", "knowledge.jsonl", "plans.png"):
        assert Path("a", name).read_bytes() == Path("b", name).read_bytes()
    assert Path("a/plans.json").read_bytes() != Path("c/plans.json").read_bytes()


def test_the_template_puts_every_plan_into_words(mimica: Run, data: str) -> None:
    assert mimica("augment", "plan", data, "--out", "p", "--classes", "sadness")[0] == 0
    code, out, _ = mimica("augment", "prompt", "p")
    assert code == 0
    assert "sadness-0-0000 (template)" in out
    assert "corners of the lips" in out
    stated = json.loads(Path("p/prompts.json").read_text())
    assert stated["prompts"][0]["writer"] == "template"
    assert stated["report"]["accept_rate"] is None
    assert stated["prompts"][0]["text"] in out


def test_a_server_puts_them_into_words_and_the_report_says_how_often_it_had_to_be_asked(mimica: Run, data: str) -> None:
    assert mimica("augment", "plan", data, "--out", "p", "--classes", "fear")[0] == 0
    (one,), *_ = read_plans(Path("p"))
    ask = ("augment", "prompt", "p/plans.json", "--out", "w.json", "--language-model", "m", "--samples", 2)
    with serving(lambda n: Reply(text=well(one, scene="a room") if n > 1 else "?")) as server:
        code, out, _ = mimica(*ask, "--server", server.url)
        again = mimica(*ask, "--server", server.url)
    assert code == again[0] == 0
    assert "2 of 4 answers passed (50%)" in out
    assert "1 times asked again, 0 from the cache, 0 by the template instead (0%); texts compared by words" in out
    assert "1 from the cache" in again[1]
    assert len(server.asked) == 4
    assert json.loads(Path("w.json").read_text())["prompts"][0]["scene"] == "a room"


def test_a_server_that_is_down_stops_unless_the_template_may_go_on(mimica: Run, data: str) -> None:
    assert mimica("augment", "plan", data, "--out", "p", "--classes", "fear")[0] == 0
    down = ("augment", "prompt", "p", "--server", "http://127.0.0.1:9/v1", "--language-model", "m")
    code, _, err = mimica(*down)
    assert code == 1
    assert err.count("\n") == 1
    assert "is out of reach" in err
    assert not Path("p/prompts.json").exists()
    code, out, err = mimica(*down, "--on-failure", "template")
    assert code == 0
    assert "is out of reach" in err
    assert "1 by the template instead (100%)" in out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--classes", "joyless"), "unknown class 'joyless'"),
        (("--units", "24", "25"), "24 and 25 exclude each other"),
        (("--units", "3"), "there is no Action Unit 3"),
        (("--frames", "4"), "too short"),
        (("--number", "0"), "one clip a class or more"),
    ],
)
def test_what_cannot_be_planned_is_a_sentence_and_nothing_is_written(
    mimica: Run, data: str, flags: tuple[str, ...], said: str
) -> None:
    code, _, err = mimica("augment", "plan", data, "--out", "p", *flags)
    assert code == 2
    assert said in err
    assert not Path("p").exists()


def test_plans_that_are_none_or_do_not_go_with_their_cards_are_refused(mimica: Run, data: str) -> None:
    code, _, err = mimica("augment", "prompt", "nowhere.json")
    assert (code, "mimica augment plan writes it" in err) == (1, True)
    Path("x.json").write_text("{}")
    assert "is not what mimica augment plan writes" in mimica("augment", "prompt", "x.json")[2]
    for out, classes in (("p", "fear"), ("q", "anger")):
        assert mimica("augment", "plan", data, "--out", out, "--classes", classes)[0] == 0
    text = Path("q/knowledge.jsonl").read_text().splitlines()
    Path("p/knowledge.jsonl").write_text("\n".join(text[:-1]) + "\n")
    assert "was altered" in mimica("augment", "prompt", "p")[2]
