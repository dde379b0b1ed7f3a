"""DuSE assembled: frozen towers, prompts in both, and an aggregator of class-text knowledge.

Cognition-Inspired Dual-Stream Semantic Enhancement for Vision-Based Dynamic Emotion Modeling
(arXiv 2604.12777). Written from the paper; no public code was found. See README.md beside this file
for what is our reading of a gap. B clips, T frames, C classes, M prompted layers, n prompt tokens,
N heads, d joint dimension.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica.clips import ClipBatch
from mimica.encoders.towers import TextTower, VisionTower, freeze
from mimica.errors import UsageError
from mimica.labels import LabelSpace
from mimica.recognition.duse.aggregator import Aggregated, Aggregator
from mimica.recognition.duse.prompts import PromptCluster, prompted_layers, timed


@dataclass(frozen=True, slots=True, kw_only=True)
class DuseConfig:
    """The choices of DuSE: prompted layers, prompt tokens a layer, heads of the aggregator, share of what was seen."""

    depth: str | int = "normal"
    tokens: int = 4
    heads: int = 4
    attention_heads: int = 8
    beta: float = 0.7
    time_scale: float = 0.02
    semantic_scale: float = 10.0

    def facts(self) -> dict[str, Any]:
        """The choices as a checkpoint's JSON states them."""
        return asdict(self)


class Duse(nn.Module):
    """A video recogniser: clips in, logits over the label space out.

    It is built with a text tower to be trained. `freeze` folds all that does not depend on the video
    into constants and lets the text tower go; only then, or with `constants` from a checkpoint, can it
    do without one.
    """

    log_scale: Tensor

    def __init__(
        self,
        vision: VisionTower,
        text: TextTower | None,
        space: LabelSpace,
        config: DuseConfig | None = None,
        *,
        log_scale: float,
        layers: int | None = None,
    ) -> None:
        super().__init__()
        self.config, self.space = config or DuseConfig(), space
        if text is None and layers is None:
            raise UsageError("a DuSE without a text tower needs the number of prompted layers that its constants have")
        self.vision, self.text = vision, text
        if isinstance(vision, nn.Module):
            freeze(vision)
        if isinstance(text, nn.Module):
            freeze(text)
        self.prompts: PromptCluster | None = None
        if text is not None:
            layers = prompted_layers(self.config.depth, vision_layers=vision.layers, text_layers=text.layers)
            self.prompts = PromptCluster(
                layers=layers, tokens=self.config.tokens, text_width=text.width, vision_width=vision.width,
                time_scale=self.config.time_scale,
            )  # fmt: skip
        self.aggregator = Aggregator(
            dim=vision.dim, heads=self.config.heads, attention_heads=self.config.attention_heads,
            beta=self.config.beta, scale=self.config.semantic_scale,
        )  # fmt: skip
        self.register_buffer("log_scale", torch.tensor(log_scale), persistent=False)
        self.constants: nn.ParameterDict | None = None
        if text is None:
            self.constants = _constants(
                vision_prompts=torch.zeros(layers or 0, self.config.tokens, vision.width),
                time_scale=torch.zeros(()),
                class_features=torch.zeros(len(space), vision.dim),
            )

    def train(self, mode: bool = True) -> Duse:
        """Training concerns prompts and aggregator only: the towers stay in evaluation mode."""
        super().train(mode)
        for tower in (self.vision, self.text):
            if isinstance(tower, nn.Module):
                tower.eval()
        return self

    def class_features(self) -> Tensor:
        """F_T [C, d]: each class's name and description through the text tower and its prompts (eqs. 2, 3)."""
        if self.constants is not None:
            return torch.as_tensor(self.constants["class_features"])
        assert self.text is not None
        assert self.prompts is not None
        texts = [described[0] for described in self.space.descriptions]
        return self.text(texts, self.prompts.text_prompts())

    def frame_features(self, batch: ClipBatch) -> Tensor:
        """F_V [B, T, d]: every valid frame through the vision tower and its prompts (eqs. 4-6); zero elsewhere."""
        if self.constants is not None:
            prompts, time_scale = self.constants["vision_prompts"], self.constants["time_scale"]
        else:
            assert self.prompts is not None
            prompts, time_scale = self.prompts.vision_prompts(), self.prompts.time_scale
        frame = torch.arange(batch.valid.shape[1], device=batch.valid.device).expand_as(batch.valid)[batch.valid]
        features = self.vision(batch.face[batch.valid], timed(prompts, time_scale, frame))
        out = features.new_zeros(*batch.valid.shape, features.shape[-1])
        out[batch.valid] = features
        return out

    def aggregate(self, batch: ClipBatch, class_features: Tensor) -> Aggregated:
        """What the aggregator makes of a batch, with the weights it gave to frames and classes."""
        maps = self.aggregator.class_maps(class_features)
        aggregated: Aggregated = self.aggregator(self.frame_features(batch), batch.valid, maps)
        return aggregated

    def forward(self, batch: ClipBatch) -> Tensor:
        """Logits [B, C]: exp(scale) times the cosine of V_g and each class text (eq. 1), in fp32."""
        classes = self.class_features()
        feature = self.aggregate(batch, classes).feature
        cosine = F.normalize(feature.float(), dim=-1) @ F.normalize(classes.float(), dim=-1).T
        logits: Tensor = self.log_scale.exp() * cosine
        return logits

    def folded(self) -> dict[str, Tensor]:
        """What does not depend on the video: `vision_prompts` [M, n, d_V], `time_scale`, `class_features` [C, d]."""
        if self.constants is not None:
            return dict(self.constants.items())
        assert self.prompts is not None
        with torch.no_grad():
            return {
                "vision_prompts": self.prompts.vision_prompts(),
                "time_scale": self.prompts.time_scale,
                "class_features": self.class_features(),
            }

    def freeze(self) -> Duse:
        """The same recogniser with prompts and class texts folded into constants and no text tower."""
        if self.constants is None:
            self.constants = _constants(**self.folded())
            self.text = self.prompts = None
        freeze(self)
        return self

    def learned(self) -> dict[str, Tensor]:
        """What a checkpoint holds: prompts, coupling and aggregator, or constants and aggregator when frozen."""
        parts = ("prompts.", "aggregator.", "constants.")
        return {name: t for name, t in self.state_dict().items() if name.startswith(parts)}


def _constants(**tensors: Tensor) -> nn.ParameterDict:
    return nn.ParameterDict({k: nn.Parameter(t.detach().clone(), requires_grad=False) for k, t in tensors.items()})
