"""A recogniser: from clips of faces to calibrated probabilities of a label space.

B clips, T frames, S side in pixels, C classes, N heads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from mimica.clips import Clip, ClipBatch
from mimica.encoders.towers import VisionTower, pixels
from mimica.errors import InputError
from mimica.labels import LabelSpace
from mimica.metrics.calibration import temperature_at

_CARD = (
    "architecture",
    "encoder",
    "data",
    "calibrated_on",
    "metrics",
    "held_out",
    "limits",
    "licence",
    "date",
    "sha256",
)
"""Which facts of a checkpoint stand on its card, in this order."""

ALONE = ("face", "scene")
"""What a network that reads both can speak of alone."""

NO_SCENE = (
    "this model reads the scene beside each face, and here are faces without a scene, as where they were cropped "
    "before; take a model of faces alone, such as duse-compact"
)
"""What is said of clips without scenes to a network that needs them."""

Agreed = Callable[[Tensor], Tensor]
"""From a number to its mean over all processes that train together."""


class Network(Protocol):
    """The part of a recogniser that has weights: a batch of clips in, logits [B, C] out, before calibration."""

    vision: VisionTower

    def __call__(self, batch: ClipBatch) -> Tensor:
        """Logits [B, C]."""
        ...


class Trainable(Network, Protocol):
    """A network that the loop can train and a checkpoint can hold."""

    architecture: str
    space: LabelSpace

    def parameters(self) -> Iterator[nn.Parameter]:
        """Every weight, those that are learned with `requires_grad`."""
        ...

    def saved(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What a checkpoint holds of it, and the facts to build it anew."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """The logits of a batch with the weights that they came of.

    `logits` [B, C] are those before calibration; `frames` [B, T] the pooling weights, zero where a clip
    has no frame, which sum to 1; `classes` [B, N, C] the semantic weights, each head's sum to 1, or None
    where a model has no semantic attention.
    """

    logits: Tensor
    frames: Tensor
    classes: Tensor | None


@runtime_checkable
class Explains(Protocol):
    """A network that can show what its logits came of."""

    def explained(self, batch: ClipBatch) -> Explained:
        """The logits of a batch with the weights given to its frames and to the class texts."""
        ...


@runtime_checkable
class Staged(Protocol):
    """A network whose features can be taken out by the names of its stages."""

    def features(self, batch: ClipBatch, stages: Sequence[str]) -> dict[str, Tensor]:
        """What a batch is at the stages asked for; `feature` [B, d] is what `logits` [B, C] are made of."""
        ...


@runtime_checkable
class ReadsScene(Protocol):
    """A network that reads the scene beside the face, and can say what each of them shows alone.

    `hides_face` is whether the face is black in the scenes that it learned from.
    """

    @property
    def hides_face(self) -> bool:
        """Whether the face is to be blacked out of a scene before it reads it."""
        ...

    def views(self, batch: ClipBatch) -> dict[str, Tensor]:
        """Logits [B, C] of the face alone, of the scene alone and of both, as `face`, `scene` and `both`."""
        ...


@runtime_checkable
class EncodesFrames(ReadsScene, Protocol):
    """A network that encodes each frame by itself, whatever clip it is in: once is enough for all of its clips."""

    def of_faces(self, pictures: Tensor) -> dict[str, Tensor]:
        """What it sees of faces [N, 3, S, S], by name [N, ...]."""
        ...

    def of_scenes(self, pictures: Tensor) -> dict[str, Tensor]:
        """What it sees of scenes [N, 3, S, S], by other names [N, ...]."""
        ...

    def views_of(self, frames: Mapping[str, Tensor], valid: Tensor) -> dict[str, Tensor]:
        """The `views` of clips by what was seen of their faces and scenes, by name [B, T, ...].

        `valid` [B, T] is a prefix: a clip's frames stand at its beginning.
        """
        ...


@runtime_checkable
class Taught(Protocol):
    """A network whose loss is more than the cross-entropy of its logits."""

    def taught(
        self, batch: ClipBatch, labels: Tensor, *, shift: Tensor, agreed: Agreed, weight: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The `loss` of a batch for its labels [B] or [B, C], its `accuracy`, and further scalars to report.

        Each clip counts by its `weight` [B] (`weighed.cross_entropy`), all alike where there is none.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recogniser:
    """A network with what it takes to trust its output.

    `frames` is how many frames a clip has at most, `window` how many it has unless asked otherwise
    (None: as many); `mirrored` has it read each clip and its mirror image. `temperature` is what the
    logits of faces of quality 1 are divided by, its logarithm larger by `temperature_slope` times what
    others lack of it; `unsure_below` is the confidence below which a reading is called unsure. All
    three were fitted on data that was neither trained nor tested on. `facts` is the model's card as data.
    """

    name: str
    network: Network
    space: LabelSpace
    frames: int
    window: int | None = None
    mirrored: bool = False
    temperature: float = 1.0
    temperature_slope: float = 0.0
    unsure_below: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"

    @property
    def size(self) -> int:
        """The side in pixels of the face view that it reads."""
        return self.network.vision.size

    @property
    def reads_scenes(self) -> bool:
        """Whether it reads the scene beside each face."""
        return isinstance(self.network, ReadsScene)

    @property
    def alone(self) -> tuple[str, ...]:
        """The views that it has an answer to alone, `face` and `scene`; none where it reads faces alone."""
        return ALONE if self.reads_scenes else ()

    @property
    def card(self) -> dict[str, Any]:
        """What a page says of the model: what it is, what it learned from, its figures, its terms."""
        told = {key: self.facts[key] for key in _CARD if self.facts.get(key) not in (None, {}, "")}
        return {
            "name": self.name,
            "classes": ", ".join(self.space.names),
            **told,
            "temperature": round(self.temperature, 3),
            "temperature slope": round(self.temperature_slope, 3),
            "unsure below": round(self.unsure_below, 3),
        }

    def batch(self, clips: Sequence[Clip]) -> ClipBatch:
        """Clips as one batch, padded to the longest; views uint8 [T, S, S, 3] become normalised floats.

        Scenes are handed on to a network that reads them. Raises InputError where it does and a clip has none.
        """
        T = max(len(clip.faces) for clip in clips)
        valid = np.zeros((len(clips), T), bool)
        for i, clip in enumerate(clips):
            valid[i, : len(clip.faces)] = True
        scene = None
        if self.reads_scenes:
            if any(clip.scenes is None for clip in clips):
                raise InputError(NO_SCENE)
            scene = self._padded([clip.scenes for clip in clips if clip.scenes is not None], T)
        face = self._padded([clip.faces for clip in clips], T)
        return ClipBatch(face=face, valid=torch.from_numpy(valid).to(self.device), scene=scene)

    def _padded(self, views: Sequence[np.ndarray], T: int) -> Tensor:
        """Views of clips, uint8 [T, S, S, 3] each, as the network's tower wants them: [B, T, 3, S, S]."""
        whole = np.zeros((len(views), T, self.size, self.size, 3), np.uint8)
        for i, view in enumerate(views):
            whole[i, : len(view)] = view
        return self.pictures(whole)

    def pictures(self, views: np.ndarray) -> Tensor:
        """Pictures uint8 [..., S, S, 3] as the network's tower wants them: [..., 3, S, S]."""
        return self.network.vision.normalise(pixels(views).to(self.device))

    def logits(self, clips: Sequence[Clip]) -> Tensor:
        """Logits [B, C] of clips before calibration; where `mirrored`, the mean with those of their mirror images."""
        with torch.inference_mode():
            return torch.stack([self.network(look) for look in self._looks(clips)]).mean(0)

    def _looks(self, clips: Sequence[Clip]) -> list[ClipBatch]:
        """Clips as they are, and where `mirrored` their mirror images."""
        batch = self.batch(clips)
        if not self.mirrored:
            return [batch]
        scene = None if batch.scene is None else batch.scene.flip(-1)
        return [batch, replace(batch, face=batch.face.flip(-1), scene=scene)]

    def embedded(self, clips: Sequence[Clip]) -> tuple[Tensor, Tensor]:
        """The logits [B, C] of clips with the video features [B, d] that they are made of, in one pass.

        The logits stand for the features of a network that shows none.
        """
        if not isinstance(self.network, Staged):
            logits = self.logits(clips)
            return logits, logits
        with torch.inference_mode():
            looks = self._looks(clips)
            found = mean_by_name([self.network.features(look, ("feature", "logits")) for look in looks])
        return found["logits"], found["feature"]

    def probabilities(self, clips: Sequence[Clip]) -> np.ndarray:
        """Calibrated probabilities [B, C] of clips, in the order of the label space."""
        return self._shares(self.logits(clips), clips, self.temperature, self.temperature_slope)

    def logits_by_view(self, clips: Sequence[Clip]) -> dict[str, Tensor]:
        """Logits [B, C] of the `face` alone, the `scene` alone and `both`, the last as `logits`.

        Of a network that reads faces alone there is only `both`.
        """
        if not isinstance(self.network, ReadsScene):
            return {"both": self.logits(clips)}
        with torch.inference_mode():
            return mean_by_name([self.network.views(look) for look in self._looks(clips)])

    def views(self, clips: Sequence[Clip]) -> dict[str, np.ndarray]:
        """Probabilities [B, C] of the `face` alone, of the `scene` alone and of `both`, the last as `probabilities`.

        Each view alone has a temperature and a slope of its own where the file states them (`view_temperatures`), else
        those of both. Of a network that reads faces alone there is only `both`.
        """
        return self.calibrated(self.logits_by_view(clips), clips)

    def calibrated(self, by_view: Mapping[str, Tensor], clips: Sequence[Clip]) -> dict[str, np.ndarray]:
        """Probabilities [B, C] by view of the logits [B, C] of clips by view, as `views` says."""
        own = {"both": None, **(self.facts.get("view_temperatures") or {})}
        usual = (self.temperature, self.temperature_slope)
        return {view: self._shares(logits, clips, *(own.get(view) or usual)) for view, logits in by_view.items()}

    def _shares(self, logits: Tensor, clips: Sequence[Clip], temperature: float, slope: float) -> np.ndarray:
        quality = np.array([np.median(clip.quality) for clip in clips])
        over = torch.from_numpy(temperature_at(temperature, slope, quality))
        shares: np.ndarray = (logits.double().cpu() / over[:, None]).softmax(-1).numpy()
        return shares


def mean_by_name(found: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean over several looks at the same clips, name by name."""
    return {name: torch.stack([of[name] for of in found]).mean(0) for name in found[0]}
