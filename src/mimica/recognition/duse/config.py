"""Every choice that DuSE leaves or that we make otherwise than it is printed, by name, and the presets of them.

An option says where in the paper (arXiv 2604.12777) it comes from and what is printed there, so that
a run can tell in which points it is literal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from math import isfinite
from typing import Any, Literal

from mimica.encoders.towers import After, Place
from mimica.errors import UsageError, unknown

DEPTHS = {"shallow": 0.0, "normal": 1 / 3, "deep": 2 / 3}
"""The paper's words for how many layers take prompts, as a share of the encoder's (III-B)."""


def _choice(value: Any, *choices: Any, where: str, paper: Any = None) -> Any:
    """A field with its choices (none: any number), its place in the paper and what is printed there (None: nothing)."""
    return field(default=value, metadata={"choices": choices, "where": where, "paper": paper})


@dataclass(frozen=True, slots=True, kw_only=True)
class DuseConfig:
    """The choices of DuSE; as they stand here, the preset `duse`. Raises UsageError for an unknown one."""

    htpc: str = _choice("on", "on", "coop", "none", where="III-B, table III", paper="on")
    """Prompts in both towers, learned tokens before the text alone (CoOp, arXiv 2109.01134), or none."""
    depth: str | int = _choice("normal", *DEPTHS, "a number of layers", where="III-B, table IV", paper="normal")
    """How many layers take prompts: shallow (1), normal (a third), deep (two thirds), or a number."""
    tokens: int = _choice(4, where="IV-A2", paper=4)
    """Prompt tokens a layer, n."""
    text_place: Place = _choice("start", "start", "end", where="eqs. 2, 3", paper="end")  # noqa: RUF009 - it makes a field
    """Behind the start token, or behind the end token, where a causal tower cannot see them."""
    after_depth: After = _choice("drop", "drop", "carry", where="eqs. 3, 5", paper="drop")  # noqa: RUF009 - it makes a field
    """What becomes of the prompts' places beyond the last prompted layer."""
    coupling: str = _choice("mlp", "linear_relu", "linear", "mlp", where="eq. 6", paper="linear_relu")
    """The map from text prompts to vision prompts."""
    frame_pe: str = _choice("none", "sinusoid", "none", where="III-B", paper="sinusoid")
    """What tells the first layer's vision prompts which frame they are in."""
    pe_scale: float = _choice(0.02, where="III-B", paper=1.0)
    """What the sinusoid is multiplied by."""
    pe_learned: bool = _choice(True, True, False, where="III-B", paper=False)
    """Whether that factor is learned from there."""
    texts: str = _choice("first", "first", "mean", where="IV-A2", paper="first")
    """A class's first description, or the mean of the features of all of them."""
    lsea: str = _choice("on", "on", "mean", where="III-C, table III", paper="on")
    """The aggregator, or the plain mean of the frames."""
    attention: str = _choice("stable", "stable", "literal", where="eqs. 9, 10", paper="literal")
    """Over time: with a norm before and a residual around that starts as nothing, or bare as printed."""
    projections: str = _choice("qkv", "qkv", "none", where="eqs. 9, 10", paper="none")
    """Learned maps of query, key and value, or the features themselves."""
    attention_heads: int = _choice(8, where="eq. 9")
    """Heads of the attention over time."""
    order: str = _choice("sinusoid", "sinusoid", "none", where="III-C", paper="none")
    """What tells the attention over time which frame is which."""
    score: str = _choice("linear", "linear", "mlp", where="eq. 11")
    """The learned scoring function of a frame: one layer, or two with a tanh between."""
    heads: int = _choice(4, where="IV-A2, table V", paper=4)
    """Heads of the aggregator, N."""
    head_maps: str = _choice("shared", "shared", "separate", where="III-C", paper="shared")
    """One map to heads for video and texts, or one for each."""
    normalize_inputs: bool = _choice(True, True, False, where="eq. 13", paper=False)
    """Whether video and texts are brought to unit length before the head maps."""
    similarity: str = _choice("cosine", "cosine", "dot", where="eq. 12", paper="dot")
    """How alike a clip and a class text are, before the softmax."""
    semantic_scale: float = _choice(10.0, where="eq. 12", paper=1.0)
    """What that likeness is multiplied by."""
    semantic_learned: bool = _choice(True, True, False, where="eq. 12", paper=False)
    """Whether that factor is learned from there."""
    beta: float = _choice(0.7, where="IV-A2, table V", paper=0.7)
    """The share of what was seen against what the classes mean."""
    residual: str = _choice("mapped", "mapped", "original", where="eq. 13", paper="mapped")
    """What was seen, in that mix: through the head's map, or as it was before."""
    logits: str = _choice("cosine", "cosine", "learnable", "raw_dot", where="eq. 1", paper="raw_dot")
    """Cosines times the encoder's own scale, times a scale learned from there, or bare dot products."""

    def __post_init__(self) -> None:
        for option in fields(self):
            value, choices = getattr(self, option.name), option.metadata["choices"]
            known = isinstance(value, int) or value in DEPTHS if option.name == "depth" else value in choices
            if choices and not known:
                raise unknown(f"{option.name} of DuSE", str(value), [str(c) for c in choices])
            kind = type(option.default)
            if not isinstance(value, (kind, int) if kind is float or option.name == "depth" else kind):
                raise UsageError(f"{option.name} of DuSE is such as {option.default!r}, got {value!r}")
        for name in ("tokens", "attention_heads", "heads"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} of DuSE is 1 or more, got {getattr(self, name)}")
        for name in ("pe_scale", "semantic_scale"):
            if not isfinite(getattr(self, name)):
                raise UsageError(f"{name} of DuSE is a finite number, got {getattr(self, name)}")
        if not 0 <= self.beta <= 1:
            raise UsageError(f"beta of DuSE is a share from 0 to 1, got {self.beta}")

    def facts(self) -> dict[str, Any]:
        """The choices as a checkpoint's JSON states them."""
        return asdict(self)

    @classmethod
    def from_facts(cls, stated: Mapping[str, Any]) -> DuseConfig:
        """The choices that a checkpoint's JSON states. Raises UsageError for one that DuSE does not have."""
        return replace(cls(), **_known(stated))

    def changed(self, settings: Sequence[str]) -> DuseConfig:
        """The same with some options set otherwise, each as `name=value`. Raises UsageError.

        >>> DuseConfig().changed(["beta=0.5", "coupling=linear"]).beta
        0.5
        """
        pairs = dict(setting.partition("=")[::2] for setting in settings)
        return replace(self, **{name: _value(name, said) for name, said in _known(pairs).items()})

    def options(self) -> list[Option]:
        """Each option as it is set, beside what is printed in the paper."""
        return [
            Option(
                name=f.name, value=getattr(self, f.name), choices=f.metadata["choices"], where=f.metadata["where"],
                paper=f.metadata["paper"],
            )
            for f in fields(self)
        ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One choice: its value, what could be chosen, where the paper speaks of it and what it prints, if anything."""

    name: str
    value: str | int | float | bool
    choices: tuple[Any, ...]
    where: str
    paper: Any

    @property
    def literal(self) -> Literal["yes", "no", "not stated"]:
        """Whether the value is what the paper prints."""
        if self.paper is None:
            return "not stated"
        return "yes" if self.value == self.paper else "no"


def _known(stated: Mapping[str, Any]) -> Mapping[str, Any]:
    names = [option.name for option in fields(DuseConfig)]
    for name in stated:
        if name not in names:
            raise unknown("option of DuSE", name, names)
    return stated


def _value(name: str, said: str) -> Any:
    """What is meant by the words of the command line, by the kind of the option's default."""
    default = getattr(DuseConfig(), name)
    if isinstance(default, bool):
        if said.lower() not in ("true", "false"):
            raise unknown(f"{name} of DuSE", said, ["true", "false"])
        return said.lower() == "true"
    if name == "depth":
        return int(said) if said.isdecimal() else said
    try:
        return type(default)(said)
    except ValueError:
        raise UsageError(f"{name} of DuSE is a number such as {default}, got '{said}'") from None


def duse() -> DuseConfig:
    """What we recommend: every gap closed so that training starts from the encoder as it is."""
    return DuseConfig()


def duse_paper() -> DuseConfig:
    """The paper as it is printed wherever that can be trained at all.

    Not literal are prompts behind the end token, which no causal tower can see and so never learn, and
    what the paper does not state.
    """
    return DuseConfig(
        coupling="linear_relu", frame_pe="sinusoid", pe_scale=1.0, pe_learned=False, attention="literal",
        projections="none", attention_heads=1, order="none", normalize_inputs=False, similarity="dot",
        semantic_scale=1.0, semantic_learned=False, logits="raw_dot",
    )  # fmt: skip
