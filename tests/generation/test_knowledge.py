from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mimica.errors import InputError
from mimica.facs import COMPOUNDS, EVERY_UNIT
from mimica.generation.knowledge import KnowledgeBase, ambiguous, build, hidden
from mimica.generation.lexicon import units_in
from posed import aligned_with, posed, prior_alone

CLIPS = posed(70)
KNOWN = aligned_with(CLIPS)
BASE = build(KNOWN, CLIPS)


def test_there_is_a_card_for_every_unit_class_and_compound() -> None:
    ids = [card.id for card in BASE.cards]
    assert len(set(ids)) == len(ids)
    assert {f"unit:{number}" for number in EVERY_UNIT} <= set(ids)
    assert {f"class:{name}" for name in KNOWN.names} <= set(ids)
    assert sum(card.kind == "compound" for card in BASE.cards) == len(COMPOUNDS) == 17
    assert sum(card.kind == "time" for card in BASE.cards) >= 10


def test_cards_say_muscle_blendshapes_sources_and_that_they_are_priors() -> None:
    cards = {card.id: card.text for card in BASE.cards}
    assert "zygomaticus major" in cards["unit:12"]
    assert "mouthSmileLeft, mouthSmileRight" in cards["unit:12"]
    assert "du2014: 9+10+17 (4 31%, 24 26%)" in cards["class:disgust"]
    assert "A prior, never a label" in cards["class:disgust"]
    assert "Seen in 10 training clips" in cards["class:disgust"]
    assert "4 32%" in cards["compound:happily-disgusted"]


def test_a_class_is_told_from_the_nearest_other_that_moves() -> None:
    cards = {card.id: card.text for card in BASE.cards}
    assert "Nearest to it is surprise, from which it differs in that" in cards["class:fear"]
    assert not any("Nearest to it is neutral" in text for text in cards.values())


def test_the_fifth_of_each_class_that_speaks_least_for_it_makes_no_exemplar() -> None:
    exemplars = [card for card in BASE.cards if card.kind == "exemplar"]
    assert len(exemplars) == 56
    assert {card.label for card in exemplars} == set(KNOWN.names)


def test_a_clip_that_shows_another_class_than_it_is_called_makes_no_exemplar() -> None:
    first = int(np.flatnonzero(CLIPS.labels == KNOWN.index("disgust"))[0])
    smiling = CLIPS.curves[int(np.flatnonzero(CLIPS.labels == KNOWN.index("happiness"))[0])]
    odd = replace(CLIPS, curves=tuple(smiling if i == first else one for i, one in enumerate(CLIPS.curves)))
    assert f"exemplar:{CLIPS.names[first]}" not in {card.id for card in build(KNOWN, odd).cards}
    assert f"exemplar:{CLIPS.names[first]}" in {card.id for card in BASE.cards}


@pytest.mark.parametrize("seed", range(3))
def test_ambiguous_clips_are_the_lowest_of_their_class(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores, labels = random.random(40), random.integers(0, 3, 40)
    out = ambiguous(scores, labels)
    for label in range(3):
        own = sorted(scores[labels == label].tolist())
        assert sorted(scores[out & (labels == label)].tolist()) == own[: int(0.2 * len(own))]


def test_exemplars_say_what_the_clip_shows_and_hide_who_is_seen() -> None:
    exemplar = next(card for card in BASE.cards if card.kind == "exemplar" and card.label == "disgust")
    assert {9, 10, 17} <= units_in(exemplar.text)
    assert exemplar.subject in {hidden(f"p{i}") for i in range(6)}
    assert '"p1"' not in BASE.text()


def test_the_same_clips_give_the_same_file_and_other_clips_another_digest() -> None:
    assert build(KNOWN, CLIPS).text() == BASE.text()
    assert build(KNOWN).sha256 != BASE.sha256
    assert build(prior_alone()).sha256 != build(KNOWN).sha256


def test_a_knowledge_base_is_the_same_after_a_file(tmp_path: Path) -> None:
    file = tmp_path / "knowledge.jsonl"
    file.write_text(BASE.text())
    assert KnowledgeBase.read(file) == BASE
    assert json.loads(file.read_text().splitlines()[0])["sha256"] == BASE.sha256


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("nose is wrinkled", "nose is long"), "was altered"),
        (lambda text: text.replace('"mimica_knowledge": 1', '"mimica_knowledge": 9'), "version 9"),
        (lambda text: "nothing", "no knowledge base"),
        (lambda text: "", "no knowledge base"),
    ],
)
def test_a_file_that_is_not_what_was_written_is_refused(tmp_path: Path, change: object, said: str) -> None:
    file = tmp_path / "knowledge.jsonl"
    file.write_text(change(BASE.text()))  # type: ignore[operator]
    with pytest.raises(InputError, match=said):
        KnowledgeBase.read(file)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mimica augment plan writes it"):
        KnowledgeBase.read(tmp_path / "none.jsonl")
