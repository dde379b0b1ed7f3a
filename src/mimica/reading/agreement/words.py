"""What the words of a coder mean: the classes that they stand for, or none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from shlex import quote

from mimica.clips import STATUSES
from mimica.errors import InputError, UsageError, unknown
from mimica.labels import EXPRESSIONS, LabelSpace
from mimica.reading.agreement.tables import rows_of

_SHOWN = 8
"""How many words without a class are named in a message."""

Meanings = Mapping[str, str]
"""By word, in small letters, the class that it stands for; empty where it is to be left out."""


def meanings(given: Sequence[str]) -> Meanings:
    """The meanings that `word=class` tells, `word=` for none; or a table of two columns, word and class.

    Raises UsageError for what is neither.
    """
    found: dict[str, str] = {}
    for each in given:
        word, equals, label = each.rpartition("=")
        if equals:
            found[_small(word)] = label.strip()
        elif Path(each).is_file():
            found |= _table(Path(each))
        else:
            raise UsageError(f"--labels takes word=class or a file of two columns, word and class; {each} is neither")
    return found


def space_of(labels: Sequence[str], words: Iterable[str], meant: Meanings) -> LabelSpace:
    """The label space that coders are compared in: that of readings, by their `labels`, if there are any.

    Without readings it is the seven expressions if every word is one of them, by whatever name, and otherwise
    the words themselves. Raises InputError where these are fewer than two.
    """
    if labels:
        return _space(labels)
    said: dict[str, str] = {}
    for word in words:
        label = meant.get(_small(word), word.strip())
        said.setdefault(_small(label), label)
    own = [label for small, label in said.items() if small and small not in STATUSES]
    if all(word in EXPRESSIONS for word in own):
        return EXPRESSIONS
    if len(own) < 2:
        what = f"nothing but {own[0]}" if own else "nothing"
        raise InputError(f"the coders say {what}; agreement is about two classes or more")
    return _space(own)


def classes(words: Iterable[str], space: LabelSpace, meant: Meanings, where: str) -> dict[str, int]:
    """The place of its class for each word that has one. Left out are empty words, statuses, and what is meant as none.

    Raises UsageError for a meaning that is no class, InputError for words that have none: one sentence with how
    often each occurs and which class is nearest. `where` is the file, for the message.
    """
    for label in meant.values():
        if label and label not in space:
            raise unknown("class in --labels", label, space.names)
    counted = Counter(words)
    found, strange = {}, {}
    for word, number in counted.items():
        label = meant.get(_small(word), word.strip())
        if label in space:
            found[word] = space.index(label)
        elif label and label not in STATUSES:
            strange[word] = number
    if strange:
        raise InputError(f"{where}: {_listed(strange, space)}")
    return found


def _listed(strange: Mapping[str, int], space: LabelSpace) -> str:
    ranked = sorted(strange, key=lambda word: -strange[word])
    near = {word: _nearest(word, space) for word in ranked[:_SHOWN]}
    told = [
        f"'{word}' ({strange[word]} times{f', nearest is {label}' if label else ''})" for word, label in near.items()
    ]
    more = f" and {len(ranked) - len(near)} more words" if len(ranked) > len(near) else ""
    mend = " ".join(quote(f"{word}={label or 'CLASS'}") for word, label in near.items())
    return (
        f"no class is called {', '.join(told)}{more}; classes are {', '.join(space.names)}; say what words mean, such "
        f"as --labels {mend}, or {quote(ranked[0] + '=')} to leave that word out"
    )


def _nearest(word: str, space: LabelSpace) -> str:
    known = {name.lower(): name for name in space.names}
    called = {alias: known[name] for alias, name in {**EXPRESSIONS.aliases, **space.aliases}.items() if name in known}
    near = get_close_matches(_small(word), list(known | called), n=1)
    return (known | called)[near[0]] if near else ""


def _space(names: Sequence[str]) -> LabelSpace:
    return LabelSpace.from_facts({"names": list(names), "descriptions": list(names)})


def _small(word: str) -> str:
    return word.strip().lower()


def _table(file: Path) -> dict[str, str]:
    rows = rows_of(file)
    for number, row in rows:
        if len(row) != 2:
            raise InputError(f"{file}, row {number}: it has {len(row)} columns, not two, a word and its class")
    header = rows and [_small(cell) for cell in rows[0][1]] == ["word", "label"]
    return {_small(word): label.strip() for _, (word, label) in rows[bool(header) :]}
