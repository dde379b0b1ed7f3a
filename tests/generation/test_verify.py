from __future__ import annotations

from dataclasses import replace

import pytest

from mimica.generation.plan import plan
from mimica.generation.template import Prompt, Span, from_template
from mimica.generation.verify import jaccard, verify
from posed import prior_alone

KNOWN = prior_alone()
PLAN = next(one for i in range(99) if set((one := plan(KNOWN, "disgust", i)).strengths) == {9, 10, 17})
GOOD = from_template(PLAN)


def saying(**regions: str) -> Prompt:
    """The prompt whose apex says this and no more."""
    spans = [Span(name=s.name, frames=s.frames, regions={"mouth": "it goes on"}) for s in GOOD.spans]
    spans[1] = Span(name="apex", frames=GOOD.spans[1].frames, regions=regions)
    return replace(GOOD, spans=tuple(spans))


def wrong(prompt: Prompt, limit: int = 512) -> str:
    return "; ".join(verify(prompt, PLAN, KNOWN, tokens_at_most=limit).wrong)


ALL = {"nose": "the nose wrinkles", "mouth": "the upper lip rises", "jaw": "the chin is pushed up"}


def test_what_says_the_plan_passes() -> None:
    verdict = verify(saying(**ALL), PLAN, KNOWN)
    assert verdict.passed
    assert verdict.jaccard == 1.0
    assert verdict.units == {9, 10, 17}


def test_a_core_unit_that_is_missing_is_named() -> None:
    said = wrong(saying(**(ALL | {"nose": "the nose is long"})))
    assert "it does not say that the nose is wrinkled" in said
    assert "chin" not in said


def test_too_much_beside_the_plan_is_refused() -> None:
    prompt = saying(**ALL, brow="the brows are lowered", eye="the eyelids tighten", cheek="the cheeks rise")
    verdict = verify(prompt, PLAN, KNOWN)
    assert verdict.jaccard == 0.5
    assert "at least 0.6" in "; ".join(verdict.wrong)


def test_one_unit_that_speaks_against_the_class_is_refused_and_one_that_does_not_is_let_be() -> None:
    assert "the corners of the lips are pulled up, which speaks against disgust" in wrong(saying(**ALL, eye="a smile"))
    assert wrong(saying(**ALL, brow="the brows are lowered")) == ""


def test_head_gaze_and_blinks_are_free() -> None:
    prompt = replace(saying(**ALL, eye="the eyes blink"), head="the head is lowered", gaze="the eyes look down")
    assert wrong(prompt) == ""
    assert verify(prompt, PLAN, KNOWN).units == {9, 10, 17}


def test_of_the_core_only_what_is_planned_has_to_be_named() -> None:
    fewer = replace(PLAN, strengths={unit: PLAN.strengths[unit] for unit in (9, 10)})
    assert verify(from_template(fewer), fewer, KNOWN).passed


@pytest.mark.parametrize(
    ("part", "text", "said"),
    [
        ("summary", "an angry face", "names another expression: angry"),
        ("scene", "a woman before a wall", "age, race or gender someone is: woman"),
        ("subject", "an elderly person", "elderly"),
        ("gaze", "the eyes turn by 30 degrees", "gives numbers"),
        ("scene", "AU12 in a room", "gives numbers"),
    ],
)
def test_words_that_a_prompt_may_not_have_are_named(part: str, text: str, said: str) -> None:
    assert said in wrong(replace(saying(**ALL), **{part: text}))  # type: ignore[arg-type]


def test_its_own_class_may_be_named() -> None:
    assert wrong(replace(saying(**ALL), summary="a disgusted face")) == ""


def test_what_is_longer_than_the_generator_reads_is_refused() -> None:
    assert "at most 20 are read" in wrong(GOOD, 20)


def test_parts_that_are_not_the_plans_or_say_nothing_are_refused() -> None:
    assert "not the plan's" in wrong(replace(GOOD, spans=GOOD.spans[:1]))
    moved = replace(GOOD.spans[0], frames=(0, 1))
    assert "not the plan's" in wrong(replace(GOOD, spans=(moved, *GOOD.spans[1:])))
    assert "says nothing" in wrong(saying())


def test_a_plan_at_rest_wants_nothing_said_to_move() -> None:
    rest = plan(KNOWN, "neutral")
    prompt = from_template(rest)
    assert verify(prompt, rest, KNOWN).passed
    smiling = replace(prompt, spans=(replace(prompt.spans[0], regions={"mouth": "a smile"}),))
    assert not verify(smiling, rest, KNOWN).passed


def test_jaccard() -> None:
    assert jaccard({1, 2}, {2, 3}) == 1 / 3
    assert jaccard(set(), set()) == 1.0
    assert jaccard({1}, set()) == 0.0
