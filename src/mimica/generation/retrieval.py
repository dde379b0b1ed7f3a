"""What of the knowledge base a plan is put into words from: exemplars like it, and the cards of its units and class.

Q a query, N exemplars, A units. Exact search: a knowledge base has 50,000 cards at most.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mimica.facs import caption
from mimica.generation.alignment import Alignment
from mimica.generation.knowledge import Card, KnowledgeBase, hidden
from mimica.generation.plan import Plan
from mimica.generation.texts import TextEncoder

TEXT, UNITS, WORDS, CLASS = 0.45, 0.35, 0.10, 0.10
"""How much the likeness of texts, of units, of words by BM25, and the same class count in a score."""
RELEVANCE = 0.7
"""How much the score counts in choosing the next exemplar; the rest is how unlike those chosen it is."""
EXEMPLARS, PEOPLE = 4, 3
"""How many exemplars, of how many different people at least where there are so many."""
_K1, _B = 1.5, 0.75
_TIMES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """Cards that a plan is put into words from: exemplars, best first, with their scores; and what FACS says of it."""

    exemplars: tuple[Card, ...]
    scores: tuple[float, ...]
    cards: tuple[Card, ...]


class Retriever:
    """Finds cards for plans. `encoder.name` says by which encoder texts are compared."""

    def __init__(self, base: KnowledgeBase, known: Alignment, encoder: TextEncoder) -> None:
        self.known, self.encoder = known, encoder
        self._exemplars = [card for card in base.cards if card.kind == "exemplar"]
        self._others = {card.id: card for card in base.cards if card.kind != "exemplar"}
        self._texts = encoder([card.text for card in self._exemplars])
        self._units = np.array([self._vector(card.units) for card in self._exemplars]).reshape(-1, len(known.units))
        self._words = Bm25([card.text for card in self._exemplars])
        # Cards of compounds name other classes, which a prompt may not: they are for classes of that name.
        self._times = [card for card in self._others.values() if card.kind == "time"]
        self._time_texts = encoder([card.text for card in self._times])

    def _vector(self, units: Mapping[int, float]) -> np.ndarray:
        return np.array([units.get(unit, 0.0) for unit in self.known.units])

    def scores(self, plan: Plan) -> np.ndarray:
        """How well each exemplar [N] goes with a plan: texts, units, words as a share of the best, the class."""
        text, weight = _asked(plan), np.abs(self.known.lift[self.known.index(plan.label)])
        words = self._words(text)
        own = np.array([card.label == plan.label for card in self._exemplars], dtype=float)
        return np.asarray(
            TEXT * (self._texts @ self.encoder([text])[0])
            + UNITS * weighted_cosine(self._vector(plan.strengths), self._units, weight)
            + WORDS * words / max(words.max(initial=0.0), 1e-9)
            + CLASS * own
        )

    def __call__(self, plan: Plan, *, count: int = EXEMPLARS, without: str = "") -> Retrieved:
        """The cards for a plan. `without` is a person of whom no exemplar may be, such as who is seen in the seed."""
        scores = self.scores(plan) if self._exemplars else np.zeros(0)
        allowed = np.array([not without or card.subject != hidden(without) for card in self._exemplars], dtype=bool)
        chosen = self._chosen(scores, allowed, np.abs(self.known.lift[self.known.index(plan.label)]), count)
        told = [f"class:{plan.label}", *(f"unit:{unit}" for unit in sorted(plan.strengths))]
        moves = self.encoder([f"{plan.settings.manner} {plan.label}, {caption(sorted(plan.strengths))}"])[0]
        near = np.argsort(-(self._time_texts @ moves), kind="stable")[:_TIMES] if self._times else np.zeros(0, int)
        return Retrieved(
            exemplars=tuple(self._exemplars[i] for i in chosen), scores=tuple(float(scores[i]) for i in chosen),
            cards=tuple(self._others[one] for one in told if one in self._others)
            + tuple(self._times[i] for i in near),
        )  # fmt: skip

    def _chosen(self, scores: np.ndarray, allowed: np.ndarray, weight: np.ndarray, count: int) -> list[int]:
        """Maximal marginal relevance (Carbonell & Goldstein 1998), with places kept for people not yet there."""
        chosen: list[int] = []
        likest = np.zeros(len(scores))
        free = allowed.copy()
        subjects = np.array([card.subject for card in self._exemplars])
        while len(chosen) < count and free.any():
            here = {subjects[i] for i in chosen}
            new = free & ~np.isin(subjects, list(here))
            lacking = min(PEOPLE, count) - len(here)
            may = new if new.any() and lacking >= count - len(chosen) else free
            value = np.where(may, RELEVANCE * scores - (1 - RELEVANCE) * likest, -np.inf)
            best = int(value.argmax())
            chosen.append(best)
            free[best] = False
            like = (self._texts @ self._texts[best] + weighted_cosine(self._units[best], self._units, weight)) / 2
            likest = np.maximum(likest, like)
        return chosen


def _asked(plan: Plan) -> str:
    return f"{plan.label}: {caption(sorted(plan.strengths))}."


def weighted_cosine(one: np.ndarray, others: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The cosine [N] of strengths [A] and strengths [N, A] whose units count by weight [A]; 0 where either has none."""
    lengths = np.sqrt((weight * one**2).sum() * (weight * others**2).sum(-1))
    return np.asarray((weight * one * others).sum(-1) / np.where(lengths > 0, lengths, 1.0))


class Bm25:
    """How well texts answer a query by the words they share, rare ones counting more (Robertson & Zaragoza 2009)."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._counts = [Counter(_terms(text)) for text in texts]
        self._lengths = np.array([sum(count.values()) for count in self._counts], dtype=float)
        self._holding = Counter(term for count in self._counts for term in count)

    def __call__(self, query: str) -> np.ndarray:
        """The score [N] of each text; each different word of the query counts once."""
        found = np.zeros(len(self._counts))
        size = 1 - _B + _B * self._lengths / max(float(self._lengths.mean()) if len(found) else 1.0, 1e-9)
        for term in dict.fromkeys(_terms(query)):
            holding = self._holding[term]
            rare = math.log(1 + (len(found) - holding + 0.5) / (holding + 0.5))
            often = np.array([count[term] for count in self._counts], dtype=float)
            found += rare * often * (_K1 + 1) / (often + _K1 * size)
        return found


def _terms(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
