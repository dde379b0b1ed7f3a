"""A few mutants through `benchmarks/fuzz.py`, and that the fuzz itself sees what it is there to see."""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
import fuzz
import mutants


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return mutants.seeds(tmp_path_factory.mktemp("seeds"))


def test_damaged_videos_end_in_readings_or_in_a_sentence(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = fuzz.fuzz(mutants=27, model=str(tiny_model), seed=1)
    assert found["failures"] == [], capsys.readouterr().out
    assert sum(found["ended"].values()) == found["mutants"] == 27
    assert len(found["by_container"]) == 9
    assert set(found["ended"]) == {"read", "refused"}, "both happen among so many"


def test_a_mutant_is_known_by_its_number_and_differs_from_its_seed(containers: list[Path]) -> None:
    for number in range(200):
        data = containers[number % len(containers)].read_bytes()
        hurt, how = mutants.mutant(data, random.Random(f"0 {number}"))
        assert (hurt, how) == mutants.mutant(data, random.Random(f"0 {number}"))
        assert 1 <= len(how) <= 3
    names = {name.__name__.strip("_") for name in mutants.CHANGES}
    assert {name for n in range(200) for name in mutants.mutant(b"x" * 999, random.Random(n))[1]} == names


def test_every_seed_is_read_whole_as_long_as_it_is_whole(containers: list[Path]) -> None:
    from mimica.video.read import open_video

    for path in containers:
        with open_video(path) as video:
            assert len(list(video)) == 20, path.name
            assert video.notes == []


def test_a_hang_a_crash_and_an_error_are_told_apart_and_do_not_end_the_count() -> None:
    sleeper = fuzz.Watched(time.sleep)
    assert sleeper.ask(600, limit=0.2) == ("hang", 0.2)
    assert sleeper.ask(0, limit=60) == ("told", None)
    ended, said = sleeper.ask("long", limit=60)
    assert (ended, "TypeError" in said) == ("traceback", True)
    sleeper.close()
    crasher = fuzz.Watched(os._exit)
    assert crasher.ask(11, limit=60) == ("crash", 11)


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ({}, "read"),
        ({"state": "failed", "error": "cannot read day/x.mp4: it is empty"}, "refused"),
        ({"state": "failed", "error": "cannot read it"}, "unclear"),
        ({"state": "failed", "error": "x.mp4 is\nbroken"}, "unclear"),
        ({"state": "failed", "error": "x.mp4: a defect of Mimica, which you could report (KeyError)"}, "traceback"),
        ({"wrong": ["a reading from 2 to 1 s"]}, "wrong table"),
        ({"noise": "deprecated pixel format used"}, "noise"),
    ],
)
def test_only_readings_and_clear_sentences_pass(answer: dict[str, object], word: str) -> None:
    whole = {"state": "done", "error": "", "wrong": [], "noise": "", **answer}
    assert fuzz.verdict("x.mp4", "told", whole)[0] == word
    assert (word in fuzz.GOOD) == (word in ("read", "refused"))
