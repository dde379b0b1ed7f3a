"""A temporal transformer over a frozen encoder's frame features, as DFER-CLIP has one over those it tunes.

Prompting Visual-Language Models for Dynamic Facial Expression Recognition (Zhao and Patras,
arXiv 2308.13382). B clips, T frames, C classes, n context tokens, d joint dimension, D width of the text tower.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica.checkpoint import fill
from mimica.clips import ClipBatch
from mimica.encoders.towers import OnTowers, TextTower, VisionTower, freeze, spread
from mimica.errors import UsageError
from mimica.labels import LabelSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalConfig:
    """The published choices: layers and heads of the transformer, its hidden width as a multiple of d, n, longest T."""

    layers: int = 1
    heads: int = 8
    mlp: int = 2
    tokens: int = 8
    frames: int = 16

    def facts(self) -> dict[str, Any]:
        """The choices as a checkpoint's JSON states them."""
        return asdict(self)


class Temporal(OnTowers):
    """Logits by the cosine of a clip's class token with each class text, times the encoder's own scale.

    A learned class token stands before the frames, learned positions are added, and a pre-norm transformer
    without a last norm follows; what comes out at the class token is the clip. Each class's description has
    context tokens of its own before it, which are learned as CoOp's are.

    Not as published: the vision tower is frozen (there it is tuned at 1e-5), so that only what stands on the
    features is compared; frames are brought to length sqrt(d), so that positions weigh the same on every encoder;
    class token and positions start at a deviation of 0.02 (there 1); the maps of query, key and value have
    biases and d / heads dimensions (there 64, which at d = 512 is the same).
    """

    architecture = "dfer-clip-head"
    texts: Tensor | None

    def __init__(
        self,
        vision: VisionTower,
        text: TextTower | None,
        space: LabelSpace,
        config: TemporalConfig | None = None,
        *,
        log_scale: float,
    ) -> None:
        super().__init__()
        self.config = config = config or TemporalConfig()
        self.vision, self.text, self.space, self.log_scale = vision, text, space, log_scale
        self.freeze_towers()
        d = vision.dim
        if d % config.heads:
            raise UsageError(
                f"heads of the temporal head must divide the encoder's {d} dimensions, got {config.heads}; "
                f"choose from {', '.join(str(h) for h in (1, 2, 4, 8, 16) if d % h == 0)}"
            )
        self.context = None if text is None else nn.Parameter(torch.randn(len(space), config.tokens, text.width) * 0.02)
        self.cls = nn.Parameter(torch.randn(1, 1, d) * 0.02)
        self.position = nn.Parameter(torch.randn(1, 1 + config.frames, d) * 0.02)
        layer = nn.TransformerEncoderLayer(
            d, config.heads, config.mlp * d, dropout=0.0, activation=_gelu, batch_first=True, norm_first=True
        )
        self.over_time = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.register_buffer("texts", torch.zeros(len(space), d) if text is None else None)

    def class_features(self) -> Tensor:
        """Class texts [C, d]: each class's first description behind its own context, through the text tower."""
        if self.texts is not None:
            return self.texts
        assert self.text is not None
        assert self.context is not None
        # Like CoOp's, these tokens are part of the sentence, through every layer.
        return self.text([described[0] for described in self.space.descriptions], [self.context], after="carry")

    def clip_features(self, batch: ClipBatch) -> Tensor:
        """A clip as one feature [B, d]: its class token, transformed. Raises UsageError for too many frames."""
        B, T = batch.valid.shape
        if self.config.frames < T:
            raise UsageError(f"the temporal head has positions for {self.config.frames} frames, and a clip has {T}")
        with torch.no_grad():  # nothing below the transformer learns
            seen = spread(self.vision(batch.face[batch.valid]), batch.valid).float()
        frames = F.normalize(seen, dim=-1) * self.vision.dim**0.5
        tokens = torch.cat([self.cls.expand(B, -1, -1), frames], 1) + self.position[:, : 1 + T]
        absent = torch.cat([batch.valid.new_zeros(B, 1), ~batch.valid], 1)
        clip: Tensor = self.over_time(tokens, src_key_padding_mask=absent)[:, 0]
        return clip

    def forward(self, batch: ClipBatch) -> Tensor:
        """Logits [B, C] in full precision."""
        clip, texts = self.clip_features(batch), self.class_features()
        with torch.autocast(clip.device.type, enabled=False):  # which would have the product in half precision
            cosine = F.normalize(clip.float(), dim=-1) @ F.normalize(texts.float(), dim=-1).T
            return cosine * torch.tensor(self.log_scale).exp()

    def freeze(self) -> Temporal:
        """The same with the class texts folded into constants and no text tower."""
        with torch.no_grad():
            self.texts = self.class_features().detach().clone()
        self.text = self.context = None
        freeze(self)
        return self

    def learned(self) -> dict[str, Tensor]:
        """What training changes: context, class token, positions and transformer; the class texts when frozen."""
        parts = ("context", "cls", "position", "over_time.", "texts")
        return {name: t for name, t in self.state_dict().items() if name.startswith(parts)}

    def saved(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What a checkpoint holds of it: what was learned, the texts it folds to, and the facts to build it anew."""
        with torch.no_grad():
            tensors = self.learned() | {"texts": self.class_features()}
        return tensors, {"config": self.config.facts(), "log_scale": self.log_scale}

    @classmethod
    def restored(
        cls, vision: VisionTower, space: LabelSpace, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], where: str
    ) -> Temporal:
        """A frozen one of what `saved` gave. Raises CheckpointError where tensors are missing or do not fit."""
        try:
            config = TemporalConfig(**facts["config"])
        except TypeError:
            raise UsageError(f"the config {facts['config']} is not that of a temporal head") from None
        temporal = cls(vision, None, space, config, log_scale=facts["log_scale"]).freeze()
        # The context is for training on; reading needs only the texts that it folds to.
        fill(temporal, {name: t for name, t in tensors.items() if name != "context"}, where, leave="vision")
        return temporal


def _gelu(x: Tensor) -> Tensor:
    """The published approximation; as a function of ours, for the library's fused layer would put the exact one in."""
    return F.gelu(x, approximate="tanh")
