from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mimica import assets
from mimica.errors import AssetError
from mimica.facs import caption
from mimica.generation.knowledge import KnowledgeBase, build, hidden
from mimica.generation.plan import Plan, plan
from mimica.generation.retrieval import Bm25, Retriever, weighted_cosine
from mimica.generation.texts import TextEncoder, text_encoder
from oracles import retrieval as slow
from posed import aligned_with, posed

CLIPS = posed(84)
KNOWN = aligned_with(CLIPS)
BASE = build(KNOWN, CLIPS)
ENCODER = text_encoder([card.text for card in BASE.cards], "words")
FOUND = Retriever(BASE, KNOWN, ENCODER)
EXEMPLARS = [card for card in BASE.cards if card.kind == "exemplar"]
PLAN = plan(KNOWN, "disgust", 1)


def parts(one: Plan) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How like the plan each exemplar is, slowly: by text, by units, by words."""
    text = f"{one.label}: {caption(sorted(one.strengths))}."
    weight = np.abs(KNOWN.lift[KNOWN.index(one.label)]).tolist()
    query = [one.strengths.get(unit, 0.0) for unit in KNOWN.units]
    units = [slow.weighted_cosine(query, [c.units.get(u, 0.0) for u in KNOWN.units], weight) for c in EXEMPLARS]
    vectors = ENCODER([card.text for card in EXEMPLARS])
    return vectors @ ENCODER([text])[0], np.array(units), np.array(slow.bm25(text, [c.text for c in EXEMPLARS]))


@pytest.mark.parametrize("label", ["disgust", "fear", "neutral"])
def test_scores_are_the_weighted_sum_of_four_likenesses(label: str) -> None:
    one = plan(KNOWN, label, 1)
    text, units, words = parts(one)
    own = np.array([card.label == label for card in EXEMPLARS])
    expected = 0.45 * text + 0.35 * units + 0.1 * words / words.max() + 0.1 * own
    assert FOUND.scores(one) == pytest.approx(expected)


@pytest.mark.parametrize("label", ["disgust", "happiness"])
def test_exemplars_are_chosen_one_after_another_as_like_the_plan_and_unlike_each_other(label: str) -> None:
    one = plan(KNOWN, label, 2)
    vectors = ENCODER([card.text for card in EXEMPLARS])
    weight = np.abs(KNOWN.lift[KNOWN.index(label)]).tolist()
    units = [[card.units.get(u, 0.0) for u in KNOWN.units] for card in EXEMPLARS]

    def like(i: int, j: int) -> float:
        return float(vectors[i] @ vectors[j] + slow.weighted_cosine(units[i], units[j], weight)) / 2

    expected = slow.chosen(FOUND.scores(one).tolist(), like, [card.subject for card in EXEMPLARS], 4, 3)
    assert FOUND(one).exemplars == tuple(EXEMPLARS[i] for i in expected)


def test_exemplars_are_of_the_class_and_of_three_people_at_least() -> None:
    found = FOUND(PLAN)
    assert {card.label for card in found.exemplars} == {"disgust"}
    assert len({card.subject for card in found.exemplars}) >= 3


def test_a_place_is_kept_for_people_who_are_not_there_yet() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.2, 0.1])
    people = ["a", "a", "a", "a", "b", "c"]
    assert slow.chosen(scores.tolist(), lambda i, j: 0.0, people, 4, 3) == [0, 1, 4, 5]
    from dataclasses import replace

    cards = tuple(replace(EXEMPLARS[0], id=f"exemplar:{i}", subject=who) for i, who in enumerate(people))
    few = Retriever(KnowledgeBase(cards=cards), KNOWN, ENCODER)
    assert [few._exemplars[i].subject for i in few._chosen(scores, np.ones(6, bool), np.ones(17), 4)].count("a") == 2


def test_no_exemplar_is_of_the_person_of_the_seed() -> None:
    who = "p1"
    assert hidden(who) in {card.subject for card in FOUND(PLAN, count=12).exemplars}
    assert hidden(who) not in {card.subject for card in FOUND(PLAN, count=40, without=who).exemplars}


def test_the_cards_of_the_class_and_of_every_planned_unit_come_along() -> None:
    ids = [card.id for card in FOUND(PLAN).cards]
    assert ids[: 1 + len(PLAN.strengths)] == ["class:disgust", *(f"unit:{unit}" for unit in sorted(PLAN.strengths))]
    assert [one.split(":")[0] for one in ids[1 + len(PLAN.strengths) :]] == ["time", "time"]


def test_cards_of_other_expressions_stay_away_for_a_prompt_may_not_name_them() -> None:
    for label in KNOWN.names:
        assert not [card for card in FOUND(plan(KNOWN, label)).cards if card.label not in ("", label)]


def test_a_base_without_clips_gives_cards_alone() -> None:
    alone = Retriever(build(KNOWN), KNOWN, ENCODER)(PLAN)
    assert alone.exemplars == ()
    assert alone.cards


def test_bm25_is_that_of_its_definition() -> None:
    texts = ["the nose is wrinkled", "the lips, the lips are parted", "a face at rest", "nose and lips"]
    assert Bm25(texts)("nose lips lips unknown") == pytest.approx(np.array(slow.bm25("nose lips unknown", texts)))
    assert Bm25([])("nose").shape == (0,)


def test_the_weighted_cosine_is_that_of_its_definition() -> None:
    random = np.random.default_rng(0)
    one, others, weight = random.random(5), random.random((4, 5)), random.random(5)
    expected = [slow.weighted_cosine(one.tolist(), other, weight.tolist()) for other in others.tolist()]
    assert weighted_cosine(one, others, weight) == pytest.approx(np.array(expected))
    assert weighted_cosine(np.zeros(5), others, weight).tolist() == [0.0] * 4


def test_words_are_compared_where_minilm_is_not_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIMICA_HOME", str(tmp_path))
    encoder = text_encoder(["the nose is wrinkled", "the lips are parted", "the nose and the lips", "a chin"])
    assert encoder.name == "words"
    vectors = encoder(["wrinkled nose", "parted lips", "nose", "xyz"])
    assert np.linalg.norm(vectors, axis=1).round(6).tolist() == [1, 1, 1, 0]
    assert vectors[0] @ vectors[2] > vectors[1] @ vectors[2]
    with pytest.raises(AssetError, match="mimica assets fetch minilm"):
        text_encoder(["a"], "minilm")


def test_minilm_is_used_where_it_is(tiny_text_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "check", lambda name: "present")
    monkeypatch.setattr(assets, "find", lambda name: tiny_text_folder)
    encoder = text_encoder(["never read"])
    assert encoder.name == "minilm"
    vectors = encoder(["a face", "the lips", "a face"])
    assert vectors.shape == (3, 32)
    assert vectors[0].tolist() == vectors[2].tolist()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3))


def test_each_different_text_is_read_once() -> None:
    read: list[str] = []

    def encode(texts: object) -> np.ndarray:
        read.extend(texts)  # type: ignore[arg-type]
        return np.eye(2)[: len(texts)]  # type: ignore[arg-type]

    assert TextEncoder(name="x", encode=encode)(["a", "b", "a"]).tolist() == [[1, 0], [0, 1], [1, 0]]
    assert read == ["a", "b"]
