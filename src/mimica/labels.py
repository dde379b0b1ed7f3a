"""Label spaces: the class names, what each looks like in words, and its polarity.

Every data set maps its own words and numbers to a label space once, in its adapter; nothing
else in the package knows a class by a bare integer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from mimica.errors import UsageError, unknown


@dataclass(frozen=True, kw_only=True)
class LabelSpace:
    """An ordered list of classes. The order is the order of every logit and probability.

    `descriptions` holds one or more sentences a class, in the same order: the class texts that
    a recogniser with a text tower reads. `polarity` is -1, 0 or 1 a class. `aliases` maps other
    words for a class to its name.
    """

    name: str
    names: tuple[str, ...]
    descriptions: tuple[tuple[str, ...], ...]
    polarity: tuple[int, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len({name.lower() for name in self.names}) != len(self.names) or len(self.names) < 2:
            raise UsageError(f"label space '{self.name}' needs two or more distinct class names, got {self.names}")
        if len(self.descriptions) != len(self.names) or not all(self.descriptions):
            raise UsageError(f"label space '{self.name}' needs at least one description for each of {self.names}")
        if self.polarity and len(self.polarity) != len(self.names):
            raise UsageError(f"label space '{self.name}' has {len(self.polarity)} polarities for {self.names}")
        for name in self.aliases.values():
            if name not in self.names:
                raise unknown("label", name, self.names)

    def __len__(self) -> int:
        return len(self.names)

    def only(self, names: Sequence[str]) -> Self:
        """Some of the classes, in the order in which they are named; other words for them stay. Raises UsageError.

        >>> EXPRESSIONS.only(["fear", "joy"]).names
        ('fear', 'happiness')
        """
        places = [self.index(name) for name in names]
        kept = tuple(self.names[i] for i in places)
        return type(self)(
            name=self.name if kept == self.names else f"some of {self.name}",
            names=kept,
            descriptions=tuple(self.descriptions[i] for i in places),
            polarity=tuple(self.polarity[i] for i in places) if self.polarity else (),
            aliases={word: name for word, name in self.aliases.items() if name in kept},
        )

    @classmethod
    def of_words(cls, words: Sequence[str]) -> Self:
        """The label space of classes that are given as `NAME=description`, or as a bare name that describes itself.

        >>> LabelSpace.of_words(["happiness=a broad smile", "boredom"]).descriptions
        (('a broad smile',), ('a face that shows boredom',))
        """
        parts = [tuple(text.strip() for text in word.partition("=")[::2]) for word in words]
        names = tuple(name for name, _ in parts)
        return cls(
            name="own",
            names=names,
            descriptions=tuple((said or f"a face that shows {name}",) for name, said in parts),
            aliases={word: name for word, name in EXPRESSIONS.aliases.items() if name in names and word not in names},
        )

    @cached_property
    def _index(self) -> dict[str, int]:
        index = {name.lower(): i for i, name in enumerate(self.names)}
        return index | {alias.lower(): index[name.lower()] for alias, name in self.aliases.items()}

    def index(self, label: str) -> int:
        """The place of a class, by its name or one of its aliases, in any case.

        >>> EXPRESSIONS.index("happy"), EXPRESSIONS.index("Sadness")
        (0, 1)
        """
        try:
            return self._index[label.strip().lower()]
        except KeyError:
            raise unknown("label", label, self.names) from None

    def __contains__(self, label: str) -> bool:
        """Whether a word is the name of a class or one of its aliases, in any case.

        >>> "happy" in EXPRESSIONS, "boredom" in EXPRESSIONS
        (True, False)
        """
        return label.strip().lower() in self._index

    def facts(self) -> dict[str, Any]:
        """The label space as JSON, for checkpoints and for a file beside data; see `from_facts`."""
        stated = {
            "name": self.name, "names": self.names, "descriptions": self.descriptions, "polarity": self.polarity,
        }  # fmt: skip
        assumed = _known_aliases(self.names)
        return stated if self.aliases == assumed else {**stated, "aliases": dict(self.aliases)}

    @classmethod
    def from_facts(cls, stated: Mapping[str, Any]) -> Self:
        """The label space that JSON states: `names`, and as many `descriptions`, each a sentence or a list of them.

        `name`, `polarity` and `aliases` may be left out. Raises UsageError that says what is wrong.

        >>> LabelSpace.from_facts({"names": ["calm", "tense"], "descriptions": ["at rest", "taut"]}).index("tense")
        1
        """
        try:
            names, described = _texts(stated["names"]), stated["descriptions"]
            if not isinstance(described, list | tuple):
                raise TypeError
            descriptions = tuple(_texts([d] if isinstance(d, str) else d) for d in described)
            polarity = tuple(int(p) for p in stated.get("polarity", ()))
            aliases = {str(word): str(name) for word, name in stated.get("aliases", _known_aliases(names)).items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            raise UsageError(
                "a label space is stated as JSON with the lists 'names' and 'descriptions', a sentence or a list of "
                "sentences for each name, and perhaps 'name', 'polarity' (-1, 0 or 1 each) and 'aliases'"
            ) from None
        name = str(stated.get("name", "own"))
        return cls(name=name, names=names, descriptions=descriptions, polarity=polarity, aliases=aliases)


def _texts(stated: Any) -> tuple[str, ...]:
    if not isinstance(stated, list | tuple) or not all(isinstance(text, str) and text.strip() for text in stated):
        raise TypeError
    return tuple(stated)


def _known_aliases(names: tuple[str, ...]) -> Mapping[str, str]:
    """Other words for the classes of `EXPRESSIONS`, which nobody needs to state again."""
    return EXPRESSIONS.aliases if names == EXPRESSIONS.names else {}


EXPRESSIONS = LabelSpace(
    name="expressions",
    names=("happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear"),
    polarity=(1, -1, 0, -1, 0, -1, -1),
    aliases={
        "happy": "happiness",
        "joy": "happiness",
        "hap": "happiness",
        "sad": "sadness",
        "neu": "neutral",
        "calm": "neutral",
        "angry": "anger",
        "ang": "anger",
        "surprised": "surprise",
        "sur": "surprise",
        "disgusted": "disgust",
        "dis": "disgust",
        "fearful": "fear",
        "afraid": "fear",
        "fea": "fear",
    },
    descriptions=(
        (
            "happiness: the corners of the lips turn up, the cheeks rise and fine lines gather beside the eyes",
            "a smiling, happy face with raised cheeks and often bared upper teeth",
            "a face that looks joyful, its mouth widening into a smile or a laugh",
        ),
        (
            "sadness: the inner brows rise and draw together, the eyelids droop and the corners of the lips sink",
            "a sad face with a downturned mouth and a heavy, lowered gaze",
            "a face that looks close to tears, its chin puckered and its brows slanted upward in the middle",
        ),
        (
            "neutral: the face is at rest, the brows level, the lips closed without tension",
            "a calm face with no visible expression",
            "a face that shows nothing in particular, its muscles relaxed and its gaze even",
        ),
        (
            "anger: the brows are pulled down and together, the eyes glare and the lips are pressed tight",
            "an angry face with a furrowed brow and a tense or squared, shouting mouth",
            "a face that looks furious, its eyelids hard and its jaw set",
        ),
        (
            "surprise: the brows arch high, the eyes open wide and the jaw drops",
            "a surprised face with raised brows and a round open mouth",
            "a face that looks astonished, its forehead wrinkled across and its lips slack and apart",
        ),
        (
            "disgust: the nose wrinkles, the upper lip curls and the cheeks push up beneath narrowed eyes",
            "a disgusted face with a wrinkled nose and a raised upper lip",
            "a face that looks repelled, as if it met a foul smell",
        ),
        (
            "fear: the brows are raised and drawn together, the eyes widen and the lips stretch back",
            "a frightened face with wide tense eyes and a mouth pulled open sideways",
            "a face that looks terrified, the white of its eyes showing above the iris",
        ),
    ),
)
"""The seven classes of apparent expression that Mimica reads. Order as DFEW numbers them."""

_FOUR = {
    "contempt": (
        "contempt: one corner of the lips tightens and rises while the rest of the face stays still",
        "a contemptuous face with a crooked half smile and lowered eyelids",
        "a face that looks down on someone, its chin lifted and its mouth drawn to one side",
    ),
    "anxiety": (
        "anxiety: the brows draw together and up, the eyes dart and the lips are pressed or bitten",
        "an anxious face with a strained forehead and a restless gaze",
        "a face that looks worried about what comes next, its jaw tense and its blinking quick",
    ),
    "helplessness": (
        "helplessness: the inner brows lift, the gaze wanders off and the mouth hangs slack or sighs",
        "a helpless face with pleading eyes and lips that part as if to ask for aid",
        "a face that looks at a loss, its head tilted or shaking a little and its features gone limp",
    ),
    "disappointment": (
        "disappointment: the eyelids lower, the lips press together and the corners of the mouth sag",
        "a disappointed face that looks down and away with a pressed, flattened mouth",
        "a face that looks let down, its smile fallen and its breath let out",
    ),
}
_SEVEN = dict(zip(EXPRESSIONS.names, EXPRESSIONS.descriptions, strict=True))
_ELEVEN = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", *_FOUR)

MAFW = LabelSpace(
    name="mafw",
    names=_ELEVEN,
    polarity=(-1, -1, -1, 1, 0, -1, 0, -1, -1, -1, -1),
    aliases={
        **EXPRESSIONS.aliases,
        "contemptuous": "contempt",
        "con": "contempt",
        "anxious": "anxiety",
        "anx": "anxiety",
        "helpless": "helplessness",
        "hel": "helplessness",
        "disappointed": "disappointment",
        "disap": "disappointment",
    },
    descriptions=tuple((_SEVEN | _FOUR)[name] for name in _ELEVEN),
)
"""The eleven classes of MAFW, in the order in which it numbers them from 1."""

ORDERS: Mapping[str, tuple[str, ...]] = {
    "dfew": EXPRESSIONS.names,
    "alphabetical": tuple(sorted(EXPRESSIONS.names)),
    "mafw": MAFW.names,
    "mafw-happiness-first": (*EXPRESSIONS.names, *_FOUR),
}
"""The orders in which lists of clips number their classes, by name, from 0: no number means a class without one.

Lists of FERV39k are about in the first two, lists of MAFW in the last two.
"""


def ordered(order: str) -> LabelSpace:
    """The label space whose classes an order numbers. Raises UsageError for an order that is none of `ORDERS`.

    >>> ORDERS["alphabetical"][3], ordered("alphabetical").name
    ('happiness', 'expressions')
    """
    if order not in ORDERS:
        raise unknown("order of classes", order, ORDERS)
    return next(space for space in (EXPRESSIONS, MAFW) if set(space.names) == set(ORDERS[order]))
