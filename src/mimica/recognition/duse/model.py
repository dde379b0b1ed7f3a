"""DuSE assembled: frozen towers, prompts in both, and an aggregator of class-text knowledge.

Cognition-Inspired Dual-Stream Semantic Enhancement for Vision-Based Dynamic Emotion Modeling
(arXiv 2604.12777). Written from the paper; no public code was found. See README.md beside this file
for what is our reading of a gap. B clips, T frames, C classes, M prompted layers, n prompt tokens,
N heads, d joint dimension.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica.checkpoint import fill
from mimica.clips import ClipBatch
from mimica.encoders.towers import OnTowers, Prompts, TextTower, VisionTower, freeze, spread
from mimica.errors import UsageError, unknown
from mimica.labels import LabelSpace
from mimica.recognition.duse.aggregator import Aggregated, Aggregator, Mean
from mimica.recognition.duse.config import DuseConfig
from mimica.recognition.duse.prompts import PromptCluster, prompted_layers, timed
from mimica.recognition.model import Explained

STAGES = {
    "tokens.K": "what leaves layer K of the vision tower, 0 for what enters the first [B, T, 1 + L, D]",
    "frames": "F_V, the vision tower's features [B, T, d]",
    "texts": "F_T, the class texts' features [C, d]",
    "moved": "V_m, frames after attention over time [B, T, d]",
    "frame_weights": "w, how much each frame counts [B, T]",
    "pooled": "V_o, the clip as one feature, as the head maps read it [B, d]",
    "seen": "V~, that feature through each head [B, N, d]",
    "text_maps": "F~, the class texts through each head [N, C, d]",
    "class_weights": "how much each class text counts in each head [B, N, C]",
    "meant": "T~, what the classes mean to the clip, by head [B, N, d]",
    "feature": "V_g, what the logits are made of [B, d]",
    "logits": "before calibration [B, C]",
}
"""The stages at which features can be taken out, by name."""


class Duse(OnTowers):
    """A video recogniser: clips in, logits over the label space out.

    It is built with a text tower to be trained. `freeze` folds all that does not depend on the video
    into constants and lets the text tower go; only then, or with `layers` and constants from a
    checkpoint, can it do without one.
    """

    architecture = "duse"
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
        self.config = config = config or DuseConfig()
        self.space = space
        self.vision, self.text = vision, text
        self.freeze_towers()
        self.prompts = None if text is None else _prompts(config, vision, text)
        self.aggregator = Aggregator(config, dim=vision.dim) if config.lsea == "on" else Mean()
        if config.logits == "learnable" and text is not None:
            self.log_scale = nn.Parameter(torch.tensor(log_scale))
        else:
            self.register_buffer("log_scale", torch.tensor(log_scale), persistent=False)
        self.constants: nn.ParameterDict | None = None
        if text is None:
            if layers is None:
                raise UsageError(
                    "a DuSE without a text tower needs the number of prompted layers that its constants have"
                )
            heads = config.heads if config.lsea == "on" else 0
            self._constants(
                vision_prompts=torch.zeros(layers, config.tokens, vision.width),
                pe_scale=torch.zeros(()),
                texts=torch.zeros(len(space), vision.dim),
                text_maps=torch.zeros(heads, len(space), vision.dim),
            )

    def class_features(self) -> Tensor:
        """F_T [C, d]: each class's name and description through the text tower and its prompts (eqs. 2, 3)."""
        if self.constants is not None:
            return torch.as_tensor(self.constants["texts"])
        assert self.text is not None
        described = [d if self.config.texts == "mean" else d[:1] for d in self.space.descriptions]
        prompts = self.prompts.text_prompts() if self.prompts is not None else []
        found = self.text(
            [sentence for sentences in described for sentence in sentences],
            prompts,
            # CoOp's tokens are part of the sentence, through every layer.
            after="carry" if self.config.htpc == "coop" else self.config.after_depth,
            place=self.config.text_place,
        )
        return torch.stack([part.mean(0) for part in torch.split(found, [len(d) for d in described])])

    def class_maps(self) -> Tensor:
        """F~ [N, C, d]: class texts through every head's map."""
        return self._known()[1]

    def frame_prompts(self, valid: Tensor) -> Prompts:
        """What enters the vision tower with each valid frame of `valid` [B, T], layer by layer (eqs. 4-6)."""
        if self.constants is not None:
            prompts, pe_scale = self.constants["vision_prompts"], self.constants["pe_scale"]
        elif self.prompts is not None:
            prompts, pe_scale = self.prompts.vision_prompts(), self.prompts.pe_scale
        else:
            return []
        if self.config.frame_pe == "none":
            return [prompt[None] for prompt in prompts]
        frame = torch.arange(valid.shape[1], device=valid.device).expand_as(valid)[valid]
        return timed(prompts, pe_scale, frame)

    def frame_features(self, batch: ClipBatch) -> Tensor:
        """F_V [B, T, d]: every valid frame through the vision tower and its prompts (eqs. 4-6); zero elsewhere."""
        faces = batch.face[batch.valid]
        if len(faces) == 0:  # not every tower can look at no picture at all
            return faces.new_zeros(*batch.valid.shape, self.vision.dim)
        features = self.vision(faces, self.frame_prompts(batch.valid), after=self.config.after_depth)
        return spread(features, batch.valid)

    def aggregate(self, batch: ClipBatch, class_maps: Tensor) -> Aggregated:
        """What the aggregator makes of a batch, step by step."""
        aggregated: Aggregated = self.aggregator(self.frame_features(batch), batch.valid, class_maps)
        return aggregated

    def forward(self, batch: ClipBatch) -> Tensor:
        """Logits [B, C] in full precision (eq. 1)."""
        texts, maps = self._known()
        return self._logits(self.aggregate(batch, maps).feature, texts)

    def explained(self, batch: ClipBatch) -> Explained:
        """Logits of a batch with the weights that it gave to frames and to class texts."""
        texts, maps = self._known()
        found = self.aggregate(batch, maps)
        return Explained(logits=self._logits(found.feature, texts), frames=found.frames, classes=found.classes)

    def features(self, batch: ClipBatch, stages: Sequence[str]) -> dict[str, Tensor]:
        """What a batch is at the stages asked for; STAGES names them all, with their shapes.

        `tokens.K` is for a number K of a layer of the vision tower. Raises UsageError for an unknown
        stage, or one that this network does not have.
        """
        texts, maps = self._known()
        frames = self.frame_features(batch)
        found = self.aggregator(frames, batch.valid, maps)
        layers = [int(stage[7:]) for stage in stages if stage.startswith("tokens.") and stage[7:].isdecimal()]
        taken = {
            "frames": frames, "texts": texts, "moved": found.moved, "frame_weights": found.frames,
            "pooled": found.pooled, "seen": found.seen, "text_maps": maps if len(maps) else None,
            "class_weights": found.classes, "meant": found.meant, "feature": found.feature,
            "logits": self._logits(found.feature, texts),
        }  # fmt: skip
        for layer, tokens in (self._tokens(batch, layers) if layers else {}).items():
            taken[f"tokens.{layer}"] = tokens
        for stage in stages:
            if taken.get(stage) is None:
                raise unknown("stage", stage, [name for name in STAGES if taken.get(name, name) is not None])
        return {stage: taken[stage] for stage in stages}

    def folded(self) -> dict[str, Tensor]:
        """What does not depend on the video: `vision_prompts`, `pe_scale`, `texts` [C, d], `text_maps` [N, C, d]."""
        if self.constants is not None:
            return dict(self.constants.items())
        with torch.no_grad():
            texts, maps = self._known()
            none = texts.new_zeros(0, self.config.tokens, self.vision.width)
            return {
                "vision_prompts": none if self.prompts is None else self.prompts.vision_prompts(),
                "pe_scale": none.new_zeros(()) if self.prompts is None else self.prompts.pe_scale,
                "texts": texts,
                "text_maps": maps,
            }

    def for_space(self, space: LabelSpace) -> Duse:
        """The same for other classes, which it knows by their descriptions alone; what was learned goes over as a copy.

        Nothing that is learned belongs to one class: prompts stand before every class text, and the head maps
        map whatever texts there are. Raises UsageError where the text tower is gone.
        """
        if self.text is None:
            raise UsageError("a frozen DuSE has no text tower to read other classes' descriptions with; load it anew")
        other = Duse(self.vision, self.text, space, self.config, log_scale=float(self.log_scale.detach()))
        other.load_state_dict(self.learned(), strict=False)
        return other.train(self.training)

    def freeze(self) -> Duse:
        """The same recogniser with prompts, class texts and their maps folded into constants and no text tower."""
        if self.constants is None:
            self._constants(**self.folded())
            self.text = self.prompts = None
        if isinstance(self.aggregator, Aggregator):
            self.aggregator.text_maps = None
        freeze(self)
        return self

    def learned(self) -> dict[str, Tensor]:
        """What training changes: prompts, coupling and aggregator; constants and aggregator when frozen."""
        parts = ("prompts.", "aggregator.", "constants.", "log_scale")
        return {name: t for name, t in self.state_dict().items() if name.startswith(parts)}

    def saved(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What a checkpoint holds of it: what was learned with what it folds to, and the facts to build it anew."""
        tensors = self.learned() | {f"constants.{name}": t for name, t in self.folded().items()}
        tensors.pop("log_scale", None)
        layers = len(tensors["constants.vision_prompts"])
        return tensors, {"config": self.config.facts(), "layers": layers, "log_scale": float(self.log_scale.detach())}

    @classmethod
    def restored(
        cls,
        vision: VisionTower,
        space: LabelSpace,
        tensors: Mapping[str, Tensor],
        facts: Mapping[str, Any],
        where: str,
        *,
        text: TextTower | None = None,
    ) -> Duse:
        """A frozen one of what `saved` gave; with a text tower, folded anew for whatever label space.

        Raises CheckpointError where tensors are missing or do not fit.
        """
        config = DuseConfig.from_facts(facts["config"])
        if text is not None:
            duse = cls(vision, text, space, config, log_scale=facts["log_scale"])
            wanted = {name: t for name, t in tensors.items() if not name.startswith("constants.")}
            if "log_scale" in duse.state_dict():
                wanted["log_scale"] = torch.tensor(facts["log_scale"])
            fill(duse, wanted, where, leave=("vision", "text"))
            return duse.freeze()
        duse = cls(vision, None, space, config, log_scale=facts["log_scale"], layers=facts["layers"])
        duse.freeze()
        # Prompts and the texts' maps are for training on; reading needs only what they fold to.
        trained = ("prompts.", "aggregator.text_maps.")
        wanted = {name: t for name, t in tensors.items() if not name.startswith(trained)}
        fill(duse, wanted, where, leave="vision")
        return duse

    def _known(self) -> tuple[Tensor, Tensor]:
        """F_T and F~; the text tower runs once for both."""
        texts = self.class_features()
        if self.constants is not None:
            return texts, torch.as_tensor(self.constants["text_maps"])
        return texts, self.aggregator.class_maps(texts)

    def _logits(self, feature: Tensor, texts: Tensor) -> Tensor:
        with torch.autocast(feature.device.type, enabled=False):  # which would have the product in half precision
            feature, texts = feature.float(), texts.float()
            if self.config.logits == "raw_dot":
                return feature @ texts.T
            cosine = F.normalize(feature, dim=-1) @ F.normalize(texts, dim=-1).T
            return self.log_scale.exp() * cosine

    def _tokens(self, batch: ClipBatch, layers: Sequence[int]) -> dict[int, Tensor]:
        prompts = self.frame_prompts(batch.valid)
        after = self.config.after_depth
        found = self.vision.layer_tokens(batch.face[batch.valid], prompts, layers=layers, after=after)
        return {layer: spread(tokens, batch.valid) for layer, tokens in found.items()}

    def _constants(self, **tensors: Tensor) -> None:
        self.constants = nn.ParameterDict(
            {name: nn.Parameter(t.detach().clone(), requires_grad=False) for name, t in tensors.items()}
        )


def _prompts(config: DuseConfig, vision: VisionTower, text: TextTower) -> PromptCluster | None:
    layers = 0 if config.htpc == "none" else 1
    if config.htpc == "on":
        layers = prompted_layers(config.depth, vision_layers=vision.layers, text_layers=text.layers)
    if layers == 0:
        return None
    return PromptCluster(config, layers=layers, text_width=text.width, vision_width=vision.width)
