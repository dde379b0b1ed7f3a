from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimica.clips import Status
from mimica.errors import InputError
from mimica.reading.agreement.coding import Stretch
from mimica.reading.agreement.moments import NOTHING, Moments, moments, refuse_overlaps
from mimica.reading.agreement.pairs import Pair
from oracles import agreement as oracle

WORDS = {"a": 0, "b": 1, "c": 2}


def stretch(start: float, end: float, word: str | None, status: Status = "ok") -> Stretch:
    return Stretch(start=start, end=end, word=word, status=status)


def at(one: list[Stretch], other: list[Stretch], step: float = 0.1, **more: bool) -> Moments:
    pair = Pair(source="v", person="0", one=tuple(one), other=tuple(other), one_file=Path("1"), other_file=Path("2"))
    return moments(pair, WORDS, WORDS, step=step, **more)


def test_a_moment_lies_in_the_middle_of_its_step() -> None:
    found = at([stretch(1.0, 1.3, "a")], [stretch(0.8, 1.1, "b")])
    assert found.times.tolist() == pytest.approx([0.85, 0.95, 1.05, 1.15, 1.25])
    assert found.one.tolist() == [NOTHING, NOTHING, 0, 0, 0]
    assert found.other.tolist() == [1, 1, 1, NOTHING, NOTHING]
    assert found.both.tolist() == [False, False, True, False, False]


windows = st.lists(st.tuples(st.integers(-40, 200), st.integers(0, 60), st.sampled_from("abc")),
                   max_size=12, unique_by=lambda window: window[:2])  # fmt: skip


@given(windows, windows, st.sampled_from([0.05, 0.1, 0.32]))
def test_each_moment_has_the_word_of_the_window_whose_middle_is_nearest(
    one: list[tuple[int, int, str]], other: list[tuple[int, int, str]], step: float
) -> None:
    # In eighths of a second no border and no tie lies nearer to a moment than a float can tell.
    sides = [[(start / 8, (start + length) / 8, word) for start, length, word in side] for side in (one, other)]
    found = at(*([stretch(*each) for each in side] for side in sides), step=step)
    for side, said, places in zip(sides, (found.one, found.other), (found.one_at, found.other_at), strict=True):
        exact = [round(time, 9) for time in found.times.tolist()]
        assert said.tolist() == [WORDS.get(oracle.at(side, time) or "", NOTHING) for time in exact]
        assert all((place == NOTHING) == (word == NOTHING) for place, word in zip(places, said, strict=True))


def test_all_time_that_anyone_speaks_of_is_there() -> None:
    found = at([stretch(-0.5, 0.25, "a")], [stretch(7, 9, "b")])
    assert found.times[[0, -1]].tolist() == pytest.approx([-0.45, 8.95])
    assert len(at([], []).one) == 0


def test_a_reading_that_is_not_ok_silences_its_moments_unless_all_count() -> None:
    # The unsure window is nearest from 0.5 on: the other window that holds the time does not speak for it.
    rows = [stretch(0, 0.6, "a"), stretch(0.4, 1.0, "b", "unsure"), stretch(1, 1.2, "c", "low_quality")]
    assert at([], rows).other.tolist() == [0] * 5 + [NOTHING] * 7
    assert at([], rows, all=True).other.tolist() == [0] * 5 + [1] * 5 + [2] * 2
    assert (at([], rows).other_at != NOTHING).all()


def test_words_without_a_class_are_nothing_but_someone_speaks_there() -> None:
    found = at([stretch(0, 0.2, "?"), stretch(0.2, 0.4, None)], [])
    assert found.one.tolist() == [NOTHING] * 4
    assert found.one_at.tolist() == [0, 0, 1, 1]


def test_a_time_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(InputError, match=r"spans 10000000000 s, too long .* a time in 1 or 2 is wrong"):
        at([stretch(0, 1e10, "a")], [])


@pytest.mark.parametrize("second", [(0.5, 2, "a"), (0.2, 0.3, "a"), (0, 1, "b"), (0.998, 3, "b")])
def test_annotations_that_overlap_are_one_sentence(second: tuple[float, float, str]) -> None:
    said = [stretch(*second), stretch(0, 1, "a")]
    with pytest.raises(InputError, match=r"x\.eaf, mother: '.' \(.* overlap"):
        refuse_overlaps(Path("x.eaf"), "mother", said)


def test_annotations_that_touch_or_were_rounded_do_not_overlap() -> None:
    refuse_overlaps(Path("x"), "0", [stretch(0.999, 2, "b"), stretch(0, 1, "a"), stretch(0.5, 0.5, "c")])


def test_of_two_windows_that_are_as_near_the_later_speaks() -> None:
    found = at([], [stretch(2, 4, "c"), stretch(1, 3, "b"), stretch(0, 2, "a")], step=1.0)
    assert found.other.tolist() == [0, 1, 2, 2]
    nested = [stretch(1, 3, "b"), stretch(0, 4, "a")]
    assert at([], nested, step=1.0).other.tolist() == at([], nested[::-1], step=1.0).other.tolist() == [0, 1, 1, 0]
