"""Every choice that DuSE leaves or that we make otherwise than it is printed, by name, and the presets of them.

An option says where in the paper (arXiv 2604.12777) it comes from and what is printed there, so that
a run can tell in which points it is literal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mimica.encoders.towers import After, Place
from mimica.errors import UsageError
from mimica.recognition.options import Options, choice

DEPTHS = {"shallow": 0.0, "normal": 1 / 3, "deep": 2 / 3}
"""The paper's words for how many layers take prompts, as a share of the encoder's (III-B)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DuseConfig(Options):
    """The choices of DuSE; as they stand here, the preset `duse`. Raises UsageError for an unknown one."""

    of: ClassVar[str] = "DuSE"
    paper: ClassVar[str] = "arXiv 2604.12777"

    htpc: str = choice("on", "on", "coop", "none", where="III-B, table III", paper="on")
    """Prompts in both towers, learned tokens before the text alone (CoOp, arXiv 2109.01134), or none."""
    depth: str | int = choice(
        "normal", *DEPTHS, "a number of layers", where="III-B, table IV", paper="normal", or_number=True
    )
    """How many layers take prompts: shallow (1), normal (a third), deep (two thirds), or a number."""
    tokens: int = choice(4, where="IV-A2", paper=4)
    """Prompt tokens a layer, n."""
    text_place: Place = choice("start", "start", "end", where="eqs. 2, 3", paper="end")  # noqa: RUF009 - it makes a field
    """Behind the start token, or behind the end token, where a causal tower cannot see them."""
    after_depth: After = choice("drop", "drop", "carry", where="eqs. 3, 5", paper="drop")  # noqa: RUF009 - it makes a field
    """What becomes of the prompts' places beyond the last prompted layer."""
    coupling: str = choice("mlp", "linear_relu", "linear", "mlp", where="eq. 6", paper="linear_relu")
    """The map from text prompts to vision prompts."""
    frame_pe: str = choice("none", "sinusoid", "none", where="III-B", paper="sinusoid")
    """What tells the first layer's vision prompts which frame they are in."""
    pe_scale: float = choice(0.02, where="III-B", paper=1.0)
    """What the sinusoid is multiplied by."""
    pe_learned: bool = choice(True, True, False, where="III-B", paper=False)
    """Whether that factor is learned from there."""
    texts: str = choice("first", "first", "mean", where="IV-A2", paper="first")
    """A class's first description, or the mean of the features of all of them."""
    lsea: str = choice("on", "on", "mean", where="III-C, table III", paper="on")
    """The aggregator, or the plain mean of the frames."""
    attention: str = choice("stable", "stable", "literal", where="eqs. 9, 10", paper="literal")
    """Over time: with a norm before and a residual around that starts as nothing, or bare as printed."""
    projections: str = choice("qkv", "qkv", "none", where="eqs. 9, 10", paper="none")
    """Learned maps of query, key and value, or the features themselves."""
    attention_heads: int = choice(8, where="eq. 9")
    """Heads of the attention over time."""
    order: str = choice("sinusoid", "sinusoid", "none", where="III-C", paper="none")
    """What tells the attention over time which frame is which."""
    score: str = choice("linear", "linear", "mlp", where="eq. 11")
    """The learned scoring function of a frame: one layer, or two with a tanh between."""
    heads: int = choice(4, where="IV-A2, table V", paper=4)
    """Heads of the aggregator, N."""
    head_maps: str = choice("shared", "shared", "separate", where="III-C", paper="shared")
    """One map to heads for video and texts, or one for each."""
    normalize_inputs: bool = choice(True, True, False, where="eq. 13", paper=False)
    """Whether video and texts are brought to unit length before the head maps."""
    similarity: str = choice("cosine", "cosine", "dot", where="eq. 12", paper="dot")
    """How alike a clip and a class text are, before the softmax."""
    semantic_scale: float = choice(10.0, where="eq. 12", paper=1.0)
    """What that likeness is multiplied by."""
    semantic_learned: bool = choice(True, True, False, where="eq. 12", paper=False)
    """Whether that factor is learned from there."""
    beta: float = choice(0.7, where="IV-A2, table V", paper=0.7)
    """The share of what was seen against what the classes mean."""
    residual: str = choice("mapped", "mapped", "original", where="eq. 13", paper="mapped")
    """What was seen, in that mix: through the head's map, or as it was before."""
    logits: str = choice("cosine", "cosine", "learnable", "raw_dot", where="eq. 1", paper="raw_dot")
    """Cosines times the encoder's own scale, times a scale learned from there, or bare dot products."""

    def check(self) -> None:
        """Raise UsageError for numbers out of range."""
        self.at_least(1, "tokens", "attention_heads", "heads")
        if not 0 <= self.beta <= 1:
            raise UsageError(f"beta of DuSE is a share from 0 to 1, got {self.beta}")


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
