"""OUS assembled: a frozen tower on faces and scenes, and what is learned to understand both together.

OUS: Bridging Scene Context and Facial Features to Overcome the Rigid Cognitive Problem (arXiv 2405.18769). See
README.md beside this file for what is our reading of a gap. B clips, T frames, C classes, K first layers of the
vision tower, D its width, M prompt tokens, d joint dimension.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica.checkpoint import fill
from mimica.clips import ClipBatch
from mimica.encoders.towers import OnTowers, TextTower, VisionTower, freeze, spread
from mimica.errors import InputError, UsageError, unknown
from mimica.labels import LabelSpace
from mimica.recognition import weighed
from mimica.recognition.model import NO_SCENE, Agreed
from mimica.recognition.ous.config import FIRST_LAYERS, OusConfig
from mimica.recognition.ous.fusion import Fusion, Mean, refuse_heads
from mimica.recognition.ous.losses import polarity_loss, scene_contrast, similarity_loss
from mimica.recognition.ous.polarity import POLARITIES, TAKES, PolarityEncoder
from mimica.recognition.ous.streams import Align, EarlyFusion, FramesEncoder, mean_over_time

STAGES = {
    "faces": "V_f, the vision tower's features of the faces [B, T, d]",
    "scenes": "V_s, those of the scenes [B, T, d]",
    "texts": "the class texts' features [C, d]",
    "early_faces": "V_f', faces after the early fusion [B, T, d]",
    "early_scenes": "V_s', scenes after it [B, T, d]",
    "encoder": "the mean of V_f over the frames, what the vision encoder saw [B, d]",
    "frames_encoder": "what the frames encoder makes of V_f' [B, d]",
    "face": "V_ft, the same aligned [B, d]",
    "scene": "V_st, the mean of V_s' aligned [B, d]",
    "polarity": "V_pol, the polarity of the scene [B, d]",
    "polarity_logits": "negative, neutral, positive [B, 3]",
    "aligned": "the mean of V_ft and V_st, what the losses drew together [B, d]",
    "feature": "what the fusion encoder makes of all, and the logits are made of [B, d]",
    "face_logits": "what the face alone says [B, C]",
    "scene_logits": "what the scene alone says [B, C]",
    "fused_logits": "what both say, fused [B, C]",
    "logits": "the same, leaning on the face alone, before calibration [B, C]",
}
"""The stages at which features can be taken out, by name."""

CLUSTERED = ("encoder", "frames_encoder", "aligned", "feature")
"""The stages whose clustering the paper's figure shows, in its order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """What the frozen tower saw of clips: all that OUS needs of them.

    `faces` and `scenes` [B, T, d] are features, `early` [B, T, K, D] what was taken of the scenes' tokens after the
    first layers, None without a polarity encoder. `valid` [B, T] is a prefix: a clip's frames stand at its beginning.
    """

    faces: Tensor
    scenes: Tensor
    valid: Tensor
    early: Tensor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """All that OUS makes of clips, step by step; STAGES says what each is."""

    early_faces: Tensor
    early_scenes: Tensor
    frames_encoder: Tensor
    face: Tensor
    scene: Tensor
    polarity: Tensor | None
    polarity_logits: Tensor | None
    feature: Tensor


class Ous(OnTowers):
    """A video recogniser that reads the scene beside the face: clips of both in, logits over the label space out.

    It is built with a text tower to be trained. `freeze` folds the class texts into constants and lets the text
    tower go. All that is learned computes in full precision, whatever its towers do.
    """

    architecture = "ous"
    texts: Tensor | None
    polarity_of: Tensor | None
    reached: Tensor
    carried: tuple[str, ...] = ()
    """Buffers that change from step to step and belong to the state of a run."""

    def __init__(
        self,
        vision: VisionTower,
        text: TextTower | None,
        space: LabelSpace,
        config: OusConfig | None = None,
        *,
        log_scale: float,
    ) -> None:
        super().__init__()
        self.config = config = config or OusConfig()
        self.vision, self.text, self.space, self.log_scale = vision, text, space, log_scale
        self.freeze_towers()
        d = vision.dim
        refuse_heads(config, d)
        self.layers = tuple(range(1, min(FIRST_LAYERS, vision.layers) + 1))
        self.context = None if text is None else nn.Parameter(torch.randn(1, config.prompt, text.width) * 0.02)
        self.early = EarlyFusion(config, dim=d)
        self.frames_encoder = FramesEncoder(config, dim=d)
        self.align_scene = Align(config, dim=d) if config.align != "none" else nn.Identity()
        both = config.align != "none" and config.aligned == "both"
        self.align_face = Align(config, dim=d) if both else nn.Identity()
        self.polarity = (
            PolarityEncoder(config, layers=len(self.layers), width=vision.width, dim=d)
            if config.polarity == "on" else None
        )  # fmt: skip
        self.fusion = Fusion(config, dim=d) if config.fusion == "on" else Mean()
        self.register_buffer("texts", torch.zeros(len(space), d) if text is None else None)
        polar = None if text is None else _polarity_of(space, config)
        self.register_buffer("polarity_of", polar, persistent=False)
        if config.alpha_average:
            self.carried = ("reached",)
            self.register_buffer("reached", torch.tensor(math.nan), persistent=False)

    @property
    def hides_face(self) -> bool:
        """Whether the face is black in the scenes that it learned from (`scene_mask_face`)."""
        return self.config.scene_mask_face

    def class_features(self) -> Tensor:
        """Class texts [C, d]: the shared prompt before each class, through the text tower (eq. 11)."""
        if self.texts is not None:
            return self.texts
        assert self.text is not None
        assert self.context is not None
        said: list[Sequence[str]] = [described[:1] for described in self.space.descriptions]
        if self.config.texts == "name":
            said = [(name,) for name in self.space.names]
        elif self.config.texts == "mean":
            said = list(self.space.descriptions)
        # Like CoOp's, these tokens are part of the sentence, through every layer.
        found = self.text([one for of in said for one in of], [self.context], after="carry")
        return torch.stack([part.mean(0) for part in torch.split(found, [len(of) for of in said])])

    def encode(self, batch: ClipBatch | Encoded) -> Encoded:
        """What the tower sees of a batch (eq. 12); what was encoded before is given back as it is.

        Raises InputError for clips without scenes.
        """
        if isinstance(batch, Encoded):
            return batch
        if batch.scene is None:
            raise InputError(NO_SCENE)
        valid = torch.arange(batch.valid.shape[1], device=batch.valid.device) < batch.valid.sum(1, keepdim=True)
        faces, scenes = batch.face[batch.valid], batch.scene[batch.valid]
        if len(faces) == 0:  # not every tower can look at no picture at all
            return self._nothing(valid)
        frames = {**self.of_faces(faces), **self.of_scenes(scenes)}
        return Encoded(valid=valid, **{name: _at(of, valid) for name, of in frames.items()})

    def of_faces(self, pictures: Tensor) -> dict[str, Tensor]:
        """What the tower sees of faces [N, 3, S, S], each by itself: their features, `faces` [N, d]."""
        with torch.no_grad():  # nothing below what is learned
            return {"faces": self.vision(pictures)}

    def of_scenes(self, pictures: Tensor) -> dict[str, Tensor]:
        """The same of scenes, `scenes` [N, d], and `early` [N, K, D] where there is a polarity encoder."""
        with torch.no_grad():
            if self.polarity is None:
                return {"scenes": self.vision(pictures)}
            take = TAKES[self.config.polarity_tokens]
            features, taken = self.vision.with_layers(pictures, layers=self.layers, take=take)
            return {"scenes": features, "early": torch.stack([taken[layer] for layer in self.layers], 1)}

    def understand(self, seen: Encoded) -> Understood:
        """What is made of clips that were encoded, now or long ago, step by step."""
        with _whole(seen.faces):
            faces, scenes = self.early(seen.faces, seen.scenes)
            moved, face, scene = self._both(faces, scenes, seen.valid)
            polarity, logits, tokens = None, None, [face, scene]
            if self.polarity is not None:
                assert seen.early is not None
                polarity, logits = self.polarity(seen.early, seen.valid)
                tokens = [polarity, face, scene]
            return Understood(
                early_faces=faces, early_scenes=scenes, frames_encoder=moved, face=face, scene=scene,
                polarity=polarity, polarity_logits=logits, feature=self.fusion(torch.stack(tokens, 1)),
            )  # fmt: skip

    def forward(self, batch: ClipBatch | Encoded) -> Tensor:
        """Logits [B, C] in full precision, of face and scene together."""
        found, texts = self.understand(self.encode(batch)), self.class_features()
        return self._leaning(self._logits(found.feature, texts), self._logits(found.face, texts))

    def views(self, batch: ClipBatch | Encoded) -> dict[str, Tensor]:
        """Logits [B, C] of the face alone, of the scene alone and of both, as `face`, `scene` and `both`."""
        return self._views(self.encode(batch))

    def views_of(self, frames: Mapping[str, Tensor], valid: Tensor) -> dict[str, Tensor]:
        """The same of clips whose frames were encoded before, by name [B, T, ...]; `valid` [B, T] is a prefix."""
        return self._views(Encoded(valid=valid, **{name: of.float() for name, of in frames.items()}))

    def taught(
        self,
        batch: ClipBatch | Encoded,
        labels: Tensor,
        *,
        shift: Tensor,
        agreed: Agreed = lambda value: value,
        weight: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The loss of a batch for its labels [B] and what it is made of (eqs. 1-4); `shift` [C] is added to logits.

        Labels may be shares [B, C] of the classes, and each clip may count by a `weight` [B].
        `agreed` gives a number's mean over all processes, by which all of them take the same side of alpha.
        """
        config, seen = self.config, self.encode(batch)
        found, texts = self.understand(seen), self.class_features()
        logits = self._logits(found.feature, texts)
        loss = weighed.cross_entropy(logits + shift, labels, weight)
        told = {"contrast": loss, "accuracy": weighed.accuracy(logits, labels)}
        if config.losses == "global":
            told["similarity"] = self._similarity(seen, found, weight)
            whole = loss + told["similarity"]
            if found.polarity_logits is not None:
                assert self.polarity_of is not None
                told["polarity"] = polarity_loss(found.polarity_logits, _polarities(self.polarity_of, labels), weight)
                whole = whole + told["polarity"]
            above = self._reached(agreed(whole.detach())) > config.alpha
            told["above_alpha"] = above.float()
            loss = whole if above else loss
        if config.alone:
            for view, said in self._alone(seen, found, texts).items():
                told[f"{view}_alone"] = weighed.cross_entropy(said + shift, labels, weight)
                loss = loss + config.alone * told[f"{view}_alone"]
        if config.infonce:
            apart = config.infonce_temperature
            told["infonce"] = scene_contrast(found.face, found.scene, temperature=apart, weight=weight)
            loss = loss + config.infonce * told["infonce"]
        return {"loss": loss, **told}

    def features(self, batch: ClipBatch | Encoded, stages: Sequence[str]) -> dict[str, Tensor]:
        """What a batch is at the stages asked for; STAGES names them all, with their shapes.

        Raises UsageError for an unknown stage, or one that this network does not have.
        """
        seen, texts = self.encode(batch), self.class_features()
        found = self.understand(seen)
        alone, fused = self._alone(seen, found, texts), self._logits(found.feature, texts)
        taken = {
            "faces": seen.faces, "scenes": seen.scenes, "texts": texts,
            "encoder": mean_over_time(seen.faces, seen.valid), "aligned": (found.face + found.scene) / 2,
            **{name: getattr(found, name) for name in Understood.__slots__},
            **{f"{view}_logits": said for view, said in alone.items()},
            "fused_logits": fused, "logits": self._leaning(fused, alone["face"]),
        }  # fmt: skip
        for stage in stages:
            if taken.get(stage) is None:
                raise unknown("stage", stage, [name for name in STAGES if taken.get(name) is not None])
        return {stage: taken[stage] for stage in stages}

    def freeze(self) -> Ous:
        """The same with the class texts folded into constants and no text tower."""
        with torch.no_grad():
            self.texts = self.class_features().detach().clone()
        self.text = self.context = None
        freeze(self)
        return self

    def learned(self) -> dict[str, Tensor]:
        """What training changes: all but the towers; the class texts when frozen."""
        return {name: t for name, t in self.state_dict().items() if not name.startswith(("vision.", "text."))}

    def saved(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What a checkpoint holds of it: what was learned, the texts it folds to, and the facts to build it anew."""
        with torch.no_grad():
            tensors = self.learned() | {"texts": self.class_features()}
        return tensors, {"config": self.config.facts(), "log_scale": self.log_scale}

    @classmethod
    def restored(
        cls, vision: VisionTower, space: LabelSpace, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], where: str
    ) -> Ous:
        """A frozen one of what `saved` gave. Raises CheckpointError where tensors are missing or do not fit."""
        config = OusConfig.from_facts(facts["config"])
        found = cls(vision, None, space, config, log_scale=facts["log_scale"]).freeze()
        # The prompt is for training on; reading needs only the texts that it folds to.
        fill(found, {name: t for name, t in tensors.items() if name != "context"}, where, leave="vision")
        return found

    def _views(self, seen: Encoded) -> dict[str, Tensor]:
        found, texts = self.understand(seen), self.class_features()
        alone = self._alone(seen, found, texts)
        return {**alone, "both": self._leaning(self._logits(found.feature, texts), alone["face"])}

    def _leaning(self, fused: Tensor, face: Tensor) -> Tensor:
        """Logits of both, with so much of the face alone in them as was chosen.

        Not where it learns: what is fused would make up for it.
        """
        return fused.lerp(face, self.config.lean)

    def _nothing(self, valid: Tensor) -> Encoded:
        """What is seen of clips without a single frame."""
        none = valid.new_zeros(*valid.shape, self.vision.dim, dtype=torch.float32)
        taken = 2 if self.config.polarity_tokens == "both" else 1
        early = none.new_zeros(*valid.shape, len(self.layers), taken * self.vision.width)
        return Encoded(faces=none, scenes=none, valid=valid, early=early if self.polarity is not None else None)

    def _both(self, faces: Tensor, scenes: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of V_f' and V_s': what the frames encoder gives, V_ft and V_st."""
        moved = self.frames_encoder(faces, valid)
        return moved, self.align_face(moved), self.align_scene(mean_over_time(scenes, valid))

    def _similarity(self, seen: Encoded, found: Understood, weight: Tensor | None) -> Tensor:
        face, scene = found.face, found.scene
        if self.config.route_losses:
            with _whole(seen.faces):
                _, face, scene = self._both(found.early_faces.detach(), found.early_scenes.detach(), seen.valid)
        return similarity_loss(face, scene, literal=self.config.similarity == "literal", weight=weight)

    def _alone(self, seen: Encoded, found: Understood, texts: Tensor) -> dict[str, Tensor]:
        """Logits of each view alone. Where the early fusion told the scene of the face, it is fused again without."""
        scene = found.scene
        if self.config.early == "type":
            with _whole(seen.faces):
                scene = self.align_scene(mean_over_time(self.early.alone(seen.scenes), seen.valid))
        return {"face": self._logits(found.face, texts), "scene": self._logits(scene, texts)}

    def _reached(self, value: Tensor) -> Tensor:
        """What is held against alpha: a batch's sum of the losses, or the running mean of it."""
        decay = self.config.alpha_average
        if not decay:
            return value
        with torch.no_grad():
            before = value if self.reached.isnan() else self.reached
            self.reached.copy_(decay * before + (1 - decay) * value)
        return self.reached

    def _logits(self, feature: Tensor, texts: Tensor) -> Tensor:
        with _whole(feature):
            cosine = F.normalize(feature.float(), dim=-1) @ F.normalize(texts.float(), dim=-1).T
            return cosine * math.exp(self.log_scale)


def _polarities(of: Tensor, labels: Tensor) -> Tensor:
    """The polarity [B] of labels [B] by that of each class [C]; of shares [B, C] the share of each polarity [B, 3]."""
    return of[labels] if labels.ndim == 1 else labels @ F.one_hot(of, len(POLARITIES)).to(labels.dtype)


def _polarity_of(space: LabelSpace, config: OusConfig) -> Tensor | None:
    """The polarity of each class [C] as the polarity logits number it, where a loss asks for it."""
    if config.polarity == "none" or config.losses == "contrast":
        return None
    if not space.polarity:
        raise UsageError(
            f"OUS learns the polarity of scenes from that of labels, and the label space '{space.name}' states none; "
            'give "polarity" in its label_space.json, -1, 0 or 1 for each class, or set polarity=none'
        )
    return torch.tensor([POLARITIES.index(of) for of in space.polarity])


def _at(features: Tensor, valid: Tensor) -> Tensor:
    return spread(features, valid).float()


def _whole(like: Tensor) -> torch.autocast:
    """Full precision, whatever is asked for outside: what is learned here is small, and half of it would be lost."""
    return torch.autocast(like.device.type, enabled=False)
