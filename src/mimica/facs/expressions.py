"""What classes of expression look like in units, by several sources that do not agree, and which units exclude others.

They describe how posed, full-blown expressions look; real faces show parts of them, and the same units occur without
any of these words applying (`CAVEAT`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

CAVEAT = (
    "Prototypes are priors, never labels: they say how people pose an expression when asked to. Faces of people differ "
    "from them and from each other, actors' too (Le Mau et al. 2021, doi 10.1038/s41467-021-25352-6), and the same "
    "units occur where none of these words applies."
)
"""What is to be said wherever a prototype is shown."""

CORES = MappingProxyType(
    {
        "happiness": (6, 12),
        "sadness": (1, 4, 15),
        "neutral": (),
        "anger": (4, 5, 7, 23),
        "surprise": (1, 2, 5, 26),
        "disgust": (9, 15, 16),
        "fear": (1, 2, 4, 5, 7, 20, 26),
    }
)
"""The units of each class that the actor draws and that captions name: the source `emfacs`.

Encoders and models have been trained on them, so they stay as they are, whatever other sources say.
"""

SOURCES = MappingProxyType(
    {
        "emfacs": "EMFACS-type cores, as printed in Scientific Reports 2024 (doi 10.1038/s41598-024-62902-6, fig. 7) "
        "and for the letters in the encyclopedia article Affective computing",
        "facs-11-1": "Ekman & Friesen 1978, FACS table 11-1, the strongest variant, as quoted by mpr-online, issue 4",
        "du2014": "Du, Tao & Martinez 2014 (doi 10.1073/pnas.1322355111), table 1: units of more than 70 % of 230 "
        "people, and the share of people who show each of the others",
        "emotionet": "Fabian Benitez-Quiroz, Srinivasan & Martinez 2016, EmotioNet (CVPR), table 1",
    }
)
"""Where each prototype was read, by the name that it gives as its source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prototype:
    """What a source says a class looks like: the units of its core, and others with the share of people who show them.

    `letters` holds how strong a unit is where the source says so; `one_side` the units that are seen on one side.
    """

    label: str
    source: str
    core: tuple[int, ...]
    optional: Mapping[int, float] = field(default_factory=dict)
    letters: Mapping[int, str] = field(default_factory=dict)
    one_side: tuple[int, ...] = ()


def _du(label: str, core: str, optional: str = "") -> Prototype:
    """A row of Du's table: `4 15` and `1:60 6:50`, the shares in percent."""
    shares = (one.split(":") for one in optional.split())
    return Prototype(
        label=label, source="du2014", core=tuple(map(int, core.split())),
        optional=MappingProxyType({int(unit): int(share) / 100 for unit, share in shares}),
    )  # fmt: skip


def _plain(source: str, label: str, *core: int, letters: Mapping[int, str] | None = None) -> Prototype:
    return Prototype(label=label, source=source, core=core, letters=MappingProxyType(dict(letters or {})))


PROTOTYPES = (
    *(_plain("emfacs", label, *core, letters={5: "B"} if label == "surprise" else {}) for label, core in CORES.items()),
    Prototype(label="contempt", source="emfacs", core=(12, 14), letters=MappingProxyType({12: "A", 14: "A"}),
              one_side=(12, 14)),
    _plain("facs-11-1", "happiness", 6, 12, 25),
    _plain("facs-11-1", "sadness", 1, 4, 15),
    _plain("facs-11-1", "anger", 4, 5, 7, 24),
    _plain("facs-11-1", "surprise", 1, 2, 5, 26),
    _plain("facs-11-1", "disgust", 4, 10, 17),
    _plain("facs-11-1", "fear", 1, 2, 4, 5, 20, 25),
    _du("happiness", "12 25", "6:51"),
    _du("sadness", "4 15", "1:60 6:50 11:26 17:67"),
    _du("anger", "4 7 24", "10:26 17:52 23:29"),
    _du("surprise", "1 2 25 26", "5:66"),
    _du("disgust", "9 10 17", "4:31 24:26"),
    _du("fear", "1 4 20 25", "2:57 5:63 26:33"),
)  # fmt: skip
"""What each source says of the seven classes and of contempt; only the first has neutral, a face at rest."""

COMPOUNDS = (
    _du("happily surprised", "1 2 12 25", "5:64 26:67"),
    _du("happily disgusted", "10 12 25", "4:32 6:61 9:59"),
    _du("sadly fearful", "1 4 20 25", "2:46 5:24 6:34 15:30"),
    _du("sadly angry", "4 15", "6:26 7:48 11:20 17:50"),
    _du("sadly surprised", "1 4 25 26", "2:27 6:31"),
    _du("sadly disgusted", "4 10", "1:49 6:61 9:20 11:35 15:54 17:47 25:43"),
    _du("fearfully angry", "4 20 25", "5:40 7:39 10:30 11:33"),
    _du("fearfully surprised", "1 2 5 20 25", "4:47 10:35 11:22 26:51"),
    _du("fearfully disgusted", "1 4 10 20 25", "2:64 5:50 6:26 9:28 15:33"),
    _du("angrily surprised", "4 25 26", "5:35 7:50 10:34"),
    _du("angrily disgusted", "4 10 17", "7:60 9:57 24:36"),
    _du("disgustedly surprised", "1 2 5 10", "4:45 9:37 17:66 24:33"),
    _du("appalled", "4 10", "6:25 9:56 17:67 24:36"),
    _du("hatred", "4 10", "7:57 9:27 17:63 24:37"),
    _du("awed", "1 2 5 25", "4:21 20:62 26:56"),
    _plain("emotionet", "happily sad", 4, 6, 12, 25),
    _plain("emotionet", "happily fearful", 1, 2, 12, 25, 26),
)
"""Expressions of two classes at once, or of none of the seven. EmotioNet counts 9 to appalled and 7 to hatred."""

PRIOR_CORES = MappingProxyType(
    {
        "happiness": (6, 12),
        "sadness": (1, 4, 15),
        "neutral": (),
        "anger": (4, 5, 7, 23),
        "surprise": (1, 2, 5, 26),
        "disgust": (9, 10, 17),
        "fear": (1, 2, 4, 5, 20, 25),
        "contempt": (12, 14),
    }
)
"""The units that a plan begins from where there are no clips: our choice among `PROTOTYPES`, all of whose other units
are optional. Disgust and fear follow Du and table 11-1, in which two of three sources agree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Antagonists:
    """Units that do not go together: all of `these` above a strength, and any of `those` above it.

    `but` are the classes in whose prototypes they do.
    """

    these: tuple[int, ...]
    those: tuple[int, ...]
    above: float = 0.0
    but: tuple[str, ...] = ()

    def clash(self, strengths: Mapping[int, float], label: str = "") -> bool:
        """Whether a face with these strengths would need both."""
        if label in self.but:
            return False
        return all(strengths.get(unit, 0.0) > self.above for unit in self.these) and any(
            strengths.get(unit, 0.0) > self.above for unit in self.those
        )


ANTAGONISTS = (
    Antagonists(these=(12,), those=(15,), above=0.4),
    Antagonists(these=(24,), those=(25, 26, 27)),
    Antagonists(these=(1, 2), those=(4,), above=0.5, but=("fear", "sadness", "awed", "fearfully surprised",
                                                         "fearfully disgusted", "disgustedly surprised",
                                                         "sadly fearful", "sadly surprised")),
    Antagonists(these=(5,), those=(43,)),
)  # fmt: skip
"""Which units exclude which. Lips cannot be pressed and apart, nor eyes wide and shut; a strong 12 and 15 pull the same
corners up and down; brows that are all raised and lowered at once are those of fear and sadness and of compounds that
Du saw with both."""


def prototypes(label: str) -> tuple[Prototype, ...]:
    """What every source says of a class or compound expression; none where no source knows it.

    >>> [one.core for one in prototypes("disgust")]
    [(9, 15, 16), (4, 10, 17), (9, 10, 17)]
    """
    return tuple(one for one in PROTOTYPES + COMPOUNDS if one.label == label)
