"""Every choice of CIF by name, and the presets: the public code's, what we recommend, and plain nearest neighbours.

K is hyperedges a part, k shots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from math import isfinite
from typing import Any

from mimica.errors import UsageError, unknown


def _choice(value: Any, *choices: Any, least: float | None = None, most: float | None = None, reference: Any) -> Any:
    """A field with its choices (none: a number between `least` and `most`) and what the public code does."""
    return field(
        default=value, metadata={"choices": choices, "least": least, "most": most, "reference": reference}
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CifConfig:
    """The choices of CIF; as they stand here, the preset `default`. Raises UsageError for an unknown one."""

    side: int = _choice(224, least=28, reference=224)
    """Pixels to a side that every view is stretched to."""
    cells: int = _choice(28, least=4, reference=28)
    """Patches to a side, so that a part has N = cells² of them."""
    foreground: str = _choice("plane", "plane", "corners", "all", reference="corners")
    """Where the part is by depth: off a robust plane through the border, off a surface through the four corners, or
    everywhere. A `thing` of the sample's own comes before it."""
    plane_distance: float = _choice(0.003, least=0.0, reference=0.007)
    """How far off that plane or surface the part begins, in metres."""
    fills: int = _choice(3, least=0, reference=3)
    """Rounds in which holes take the mean of their neighbours before the corners are compared."""
    background: str = _choice("scored", "scored", "silenced", reference="silenced")
    """Whether what is not part is remembered as a hyperedge of its own and scored, or has the score 0."""
    background_share: float = _choice(0.25, least=0.0, most=1.0, reference=0.0)
    """The background's share of the bank where it is scored and nodes go by size."""
    silhouette: bool = _choice(True, True, False, reference=False)
    """Whether patches where the shots have the part and this one has none are searched among patches of the part."""
    missing: bool = _choice(True, True, False, reference=False)
    """Whether unmeasured depth counts as a view of its own, by how much there is of it beyond good parts."""
    scaling: str = _choice("none", "spread", "none", reference="none")
    """Whether each channel of the features is divided by its spread over the shots."""

    edges: int = _choice(4, least=1, reference=4)
    """Hyperedges a part, K; the public code has 4 on MVTec 3D-AD and 8 on Eyecandies."""
    membership: float = _choice(0.9, least=0.0, most=1.0, reference=0.9)
    """The scaled similarity from which a patch belongs to a hyperedge."""
    incidence: str = _choice("binary", "binary", "soft", reference="binary")
    """Members count as one each, or as much as their scaled similarity."""
    hard_edge: str = _choice("most_similar", "most_similar", "first", reference="first")
    """The one hyperedge of a patch that has several: the most similar, or the first in number."""
    clusters: str = _choice("joint", "joint", "by_shot", reference="by_shot")
    """Hyperedges of all shots at once, or of each shot and then mapped to the first shot's."""
    shot_order: str = _choice("content", "content", "given", reference="given")
    """Shots in an order of their contents, so that the order they are given in changes nothing, or as given."""

    memory: str = _choice("structure", "structure", "plain", reference="structure")
    """A coreset in every hyperedge, or one over all patches."""
    ratio: float = _choice(0.1, least=0.0, most=1.0, reference=0.1)
    """The bank's share of all patches of the shots, background included."""
    start: str = _choice("middle", "middle", "random_dropped", reference="random_dropped")
    """The coreset's first point: the one nearest to the mean, kept, or a random one that is not kept."""
    quota: str = _choice("coverage", "coverage", "size", "truncated", reference="truncated")
    """Nodes of a hyperedge: as many as cover it as well as the others, by its size, or the public code's rounding by
    size, which may lose one."""

    layers: int = _choice(1, least=0, reference=1)
    """Rounds of message passing, L; 0 leaves features as they are."""
    alpha: float = _choice(0.9, least=0.0, most=1.0, reference=0.9)
    """What a patch keeps of itself."""

    search: str = _choice("hyperedge", "hyperedge", "nearest", reference="hyperedge")
    """Nearest nodes among the most similar hyperedges and in the whole bank, or in the whole bank alone."""
    nearest_edges: int = _choice(3, least=1, reference=3)
    """Hyperedges of the bank that a hyperedge of the part may search."""
    patch_score: str = _choice("geometric", "geometric", "product", reference="product")
    """The geometric mean of both distances, or their product, which is about a distance squared."""

    fusion: str = _choice("norm", "norm", "product", reference="product")
    """Views in units of their good patches, joined by a norm, or multiplied as they are."""
    fusion_power: float = _choice(2.0, least=0.5, reference=1.5)
    """The order of that norm, or the power that the product is raised to."""
    unit: float = _choice(0.995, least=0.5, most=1.0, reference=None)
    """The share of patches of good parts that score below a view's unit."""
    node_units: bool = _choice(True, True, False, reference=False)
    """Whether a patch is judged by what good patches score at the node that it is nearest to."""
    smoothing: str = _choice("gaussian", "gaussian", "boxes", "none", reference="boxes")
    """What smooths the heat map: a Gaussian, or five boxes of 5 and three of 7 pixels with zeros beyond the border."""
    sigma: float = _choice(4.0, least=0.0, reference=None)
    """The Gaussian's deviation in pixels of `side`."""
    image_score: str = _choice("map", "map", "reweighted", reference="reweighted")
    """The heat map's highest mean over an area as large as a patch, or the views' re-weighted maxima multiplied."""
    neighbours: int = _choice(9, least=1, reference=9)
    """Nodes that weigh a re-weighted maximum."""

    false_alarms: float = _choice(0.05, least=0.0, most=1.0, reference=None)
    """The share of good parts that may be called defective."""
    augmentations: int = _choice(4, least=0, reference=0)
    """Altered copies of every shot that the threshold is calibrated with."""
    seed: int = _choice(3407, least=0, reference=3407)
    """Where chance is left, what it begins with."""

    def __post_init__(self) -> None:
        for option in fields(self):
            value, about = getattr(self, option.name), option.metadata
            if about["choices"] and value not in about["choices"]:
                raise unknown(f"{option.name} of CIF", str(value), [str(c) for c in about["choices"]])
            kind = type(option.default)
            if isinstance(value, bool) != (kind is bool) or not isinstance(
                value, (float, int) if kind is float else kind
            ):
                raise UsageError(f"{option.name} of CIF is such as {option.default!r}, got {value!r}")
            _bounded(option.name, value, about["least"], about["most"])
        if self.side % self.cells:
            raise UsageError(f"side of CIF is a multiple of its cells, got {self.side} pixels and {self.cells} cells")

    def facts(self) -> dict[str, Any]:
        """The choices as a bank's JSON states them."""
        return asdict(self)

    @classmethod
    def from_facts(cls, stated: Mapping[str, Any]) -> CifConfig:
        """The choices that a bank's JSON states. Raises UsageError for one that CIF does not have."""
        return cls(**_known(stated))

    def changed(self, settings: Sequence[str]) -> CifConfig:
        """The same with some options set otherwise, each as `name=value`. Raises UsageError.

        >>> CifConfig().changed(["edges=8", "missing=false"]).edges
        8
        """
        pairs = dict(setting.partition("=")[::2] for setting in settings)
        return replace(self, **{name: _value(name, said) for name, said in _known(pairs).items()})

    def options(self) -> list[Option]:
        """Each option as it is set, beside what the public code does."""
        return [
            Option(
                name=f.name, value=getattr(self, f.name), choices=f.metadata["choices"],
                reference=f.metadata["reference"],
            )
            for f in fields(self)
        ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One choice: its value, what could be chosen, and what the public code does (None: it has nothing like it)."""

    name: str
    value: str | int | float | bool
    choices: tuple[Any, ...]
    reference: Any


def default() -> CifConfig:
    """What we recommend: nothing silenced, nothing left to chance or to the order of the shots."""
    return CifConfig()


def reference() -> CifConfig:
    """As the public code runs, where that can be followed without its chance (README, *What stays different*)."""
    stated = {f.name: f.metadata["reference"] for f in fields(CifConfig)}
    return CifConfig(**{name: value for name, value in stated.items() if value is not None})


def nearest() -> CifConfig:
    """The baseline: the same features and as large a bank, but no hyperedges, no messages, the nearest node alone."""
    return replace(default(), memory="plain", layers=0, search="nearest", node_units=False)


PRESETS = {"default": default, "reference": reference, "nearest": nearest}


def preset(name: str, settings: Sequence[str] = ()) -> CifConfig:
    """The preset of that name with some options set otherwise, each as `name=value`. Raises UsageError."""
    if name not in PRESETS:
        raise unknown("preset of CIF", name, PRESETS)
    return PRESETS[name]().changed(settings)


def _bounded(name: str, value: Any, least: float | None, most: float | None) -> None:
    if isinstance(value, float) and not isfinite(value):
        raise UsageError(f"{name} of CIF is a finite number, got {value}")
    if least is not None and value < least:
        raise UsageError(f"{name} of CIF is {least:g} or more, got {value}")
    if most is not None and value > most:
        raise UsageError(f"{name} of CIF is at most {most:g}, got {value}")


def _known(stated: Mapping[str, Any]) -> Mapping[str, Any]:
    names = [option.name for option in fields(CifConfig)]
    for name in stated:
        if name not in names:
            raise unknown("option of CIF", name, names)
    return stated


def _value(name: str, said: str) -> Any:
    """What is meant by the words of the command line, by the kind of the option's default."""
    default = getattr(CifConfig(), name)
    if isinstance(default, bool):
        if said.lower() not in ("true", "false"):
            raise unknown(f"{name} of CIF", said, ["true", "false"])
        return said.lower() == "true"
    try:
        return type(default)(said)
    except ValueError:
        raise UsageError(f"{name} of CIF is a number such as {default}, got '{said}'") from None
