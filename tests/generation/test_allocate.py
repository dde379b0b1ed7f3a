from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimica.data.actor import DFEW
from mimica.errors import UsageError
from mimica.generation.allocate import Round, accept_rates, allocate, deficits, shares, wanted
from mimica.generation.loop_settings import AllocationSettings
from mimica.labels import EXPRESSIONS
from oracles import allocation as slow

NAMES = EXPRESSIONS.names
RECALL = (0.9, 0.7, 0.7, 0.7, 0.6, 0.05, 0.3)
DISGUST, FEAR = EXPRESSIONS.index("disgust"), EXPRESSIONS.index("fear")


@given(
    counts=st.lists(st.integers(0, 3000), min_size=2, max_size=8).filter(any), level=st.floats(0, 1),
    most=st.floats(0, 8),
)  # fmt: skip
def test_each_class_lacks_what_its_formula_says(counts: list[int], level: float, most: float) -> None:
    found = deficits(counts, AllocationSettings(level=level, most=most))
    assert found.tolist() == [slow.deficit(n, max(counts), level, most, 20.0) if n else 0 for n in counts]


@given(st.data())
def test_shares_are_poured_in_proportion_and_none_is_above_the_limit(data: st.DataObject) -> None:
    C = data.draw(st.integers(1, 7))
    draw = [data.draw(st.lists(one, min_size=C, max_size=C)) for one in
            (st.integers(0, 500), st.floats(0, 1), st.floats(0.1, 1))]  # fmt: skip
    limit = data.draw(st.sampled_from([0.2, 0.5, 1.0]))
    found = shares(*(np.array(one) for one in draw), AllocationSettings(limit=limit))  # type: ignore[call-arg]
    assert found.tolist() == pytest.approx(slow.shares(*draw, 1.0, limit), abs=1e-9)
    if found.any():
        assert found.sum() == pytest.approx(1.0)
        assert found.max() <= max(limit, 1 / np.count_nonzero(found)) + 1e-9


def test_of_dfew_disgust_and_fear_lack_most_for_what_they_have() -> None:
    assert wanted(DFEW, 0.5)[DISGUST] == 622
    found = deficits(DFEW, AllocationSettings())
    assert found[DISGUST] == 477
    assert found[FEAR] == wanted(DFEW, 0.5)[FEAR] - 902
    assert found[EXPRESSIONS.index("neutral")] == 0


def test_the_most_that_is_added_is_more_for_the_scarcest() -> None:
    settings = AllocationSettings(level=0.0)
    assert deficits([10_000, 29, 30, 0], settings).tolist() == [0, 580, 150, 0]


def test_a_round_goes_where_clips_lack_and_recall_is_low() -> None:
    found = allocate(NAMES, DFEW, RECALL, 200)
    assert sum(found.clips) == 200
    assert found.clips[DISGUST] > found.clips[EXPRESSIONS.index("surprise")] > 0
    assert max(found.shares) <= 0.5
    assert found.stop is None
    even = allocate(NAMES, DFEW, [0.5] * 7, 200)
    assert found.shares[DISGUST] > even.shares[DISGUST]


def test_what_is_seldom_accepted_is_made_more_often_within_a_floor() -> None:
    one = Round(asked=(0, 0, 0, 0, 0, 100, 100), accepted=(0, 0, 0, 0, 0, 25, 4), recall=RECALL)
    assert accept_rates([one], 7, 0.10).tolist() == [1, 1, 1, 1, 1, 0.25, 0.10]
    sparse = shares(np.array([10, 10]), np.array([0.5, 0.5]), np.array([1.0, 0.25]), AllocationSettings(limit=1.0))
    assert sparse.tolist() == pytest.approx([1 / 3, 2 / 3])


def test_a_class_of_which_next_to_nothing_is_accepted_is_given_up_and_said() -> None:
    one = Round(asked=(0, 0, 0, 0, 0, 100, 100), accepted=(0, 0, 0, 0, 0, 9, 50), recall=(*RECALL[:5], 0.3, 0.4))
    found = allocate(NAMES, DFEW, RECALL, 100, rounds=[one])
    assert found.given_up == ("disgust",)
    assert found.clips[DISGUST] == 0
    assert found.clips[FEAR] > 0
    assert found.sentences() == ("disgust needs real clips: next to nothing made for it is accepted",)


def test_nothing_more_is_made_where_recall_rose_in_none_of_the_last_two_rounds() -> None:
    def done(value: float) -> Round:
        return Round(asked=(10,) * 7, accepted=(5,) * 7, recall=(value,) * 7)

    rising = [done(0.60), done(0.61), done(0.62)]
    assert allocate(NAMES, DFEW, [0.5] * 7, 50, rounds=rising).stop is None
    flat = allocate(NAMES, DFEW, [0.5] * 7, 50, rounds=[*rising, done(0.62), done(0.60)])
    assert "rose in none of the last 2 rounds" in (flat.stop or "")
    assert sum(flat.clips) == 0
    assert allocate(NAMES, DFEW, [0.5] * 7, 50, rounds=[*rising, done(0.60)]).stop is None


def test_what_was_accepted_is_lacking_no_more_and_no_more_is_made_than_lacks() -> None:
    one = Round(asked=(0, 50), accepted=(0, 40), recall=(0.9, 0.5))
    found = allocate(("a", "b"), (400, 100), (0.9, 0.4), 500, rounds=[one])
    assert found.wanted == (400, 200)
    assert found.lacking == (0, 60)
    assert found.clips == (0, 75), "60 that lack, of which 4 in 5 are accepted"
    done = Round(asked=(0, 100), accepted=(0, 100), recall=(0.9, 0.5))
    assert "no class lacks clips" in (allocate(("a", "b"), (400, 100), (0.9, 0.4), 10, rounds=[done]).stop or "")


def test_the_only_class_that_lacks_clips_has_the_whole_round() -> None:
    assert allocate(("a", "b"), (400, 100), (0.9, 0.4), 50).clips == (0, 50)


@pytest.mark.parametrize("wrong", [((1, 2), (0.5,), 5), ((0, 0), (0.5, 0.5), 5), ((1, 2), (0.5, 0.5), 0)])
def test_what_cannot_be_allocated_is_refused(wrong: tuple[tuple[int, ...], tuple[float, ...], int]) -> None:
    with pytest.raises(UsageError):
        allocate(("a", "b"), *wrong)


@pytest.mark.parametrize(
    "wrong", [{"level": 1.1}, {"most": -1.0}, {"focus": -1.0}, {"limit": 0.0}, {"least_accepted": 0.0}, {"rounds": 0}]
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        AllocationSettings(**wrong)  # type: ignore[arg-type]


def test_only_the_classes_that_are_named_get_clips_up_to_what_they_lack() -> None:
    counts = (400, 300, 300, 300, 200, 12, 40)
    whole = allocate(NAMES, counts, RECALL, 60)
    some = allocate(NAMES, counts, RECALL, 60, only=["fear", "happiness"])
    assert some.clips[FEAR] == 60 > whole.clips[FEAR] > 0
    assert sum(some.clips) == 60
    assert some.wanted == whole.wanted
    assert [lacks > 0 for lacks in some.lacking] == [name == "fear" for name in NAMES]
    none = allocate(NAMES, counts, RECALL, 60, only=["happiness"])
    assert (sum(none.clips), none.stop) == (0, "no class lacks clips that could be made for it")
