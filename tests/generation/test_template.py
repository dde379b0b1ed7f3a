from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mimica.errors import InputError
from mimica.generation.lexicon import demographics
from mimica.generation.plan import plan
from mimica.generation.settings import TOKENS
from mimica.generation.template import Prompt, from_template, graded, named_spans, tokens
from mimica.generation.verify import verify
from mimica.labels import EXPRESSIONS
from posed import prior_alone

KNOWN = prior_alone()


@pytest.mark.parametrize("limit", sorted(set(TOKENS.values())))
@pytest.mark.parametrize("label", EXPRESSIONS.names)
def test_every_prompt_of_the_template_passes_within_the_length_that_a_generator_reads(label: str, limit: int) -> None:
    for number in range(80):
        one = plan(KNOWN, label, number)
        prompt = from_template(one, tokens_at_most=limit, core=KNOWN.core(label))
        verdict = verify(prompt, one, KNOWN, tokens_at_most=limit)
        assert verdict.wrong == (), prompt.text()
        assert limit == 128 or verdict.units == set(one.strengths)


def test_what_is_too_long_loses_its_weakest_units_and_never_the_core() -> None:
    one = plan(KNOWN, "fear", units=(7, 9, 10, 16, 17, 26))
    one = replace(one, strengths={**one.strengths, 1: 0.16})
    prompt = from_template(one, tokens_at_most=115, core=KNOWN.core("fear"))
    verdict = verify(prompt, one, KNOWN, tokens_at_most=115)
    assert set(KNOWN.core("fear")) <= verdict.units < set(one.strengths)


def test_strength_is_said_in_words() -> None:
    assert graded(25, 0.1) == "the lips are very slightly parted"
    assert graded(25, 0.5) == "the lips are clearly parted"
    assert graded(25, 1.0) == "the lips are parted as far as they go"
    assert graded(5, 0.75) == "the upper eyelids are strongly raised and the eyes wide"


def test_parts_and_frames_are_the_plans_and_the_text_has_no_numbers() -> None:
    one = plan(KNOWN, "surprise", 3)
    prompt = from_template(one)
    assert [(span.name, span.frames) for span in prompt.spans] == named_spans(one)
    assert prompt.spans[0].name == "onset"
    assert prompt.spans[-1].frames[1] == 15
    assert not any(sign.isdigit() for sign in prompt.text())


def test_neutral_is_a_face_at_rest() -> None:
    prompt = from_template(plan(KNOWN, "neutral"))
    assert [span.name for span in prompt.spans] == ["rest"]
    assert "no part of it moves" in prompt.text()


def test_the_template_says_nothing_of_age_race_or_gender() -> None:
    for label in EXPRESSIONS.names:
        prompt = from_template(plan(KNOWN, label))
        assert demographics(json.dumps(prompt.facts())) == []


def test_the_same_plan_gives_the_same_prompt_and_it_is_the_same_after_a_file() -> None:
    prompt = from_template(plan(KNOWN, "fear"))
    assert prompt == from_template(plan(KNOWN, "fear"))
    assert Prompt.from_facts(json.loads(json.dumps(prompt.facts()))) == prompt
    with pytest.raises(InputError, match="no prompt"):
        Prompt.from_facts({"plan": "x"})


def test_tokens_are_not_estimated_low() -> None:
    assert tokens("the nose is wrinkled, strongly") == 8
    assert tokens("") == 0
