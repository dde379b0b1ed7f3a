"""Every choice that OUS leaves or that its public code makes otherwise than the paper, by name, and the presets.

An option says where in the paper (arXiv 2405.18769; both versions print the same equations) it comes from and what is
printed there, so that a run can tell in which points it is literal. README.md beside this file gives the reasons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mimica.errors import UsageError
from mimica.recognition.options import Options, choice

FIRST_LAYERS = 4
"""Layers of the vision tower whose tokens the polarity encoder reads; all of a tower that has no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OusConfig(Options):
    """The choices of OUS; as they stand here, the preset `ous`. Raises UsageError for an unknown one."""

    of: ClassVar[str] = "OUS"
    paper: ClassVar[str] = "arXiv 2405.18769"

    inputs: str = choice("scaled", "scaled", "raw", where="Architecture", paper="raw")
    """Features of frames at length sqrt(d), so that weights mean the same on every encoder, or as they come."""
    early: str = choice("time", "time", "type", "none", where="eq. 13, fig. 3", paper="time")
    """What the early fusion runs along: the frames of each view, or the two views of each frame."""
    cell: str = choice("lstm", "lstm", "rnn", where="eq. 13", paper="rnn")
    """The text says an LSTM, the formula is a plain recurrent cell (here with tanh)."""
    early_residual: bool = choice(True, True, False, where="eq. 13", paper=False)
    """Whether what comes out of it is added to what went in."""
    frames_layers: int = choice(1, where="Architecture")
    """Layers of the frames encoder."""
    frames_heads: int = choice(8, where="Architecture")
    """Heads of its attention."""
    frames: int = choice(16, where="Architecture")
    """For how many frames it has positions."""
    align: str = choice("conv", "conv", "linear", "none", where="Architecture", paper="conv")
    """Before face and scene meet: a convolution along the features and a linear layer, the layer alone, or nothing."""
    aligned: str = choice("both", "both", "scene", where="Architecture", paper="both")
    """Which of the two is aligned."""
    polarity: str = choice("on", "on", "none", where="eq. 1, Architecture", paper="on")
    """The polarity encoder, or none."""
    polarity_tokens: str = choice("patches", "patches", "cls", "both", where="Architecture")
    """Which tokens of the first four layers it reads: the mean of the patches, the class token, or both."""
    fusion: str = choice("on", "on", "mean", where="tables IV, V", paper="on")
    """The fusion encoder, or the plain mean of face and scene."""
    blocks: int = choice(2, where="table III", paper=12)
    """Blocks of the fusion encoder."""
    carry: str = choice("kv", "kv", "query", "literal", where="eqs. 5-10", paper="literal")
    """What goes from block to block: what is attended to, the queries, or what comes out, without a way around."""
    kv: str = choice("joined", "joined", "respective", where="eqs. 5, 15", paper="respective")
    """All tokens are key and value, or the face is key where the scene is value."""
    queries: str | int = choice("tokens", "tokens", "a number of queries", where="eq. 6", or_number=True)
    """How many queries: as many as there are tokens, which all but `carry=query` need, or a number."""
    queries_shared: bool = choice(True, True, False, where="eq. 6", paper=True)
    """Whether all blocks have the same queries."""
    queries_start: str = choice("gaussian", "gaussian", "ones", where="eq. 6", paper="gaussian")
    """What the queries are before they are learned."""
    fusion_heads: int = choice(8, where="eq. 15")
    """Heads of the attention in the fusion encoder."""
    fusion_positions: bool = choice(False, True, False, where="eq. 5", paper=False)
    """Whether learned positions tell the tokens apart before the first block."""
    activation: str = choice("relu", "relu", "quick_gelu", where="eq. 9", paper="relu")
    """Within the perceptrons of the fusion encoder."""
    mlp: int = choice(2, where="eq. 9")
    """The hidden width of perceptrons as a multiple of d, in the frames encoder too."""
    prompt: int = choice(8, where="eq. 11, table VI", paper=64)
    """Learned tokens before the class, M."""
    texts: str = choice("first", "name", "first", "mean", where="eq. 11", paper="name")
    """What stands for a class: its name, its first description, or the mean of the features of all of them."""
    losses: str = choice("global", "global", "contrast", where="eq. 4, tables IV, V", paper="global")
    """All three losses, or the contrastive one alone."""
    similarity: str = choice("per_sample", "per_sample", "literal", where="eq. 2", paper="literal")
    """The cosine of face and scene clip by clip, or that of the whole batch as one vector."""
    alpha: float = choice(1.0, where="eq. 4")
    """Above which sum of the three losses all of them count, and below which the contrastive one alone."""
    alpha_average: float = choice(0.0, where="eq. 4", paper=0.0)
    """The decay of the running mean of that sum that is held against alpha; 0 for that of the batch itself."""
    route_losses: bool = choice(False, True, False, where="Training strategy", paper=True)
    """Whether the similarity loss reaches only the frames encoder, convolutions and linear layers."""
    infonce: float = choice(0.0, where="eq. 3", paper=1.0)
    """How much the printed contrast of each scene with the faces of the batch counts beside that with the texts."""
    infonce_temperature: float = choice(0.07, where="eq. 3")
    """What its likeness is divided by."""
    alone: float = choice(0.5, where="not in the paper", paper=0.0)
    """How much it counts in training what the face alone and the scene alone say; without, neither learns to speak."""
    lean: float = choice(0.7, where="not in the paper", paper=0.0)
    """How much of the logits of both is those of the face alone, where it reads: so much less can a scene mislead."""
    start: str = choice("encoder", "encoder", "random", where="not in the paper")
    """What it is before it learns: the encoder's own mean of face and scene, or whatever was drawn."""
    scene_mask_face: bool = choice(False, True, False, where="Architecture")
    """Whether the face is blacked out of the scene, where the clips were made and wherever it reads."""

    def check(self) -> None:
        """Raise UsageError for numbers out of range and for queries that their block has no room for."""
        self.at_least(1, "frames_layers", "frames_heads", "frames", "blocks", "fusion_heads", "mlp", "prompt")
        self.at_least(0, "alpha", "infonce", "alone")
        if not 0 <= self.lean <= 1:
            raise UsageError(f"lean of OUS is a share from 0 to 1, got {self.lean}")
        if self.lean and not self.alone:
            raise UsageError(
                f"with lean={self.lean:g} OUS leans on what the face alone says, which it does not learn with alone=0; "
                "set lean=0 as well"
            )
        if not 0 <= self.alpha_average < 1:
            raise UsageError(f"alpha_average of OUS is a share from 0 to less than 1, got {self.alpha_average}")
        if not self.infonce_temperature > 0:
            raise UsageError(f"infonce_temperature of OUS is above 0, got {self.infonce_temperature}")
        if self.count < 1 or (self.carry != "query" and self.count != self.tokens):
            raise UsageError(
                f"with carry={self.carry} there are as many queries as tokens, {self.tokens}, got {self.queries}; "
                "set carry=query or leave queries=tokens"
            )

    @property
    def tokens(self) -> int:
        """How many tokens are fused: face, scene and, where it has an encoder, polarity."""
        return 3 if self.polarity == "on" else 2

    @property
    def count(self) -> int:
        """How many queries there are."""
        return self.tokens if isinstance(self.queries, str) else self.queries


def ous() -> OusConfig:
    """What we recommend: small, begun from the encoder as it is, and taught to speak of each view alone."""
    return OusConfig()


def ous_paper() -> OusConfig:
    """The paper as it is printed wherever that is defined and can be trained at all.

    Not literal are the cell, for the text says LSTM throughout; what is carried, for the printed block has no way
    around it and its stack is not defined; face and scene as key and value, where the query has next to nothing to
    choose; the cosine of the batch as one vector; the contrast of scenes with faces in the place of the texts; and
    the gradients, which flow freely.
    """
    return OusConfig(
        inputs="raw", early_residual=False, frames_layers=12, blocks=12, mlp=4, prompt=64, texts="name", alone=0.0,
        lean=0.0, start="random",
    )  # fmt: skip


def ous_repo() -> OusConfig:
    """The graph of the public code (Xinji-Mai/OUS), its mistakes in reading data and measuring not repeated."""
    return OusConfig(
        inputs="raw", early="type", frames_layers=12, align="linear", aligned="scene", polarity="none", blocks=12,
        queries_shared=False, queries_start="ones", fusion_positions=True, activation="quick_gelu", mlp=4, prompt=32,
        texts="name", losses="contrast", alone=0.0, lean=0.0, start="random",
    )  # fmt: skip
