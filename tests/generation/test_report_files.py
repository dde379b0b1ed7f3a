"""What a loop has not left is said in a sentence, what it left broken is refused in one, nothing of it does harm."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import augmented
import numpy as np
import pytest
from augmented import page_of

from mimica.errors import InputError
from mimica.generation.report import write_report
from mimica.generation.report_files import read_table, read_tuning

NAN = float("nan")


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("Did it help?", "It is not known whether these clips help a recogniser: no table of arms was run here; "
                         "mimica augment table runs it (table.json)."),
        ("The arms", "mimica augment table trains them"), ("Clips", "No clip was made yet."),
        ("Tuning by rewards", "mimica augment tune tunes one (tuning/tuning.jsonl)."),
        ("Steps against quality", "mimica augment tune measures it (steps.json)."),
    ],
)  # fmt: skip
def test_what_is_not_there_is_one_sentence_that_names_the_command(card: str, said: str, tmp_path: Path) -> None:
    page = page_of(tmp_path)
    assert said in page.cards[card].words
    assert page.figures == {}
    assert "plotly.js v" not in page.text, "nothing is drawn"


def test_a_loop_before_its_first_round_has_a_page(tmp_path: Path) -> None:
    nothing = {"rounds": [], "recall": None, "wanted": None, "stop": None, "given_up": [], "audit": None, "cost": {}}
    page = page_of(tmp_path, **nothing)
    assert page.cards["Class by class"].rows[1] == ["happiness", "110", "–", "0", "0", "–", "–"]
    assert "nothing is known of leaks; mimica augment audit makes it" in page.cards["Leakage audit"].words
    assert "was not measured" in page.cards["Cost"].words
    assert "No clip was refused" in page.cards["Why clips were refused"].words


def test_what_is_not_known_is_a_dash_and_never_nan(tmp_path: Path) -> None:
    one = augmented.clips(tmp_path, "fear", 1)[0]
    curves = np.array(one["measured"])
    curves[3:5] = NAN
    one |= {"measured": curves.tolist(), "seconds": None, "scores": {"units": NAN, "identity": None}}
    rounds = [{"asked": [1] * 7, "accepted": [0] * 7, "recall": [NAN] * 7, "seconds": NAN, "refused": {"units": None}}]
    table = augmented.table()
    table["arms"][0] |= {"uar": [NAN, None, NAN], "ahead": {"value": NAN, "low": None, "high": NAN}}
    augmented.put(tmp_path / "table.json", table)
    augmented.put(tmp_path / "steps.json", {"rows": [{"steps": 4, "reward": NAN}], "of": None})
    log = tmp_path / "tuning" / "tuning.jsonl"
    log.parent.mkdir()
    log.write_text('{"iteration": 0, "reward": NaN, "held_out": null}\n{"iteration": 1, "reward": 0.5}\n')
    page = page_of(
        tmp_path,
        clips=[one],
        rounds=rounds,
        cost={"filter": NAN, "train": float("inf")},
        data={"spec": "x", "mean": NAN},
    )
    words = " ".join(card.words for card in page.cards.values())
    assert not re.search(r"\b(nan|NaN|None|null|inf|Infinity)\b", words)
    assert "cost not stated" in words
    assert page.cards["The arms"].rows[1][1] == "–"
    assert page.cards["The arms"].rows[1][-1] == "– – to –"
    assert page.cards["Class by class"].rows[1][-1] == "–"
    assert page.cards["Steps against quality"].rows[1] == ["4", "–", "–", "–", "–", "–"]
    assert "units as planned –" in page.cards["Clips"].words
    measured = next(line for line in page.figures["units-0"]["data"] if line.get("name", "").endswith("measured"))
    assert measured["y"][3:5] == [None, None]
    assert page.figures["rewards"]["data"][0]["y"] == [None, 0.5]


def test_what_comes_from_outside_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    names = [evil, *augmented.CLASSES[1:]]
    one = augmented.clips(tmp_path, "fear", 1)[0]
    one |= {"label": evil, "kept": False, "reasons": [evil], "person": evil, "clip": f"clips/{evil}.mp4"}
    audit = {"sentence": evil, "leaks": [{"clip": evil, "what": evil}]}
    table = augmented.table()
    table |= {"sentence": evil, "reference": evil, "tail": [evil], "classes": names}
    table["arms"][0] |= {"name": evil}
    augmented.put(tmp_path / "table.json", table)
    log = tmp_path / "tuning" / "tuning.jsonl"
    log.parent.mkdir()
    log.write_text(json.dumps({"iteration": 0, f"reward_{evil}": 1, "kl": 2, "stopped": evil}))
    rounds = augmented.loop([])["rounds"]
    rounds[0]["refused"] = {evil: 1}
    page = page_of(
        tmp_path, what=evil, mimica=evil, classes=names, given_up=[evil], stop=evil, clips=[one], audit=audit,
        rounds=rounds, cost={evil: 1}, data={"spec": evil, evil: evil}, generator={evil: evil},
    )  # fmt: skip
    assert page.text.count("<script") == 3
    assert evil not in page.text


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("loop.json", None, "has no loop.json, so no loop to report on; mimica augment writes it"),
        ("loop.json", "{", "loop.json is not what mimica augment writes: it is no JSON; have it written again"),
        ("loop.json", "[]", "it is no object"),
        ("loop.json", b"\xff\xfe{}", "cannot read .*loop.json: it is no text"),
        ("loop.json", {"counts": None}, "its 'counts'"),
        ("loop.json", {"counts": [1, 2]}, "its 'counts' should be 7 and are 2"),
        ("loop.json", {"classes": "fear"}, "its 'classes' is no list"),
        ("loop.json", {"rounds": [3]}, "its 'rounds' are not objects"),
        ("loop.json", {"rounds": [{}]}, "it has no 'asked'"),
        ("loop.json", {"cost": {"train": "long"}}, "could not convert string to float: 'long'"),
        ("loop.json", {"data": "clips.csv"}, "its 'data' is no object"),
        ("table.json", {"arms": [{"name": "x", "uar": [1], "war": [1], "tail": [1], "recall": [[1, 2]]}]},
         "its 'recall' should be 1 by 7 and are 1 by 2"),
        ("table.json", {"sentence": ...}, "it has no 'sentence'"),
        ("steps.json", '{"rows": [{"reward": 1}]}', "steps.json is not what mimica augment tune writes: a row has no"),
        ("tuning/tuning.jsonl", 'nonsense\n{"iteration": 0}\n', "line 1 is no row of it"),
    ],
)  # fmt: skip
def test_broken_input_is_one_sentence(name: str, text: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    augmented.put(tmp_path / "loop.json", augmented.loop([]))
    path.parent.mkdir(exist_ok=True)
    if isinstance(text, dict):
        whole = augmented.table() if name == "table.json" else augmented.loop([])
        text = json.dumps({key: one for key, one in (whole | text).items() if one is not ...})
    if text is None:
        path.unlink()
    else:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=said) as refused:
        write_report(tmp_path)
    assert str(refused.value).count("\n") == 0
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("key", ["planned", "measured"])
def test_curves_of_another_length_are_refused_by_name(key: str, tmp_path: Path) -> None:
    one = augmented.clips(tmp_path, "fear", 1)[0]
    with pytest.raises(InputError, match=f"its '{key}'"):
        page_of(tmp_path, clips=[one | {key: [[0.0]]}])


def test_half_a_line_that_a_killed_run_left_is_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "tuning" / "tuning.jsonl"
    log.parent.mkdir()
    log.write_text('{"iteration": 0, "kl": 0.5}\n{"iteration": 1, "k')
    assert read_tuning(tmp_path) == [{"iteration": 0, "kl": 0.5}]


def test_a_place_that_cannot_be_written_to_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(InputError, match=r"cannot write .*report.html"):
        page_of(tmp_path)


def test_a_table_of_arms_is_read_as_it_was_written(tmp_path: Path) -> None:
    augmented.put(tmp_path / "table.json", augmented.table())
    found = read_table(tmp_path)
    assert found is not None
    assert found.arms[1].ahead is None
    assert found.arms[-1].ahead == pytest.approx((0.11, 0.06, 0.17))
    assert found.arms[-1].recall.shape == (3, 7)
