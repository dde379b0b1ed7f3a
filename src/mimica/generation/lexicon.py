"""Which words speak of which units: a parser from English to Action Units, the same for the same text.

It reads a clause at a time, takes the most specific phrase first, and passes over what is negated. Phrases that may
mean one unit or another, such as an open mouth, mean what the plan has of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache

from mimica.facs import EVERY_UNIT

CLASS_WORDS = {
    "happiness": r"happ(?:y|ily|iness)|joy\w*|cheer(?:y|ful\w*)|amus\w+",
    "sadness": r"sad\w*|sorrow\w*|grie[fv]\w*|unhappy",
    "anger": r"ang(?:er|ry|rily)|furious\w*|rage|enraged",
    "surprise": r"surpris\w*|astonish\w*|amaze\w*",
    "disgust": r"disgust\w*|revolt(?:ed|ing)|repuls\w*",
    "fear": r"fear\w*|afraid|scared|terrif\w*|frighten\w*|panic\w*",
    "contempt": r"contempt\w*|disdain\w*",
}
"""Words that name a class, by the class. Neutral is none of them: scenes and subjects may be called so."""

DEMOGRAPHIC = re.compile(
    r"\b(?:(?:wo)?m[ae]n|fe?males?|males?|boys?|girls?|lad(?:y|ies)|gentlem[ae]n|guys?|he|she|his|hers?|him|himself|"
    r"herself|masculine|feminine|child(?:ren|ish)?|kids?|bab(?:y|ies)|teen\w*|youth\w*|young\w*|elder\w*|senior|aged|"
    r"adults?|middle-aged|old(?:er)?|\w+-year-old|asian|african|caucasian|european|hispanic|latin[oax]|arab\w*|indian|"
    r"black|brown|dark|fair|pale|white)(?:-skinned)?(?=\s+(?:person|face|skin|complexion|subject|individual)\b)"
    r"|\b(?:(?:wo)?m[ae]n|fe?males?|boys?|girls?|lad(?:y|ies)|gentlem[ae]n|guys?|he|she|his|hers?|him|himself|herself|"
    r"child(?:ren)?|kids?|bab(?:y|ies)|teenager?s?|adults?|elderly|youthful|middle-aged|\w+-year-old|asian|african|"
    r"caucasian|hispanic|latin[oax]|ethnic\w*|race|racial|gender)\b",
    re.IGNORECASE,
)
"""Words that say of which age, race or gender someone is; a prompt has none of them."""

_CLAUSE = re.compile(r"[.;:,!?()\n]|\b(?:and|but|while|yet|then|as|with)\b", re.IGNORECASE)
_NOT = re.compile(r"\b(?:no|not|never|without|neither|nor|cannot|\w+n't|stop(?:s|ped)?|free of)\b", re.IGNORECASE)

_UP = r"(?:rais\w*|lift\w*|elevat\w*|arch\w*|rise\w*|rising|up(?:wards?)?)"
_DOWN = r"(?:lower\w*|down(?:wards?)?|sink\w*|droop\w*|drop\w*|sag\w*|fall\w*|depress\w*)"
_BROWS, _LIPS, _LIDS = r"(?:eye)?brows?", r"lips?", r"(?:eye)?lids?"
_CORNERS = r"(?:(?:lip|mouth) corners?|corners? of (?:the |his |her |its )?(?:lips?|mouth))"
_TOGETHER = r"(?:together|furrow\w*|knit\w*|pinch\w*|contract\w*)"

_PHRASES: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    (rf"inner-outer (?:\w+ ){{0,3}}{_BROWS}", _UP, (1, 2)),
    (rf"inner (?:\w+ ){{0,3}}{_BROWS}", _UP, (1,)),
    (rf"outer (?:\w+ ){{0,3}}{_BROWS}", _UP, (2,)),
    (_BROWS, rf"(?:{_DOWN}|{_TOGETHER})", (4,)),
    (_BROWS, _UP, (1, 2)),
    (rf"upper {_LIDS}", _UP, (5,)),
    (rf"(?:eyes?|{_LIDS})", r"(?:closed?|closes|closing|shut)", (43,)),
    (r"eyes?", r"(?:wide\w*|bulg\w*)", (5,)),
    (r"one eye", r"wink\w*", (46,)),
    (r"(?:eyes?|lids?)", r"blink\w*", (45,)),
    (r"air", r"cheeks?", (33,)),
    (r"cheeks?", r"puff\w*", (34,)),
    (r"cheeks?", r"suck\w*", (35,)),
    (r"tongue", r"bulg\w*", (36,)),
    (r"tongue", r"wip\w*", (37,)),
    (r"tongue", r"(?:show\w*|out)", (19,)),
    (r"nasolabial|folds? from nose to cheek", r"deep\w*", (11,)),
    (_CORNERS, r"sharply", (13,)),
    (_CORNERS, r"dimpl\w*", (14,)),
    (_CORNERS, rf"(?:{_DOWN}|turned down)", (15,)),
    (_CORNERS, _UP, (12,)),
    (r"cheeks?", rf"(?:{_UP}|bunch\w*|push\w*)", (6,)),
    (_LIDS, r"(?:tight\w*|tens\w*|narrow\w*|hard\w*)", (7,)),
    (r"nose", r"(?:wrinkl\w*|scrunch\w*|crinkl\w*)", (9,)),
    (r"nostrils?", r"(?:flar\w*|dilat\w*|widen\w*)", (38,)),
    (r"nostrils?", r"(?:narrow\w*|compress\w*)", (39,)),
    (r"upper lip", rf"(?:{_UP}|curl\w*)", (10,)),
    (r"lower lip", rf"(?:{_DOWN}|pulled down)", (16,)),
    (r"chin(?: boss)?", rf"(?:{_UP}|push\w*|pucker\w*|wrinkl\w*|bunch\w*)", (17,)),
    (_LIPS, r"toward each other", (8,)),
    (_LIPS, r"pucker\w*", (18,)),
    (_LIPS, r"funnel\w*", (22,)),
    (_LIPS, r"suck\w*", (28,)),
    (_LIPS, r"(?:bite|bites|biting|bitten)", (32,)),
    (r"(?:mouth|lips?)", r"stretch\w* (?:\w+ )?open", (27,)),
    (r"(?:mouth|lips?)", r"(?:stretch\w*|pulled sideways|pulled back)", (20,)),
    (_LIPS, r"(?:press\w*|clamp\w*)", (24,)),
    (_LIPS, r"(?:tight\w*|thinn\w*|narrow\w*)", (23,)),
    (_LIPS, r"(?:part(?:s|ed|ing)?|apart|separat\w*)", (25,)),
    (r"jaw", r"(?:thrust\w*|forward)", (29,)),
    (r"jaw", r"(?:sideways|to one side)", (30,)),
    (r"jaw", r"clench\w*", (31,)),
    (r"jaw", rf"(?:{_DOWN}|hang\w*|open\w*|slack\w*)", (26,)),
    (r"neck", r"(?:tight\w*|cords)", (21,)),
)
"""A thing of the face, what it does, and the units that this is; the specific before the general."""

_WORDS: tuple[tuple[str, tuple[int, ...]], ...] = (
    (r"wide-eyed", (5,)),
    (r"crow's feet", (6,)),
    (r"winks?|winking", (46,)),
    (r"blinks?|blinking", (45,)),
    (r"smil(?:e|es|ed|ing)|grin\w*", (12,)),
    (r"scowl\w*", (4,)),
    (r"dimpl(?:es|ed|ing)|dimple", (14,)),
    (r"pout\w*", (18,)),
    (r"down-?turned (?:mouth|lips?)", (15,)),
)
"""Words that mean units by themselves."""

_EITHER: tuple[tuple[str, tuple[int, ...]], ...] = (
    (r"mouth(?:\W+\w+){0,3}?\W+slightly open|slightly open(?:ed)? mouth", (25, 26)),
    (r"mouth(?:\W+\w+){0,3}?\W+(?:opens?|opened|opening|agape|gap(?:es|ing))|open(?:ed)? mouth", (26, 25, 27)),
    (r"eyes?(?:\W+\w+){0,3}?\W+(?:narrow\w*|squint\w*)(?! by)|(?:narrow\w*|squint\w*) eyes?|squint\w*", (7, 6)),
    (r"frown\w*", (4, 15)),
    (r"sneer\w*", (10, 9)),
)
"""Phrases that may mean one unit or another: those that are planned, or the first."""


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], tuple[int, ...], bool], ...]:
    """Every pattern with its units, and whether it means only some of them."""
    names = [(re.escape(unit.name), (unit.number,), False) for unit in EVERY_UNIT.values()]
    gap = r"(?:[\s-]+[\w'-]+){0,5}?[\s-]+"
    both = [(rf"(?:{noun}){gap}{does}|{does}{gap}(?:{noun})", units, False) for noun, does, units in _PHRASES]
    words = [(word, units, False) for word, units in _WORDS]
    either = [(phrase, units, True) for phrase, units in _EITHER]
    listed = [*names, *words, *both, *either]
    return tuple((re.compile(rf"\b(?:{text})\b", re.IGNORECASE), units, open_) for text, units, open_ in listed)


def units_in(text: str, *, planned: Collection[int] = ()) -> frozenset[int]:
    """The units that a text says are there, by their FACS numbers.

    >>> sorted(units_in("The inner corners of the brows rise, and the lips do not part."))
    [1]
    >>> sorted(units_in("the mouth opens")), sorted(units_in("the mouth opens", planned={25}))
    ([26], [25])
    """
    return frozenset(unit for clause in _clauses(text) for unit in _in_clause(clause, planned))


def _clauses(text: str) -> Iterator[str]:
    joined = re.sub(r"\binner and outer\b", "inner-outer", text, flags=re.IGNORECASE)
    yield from (clause for part in _CLAUSE.split(joined) if (clause := part.strip()))


def _in_clause(clause: str, planned: Collection[int]) -> Iterator[int]:
    for pattern, units, either in _patterns():
        while found := pattern.search(clause):
            if not _NOT.search(clause[: found.end()]):
                meant = [unit for unit in units if unit in planned] or units[:1] if either else units
                yield from meant
            clause = clause[: found.start()] + "·" * len(found.group()) + clause[found.end() :]


def other_classes(text: str, label: str) -> list[str]:
    """The words of a text that name a class other than this one.

    >>> other_classes("an angry face, surprised", "anger")
    ['surprised']
    """
    patterns = [words for name, words in CLASS_WORDS.items() if name != label]
    found = re.findall(rf"\b(?:{'|'.join(patterns)})\b", text, re.IGNORECASE)
    return [word for word in found if word.lower() not in label.lower().split()]


def demographics(text: str) -> list[str]:
    """The words of a text that say of which age, race or gender someone is.

    >>> demographics("an elderly man before a white wall")
    ['elderly', 'man']
    """
    return [found.group() for found in DEMOGRAPHIC.finditer(text)]
