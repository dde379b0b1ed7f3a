from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from coded import Said, elan, medium, reading, readings, table, written

from mimica.errors import InputError, UsageError
from mimica.labels import EXPRESSIONS
from mimica.metrics.agreement import FEWEST_BLOCKS
from mimica.reading.agreement.measure import agreement
from mimica.reading.agreement.settings import AgreementSettings
from mimica.reading.agreement.write import COLUMNS, check, write_facts, write_moments
from oracles import agreement as oracle

LABELS = EXPRESSIONS.names


def drawn(seconds: int, seed: int, length: int = 2) -> list[tuple[float, float, str]]:
    """Stretches of one length that follow each other, of any class."""
    random = np.random.default_rng(seed)
    return [(t, t + length, LABELS[random.integers(7)]) for t in range(0, seconds, length)]


def spoilt(said: Said, share: float, seed: int) -> list[tuple[float, float, str]]:
    """The same with another word for about a share of them."""
    random = np.random.default_rng(seed)
    return [(a, b, LABELS[random.integers(7)] if random.random() < share else word) for a, b, word in said]


HUMAN = drawn(200, 0)
READ = spoilt(HUMAN, 0.4, 1)


@pytest.fixture
def human(tmp_path: Path) -> Path:
    return elan(tmp_path / "coder.eaf", {"mother": HUMAN}, media=medium("./v.mp4"))


@pytest.fixture
def read(tmp_path: Path) -> Path:
    return written(tmp_path / "v.parquet", readings(READ))


def moments_of(said: Said, step: float = 0.1) -> list[str | None]:
    end = max(stop for _, stop, _ in said)
    return [oracle.at(said, (k + 0.5) * step) for k in range(round(end / step))]


def test_the_figures_are_those_of_the_moments_in_which_both_speak(human: Path, read: Path) -> None:
    found = agreement(human, read)
    one, other = moments_of(HUMAN), moments_of(READ)
    assert found.overall.kappa.value == pytest.approx(oracle.kappa(one, other))
    assert found.overall.agreement.value == pytest.approx(oracle.observed(one, other))
    assert found.overall.chance == pytest.approx(oracle.by_chance(one, other))
    for each in found.classes:
        assert each.kappa.value == pytest.approx(oracle.kappa_of_class(one, other, each.label))
        assert each.one == pytest.approx(0.1 * one.count(each.label))
        assert each.other == pytest.approx(0.1 * other.count(each.label))
        assert each.both == pytest.approx(0.1 * sum(a == b == each.label for a, b in zip(one, other, strict=True)))
    assert found.overall.kappa.low < found.overall.kappa.value < found.overall.kappa.high
    assert (found.block, found.blocks, found.notes) == (10, 20, ())


def test_human_annotation_stands_in_rows_whichever_is_named_first(human: Path, read: Path) -> None:
    found, turned = agreement(human, read), agreement(read, human)
    assert (turned.one.kind, turned.other.kind) == ("annotation", "readings")
    assert turned.facts() == found.facts()
    expected = [[sum((a, b) == (r, c) for a, b in zip(moments_of(HUMAN), moments_of(READ), strict=True))
                 for c in LABELS] for r in LABELS]  # fmt: skip
    assert found.confusion.tolist() == expected


def test_two_coders_turned_round_agree_as_much(tmp_path: Path, human: Path) -> None:
    second = table(tmp_path / "second.csv", READ)
    found, turned = agreement(human, second), agreement(second, human)
    assert found.one.kind == found.other.kind == "annotation"
    assert found.overall.kappa == turned.overall.kappa
    assert found.confusion.tolist() == turned.confusion.T.tolist()


@pytest.mark.parametrize("length", [1.0, 1.6])
def test_what_our_own_elan_sink_writes_agrees_wholly_with_its_readings(tmp_path: Path, length: float) -> None:
    rows = [
        reading(i * length, (i + 1) * length, LABELS[(i * (p + 1)) % 7], person=p)
        for i in range(40) for p in range(2) if i % 11
    ]  # fmt: skip
    eaf, parquet = (written(tmp_path / f"v.{ending}", rows) for ending in ("eaf", "parquet"))
    found = agreement(eaf, parquet)
    assert [each.person for each in found.people] == ["person 0", "person 1"]
    for agreed in (found.overall, *(each.agreed for each in found.people)):
        assert agreed.kappa.value == agreed.agreement.value == 1
        assert agreed.covered == agreed.other_covered == 1
    assert found.overall.both == pytest.approx(2 * 36 * length)
    assert found.left_out == {}
    assert all(each.found == each.segments > 0 for each in found.classes)


def test_time_in_which_only_one_speaks_is_coverage_and_no_disagreement(tmp_path: Path) -> None:
    human = table(tmp_path / "v.csv", [(0, 4, "fear"), (4, 8, "anger")])
    found = agreement(human, written(tmp_path / "v.jsonl", readings([(2, 4, "fear"), (4, 6, "anger"), (9, 10, "joy")])))
    assert found.overall.kappa.value == 1
    assert (found.overall.one, found.overall.other, found.overall.both) == pytest.approx((8, 5, 4))
    assert (found.overall.covered, found.overall.other_covered) == pytest.approx((0.5, 0.8))


def test_readings_that_are_not_ok_are_left_out_and_counted_or_taken_in(tmp_path: Path) -> None:
    human = table(tmp_path / "v.csv", [(0, 4, "fear"), (4, 8, "anger")])
    rows = [reading(0, 2, "fear"), reading(2, 4, "joy", status="unsure"), reading(4, 7, "anger"),
            reading(7, 8, "anger", status="low_quality"), reading(8, 9, "fear", status="unsure")]  # fmt: skip
    read = written(tmp_path / "v.parquet", [*rows, reading(9, 11, None, person=None, status="no_face")])
    found = agreement(human, read)
    assert found.left_out == {"unsure": 2.0, "low_quality": 1.0}
    assert (found.overall.kappa.value, found.overall.both) == (1, pytest.approx(5))
    assert found.notes == ("v.mp4: no face was seen for 2.0 s",)
    whole = agreement(human, read, AgreementSettings(all=True))
    assert whole.left_out == {}
    assert whole.overall.both == pytest.approx(8)
    assert whole.overall.agreement.value == pytest.approx(0.75)


def test_words_that_mean_nothing_are_left_out_and_counted(tmp_path: Path) -> None:
    human = table(tmp_path / "v.csv", [(0, 2, "scared"), (2, 3, "off camera"), (3, 5, "anger"), (5, 6, "")])
    read = written(tmp_path / "v.jsonl", readings([(0, 3, "fear"), (3, 6, "anger")]))
    with pytest.raises(InputError, match=r"v\.csv, 0: no class is called 'scared'"):
        agreement(human, read)
    found = agreement(human, read, AgreementSettings(labels=("scared=fear", "off camera=")))
    assert found.left_out == {"off camera": 1.0, "(no word)": 1.0}
    assert found.words == {"scared": "fear"}
    assert (found.overall.kappa.value, found.overall.both) == (1, pytest.approx(4))


def test_times_are_those_of_the_media_file_that_was_read(tmp_path: Path) -> None:
    later = [(start - 3, end - 3, word) for start, end, word in READ if start >= 4]
    human = elan(tmp_path / "x.eaf", {"mother": later}, media=medium("w.mp4") + medium("v.mp4", 3000))
    assert agreement(human, written(tmp_path / "v.csv", readings(READ))).overall.kappa.value == 1


def test_coders_with_classes_of_their_own_are_compared_in_them(tmp_path: Path) -> None:
    one = table(tmp_path / "one.csv", [(0, 2, "Bored"), (2, 4, "interested"), (4, 5, "joy")])
    other = table(tmp_path / "other.csv", [(0, 3, "bored"), (3, 5, "interested")])
    found = agreement(one, other)
    assert found.labels == ("Bored", "interested", "joy")
    assert found.confusion.tolist() == [[20, 0, 0], [10, 10, 0], [0, 10, 0]]


def test_persons_have_their_own_figures_and_classes_are_over_all(tmp_path: Path) -> None:
    wrong = [(start, end, "fear" if word != "fear" else "joy") for start, end, word in HUMAN]
    human = elan(tmp_path / "x.eaf", {"mother": HUMAN, "child": HUMAN})
    read = written(tmp_path / "v.csv", readings(HUMAN, person=4) + readings(wrong, person=1))
    found = agreement(human, read, AgreementSettings(person=("4=mother", "1=child")))
    mother, child = found.people
    assert (mother.person, mother.agreed.kappa.value) == ("mother", 1)
    assert (child.person, child.agreed.agreement.value) == ("child", 0)
    assert child.agreed.kappa.value < 0
    assert found.overall.agreement.value == 0.5
    assert sum(each.one for each in found.classes) == pytest.approx(400)


def test_people_in_one_picture_at_one_time_are_drawn_together(tmp_path: Path) -> None:
    alone = agreement(table(tmp_path / "a.csv", HUMAN), written(tmp_path / "v.csv", readings(READ)))
    twice = [(0, *row) for row in HUMAN] + [(1, *row) for row in HUMAN]
    human = table(tmp_path / "b.csv", twice, "person,start,end,label")
    both = agreement(human, written(tmp_path / "v.csv", readings(READ) + readings(READ, person=1)))
    assert both.overall.kappa == alone.overall.kappa, "whoever doubles a person knows no more"


def test_segments_are_found_where_half_of_what_is_read_of_them_shows_their_class(tmp_path: Path) -> None:
    human = table(tmp_path / "v.csv", [(0, 4, "fear"), (4, 8, "fear"), (8, 12, "fear"), (12, 16, "anger"),
                                       (20, 24, "fear"), (30, 34, "anger")])  # fmt: skip
    said = [(0, 2, "fear"), (2, 5, "anger"), (5, 8, "fear"), (8, 11, "anger"), (11, 12, "fear"), (12, 16, "fear"),
            (20, 21, "fear")]  # fmt: skip
    found = {each.label: each for each in agreement(human, written(tmp_path / "v.jsonl", readings(said))).classes}
    assert (found["fear"].segments, found["fear"].found) == (4, 3)
    assert (found["anger"].segments, found["anger"].found) == (1, 0)
    assert found["happiness"].segments == 0


def test_the_block_is_ten_seconds_or_the_mean_annotation_or_what_is_asked_for(tmp_path: Path) -> None:
    human = table(tmp_path / "v.csv", drawn(400, 0, length=40))
    read = written(tmp_path / "v.jsonl", readings(drawn(400, 1, length=1)))
    assert (agreement(human, read).block, agreement(human, read).blocks) == (40, 10)
    assert agreement(human, read, AgreementSettings(block=5)).blocks == 80
    few = agreement(human, read, AgreementSettings(block=50))
    assert few.blocks < FEWEST_BLOCKS
    assert (few.overall.kappa.low, few.people[0].agreed.kappa.high, few.classes[0].kappa.low) == (None, None, None)


def test_a_finer_grid_says_the_same_and_a_coder_agrees_with_themselves(human: Path, read: Path) -> None:
    fine, coarse = (agreement(human, read, AgreementSettings(step=step)) for step in (0.02, 0.5))
    assert fine.overall.kappa.value == pytest.approx(coarse.overall.kappa.value)
    assert agreement(human, human).overall.kappa.value == 1


def test_what_is_undefined_is_said_and_is_no_number(tmp_path: Path) -> None:
    human = table(tmp_path / "v.csv", [(0, 0, 5, "fear"), (1, 0, 5, "fear"), (1, 5, 9, "joy"), (2, 0, 5, "fear")],
                  "person,start,end,label")  # fmt: skip
    read = written(tmp_path / "v.jsonl", readings([(0, 5, "fear")]) + readings([(0, 9, "fear")], person=1)
                   + readings([(6, 7, "fear")], person=2))  # fmt: skip
    found = agreement(human, read)
    first, second, third = (each.agreed for each in found.people)
    assert (first.kappa.value, first.agreement.value) == (None, 1)
    assert (second.kappa.value, second.agreement.value) == (0, pytest.approx(5 / 9))
    assert (third.kappa.value, third.agreement.value, third.chance, third.covered) == (None, None, None, 0)
    assert found.notes == (
        "v.mp4, 0: both say only fear, so kappa is undefined",
        "v.mp4, 1: one of both says only fear, so kappa is 0",
        "v.mp4, 2: there is no time in which both say a class, so there is no kappa",
    )
    told = json.dumps(found.facts(), allow_nan=False)
    assert json.loads(told)["people"][0]["kappa"] == {"value": None, "low": None, "high": None}


def test_coders_without_time_in_common_are_refused_with_why(tmp_path: Path) -> None:
    human = table(tmp_path / "v.csv", [(0, 4, "fear")])
    with pytest.raises(InputError, match=r"never both say a class of one person \(4.0 s and 2.0 s are compared\)"):
        agreement(human, written(tmp_path / "v.jsonl", readings([(5, 7, "fear")])))
    with pytest.raises(InputError, match="no length, such as those of photos"):
        agreement(human, written(tmp_path / "p.jsonl", readings([(1, 1, "fear")])))


def test_annotations_that_overlap_are_refused_and_readings_that_do_are_not(tmp_path: Path, human: Path) -> None:
    windows = [(start - 0.5, end + 0.5, word) for start, end, word in HUMAN]
    assert agreement(human, written(tmp_path / "v.csv", readings(windows))).overall.kappa.value == 1
    with pytest.raises(InputError, match="overlap"):
        agreement(human, table(tmp_path / "second.csv", windows))


def test_a_folder_of_annotations_is_compared_with_a_folder_of_readings(tmp_path: Path) -> None:
    for name, wrong in (("a", 0.0), ("b", 1.0), ("c", 0.5)):
        (tmp_path / "human").mkdir(exist_ok=True)
        elan(tmp_path / "human" / f"{name} coded.eaf", {"face": HUMAN}, media=medium(f"file:///films/{name}.mp4"))
        rows = readings(spoilt(HUMAN, wrong, 3), source=f"films/{name}.mp4")
        if name != "c":
            written(tmp_path / "read" / f"{name}.csv", rows, source=f"films/{name}.mp4")
    found = agreement(tmp_path / "human", tmp_path / "read")
    assert [(each.source, each.person) for each in found.people] == [("films/a.mp4", "face"), ("films/b.mp4", "face")]
    assert found.people[0].agreed.kappa.value == 1 > found.people[1].agreed.kappa.value
    assert found.blocks == 40
    assert found.notes == (f"only in {tmp_path / 'human'}: c.mp4",)


def test_every_moment_is_written_for_statistics_of_ones_own(tmp_path: Path) -> None:
    human = table(tmp_path / "v.csv", [(0, 4, "Angst"), (4, 8, "?")])
    rows = [*readings([(2, 5, "fear")]), reading(5, 6, "anger", status="unsure")]
    found = agreement(human, written(tmp_path / "v.jsonl", rows), AgreementSettings(
        labels=("Angst=fear", "?="), step=1.0, block=5.0))  # fmt: skip
    write_moments(tmp_path / "new" / "m.csv", found)
    header, *told = csv.reader((tmp_path / "new" / "m.csv").open(newline=""))
    assert tuple(header) == COLUMNS
    one = ["v.mp4", "0"]
    assert told == [
        [*one, "0.5000", "fear", "", "Angst", "", "", "0"], [*one, "1.5000", "fear", "", "Angst", "", "", "0"],
        [*one, "2.5000", "fear", "fear", "Angst", "fear", "ok", "0"],
        [*one, "3.5000", "fear", "fear", "Angst", "fear", "ok", "0"],
        [*one, "4.5000", "", "fear", "?", "fear", "ok", "0"],
        [*one, "5.5000", "", "", "?", "anger", "unsure", "1"],
        [*one, "6.5000", "", "", "?", "", "", "1"], [*one, "7.5000", "", "", "?", "", "", "1"],
    ]  # fmt: skip
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["m.csv"]


def test_figures_are_written_with_what_they_rest_on(tmp_path: Path, human: Path, read: Path) -> None:
    found = agreement(human, read)
    write_facts(tmp_path / "new" / "f.json", found)
    facts = json.loads((tmp_path / "new" / "f.json").read_text())
    assert facts == json.loads(json.dumps(found.facts()))
    assert facts["overall"]["kappa"]["value"] == found.overall.kappa.value
    assert "never says what someone feels" in facts["notice"]


def test_what_cannot_be_written_is_one_sentence_and_what_is_read_is_never_written(tmp_path: Path, human: Path) -> None:
    (tmp_path / "file").write_text("")
    found = agreement(human, human)
    for write, flag in ((write_facts, "--json"), (write_moments, "--csv")):
        with pytest.raises(InputError, match=f"choose another place with {flag}"):
            write(tmp_path / "file" / "x", found)
    with pytest.raises(UsageError, match="is read and would be lost"):
        check(human.parent / ".." / human.parent.name / human.name, (human,))


@pytest.mark.parametrize(
    "wrong", [{"step": 0}, {"step": 1e-4}, {"step": float("nan")}, {"block": 0.05}, {"block": float("inf")}]
)
def test_steps_and_blocks_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"step|block"):
        AgreementSettings(**wrong)
