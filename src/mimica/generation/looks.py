"""What a frozen encoder sees of clips, and a recogniser that is fitted to it in a second.

N clips, T frames of a clip, S side in pixels, D width of the encoder's features, C classes. It tells round by round
whether classes are recognised better, and whether a generated clip is of its class or one of the real ones once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from mimica.data.clipset import Frames
from mimica.encoders.towers import VisionTower
from mimica.generation.pool import resampled, tensor_of

_MOMENTS = 5
"""At how many moments two clips are compared."""
_TOGETHER = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """Clips as an encoder sees them: `features` N of [T, D]."""

    features: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, vision: VisionTower, clips: Sequence[Frames]) -> Looks:
        """Those of clips uint8 [T, S, S, G] of any size."""
        return cls(features=tuple(_seen(vision, np.asarray(clip[:])) for clip in clips))

    def __len__(self) -> int:
        return len(self.features)

    def joined(self, other: Looks) -> Looks:
        """These and the others."""
        return Looks(features=(*self.features, *other.features))

    def summaries(self) -> np.ndarray:
        """What is recognised by [N, 2D]: the mean over frames, and the frame least like the first less the first."""
        rows = []
        for one in self.features:
            farthest = one[np.linalg.norm(one - one[0], axis=1).argmax()]
            rows.append(np.concatenate([one.mean(0), farthest - one[0]]))
        return np.stack(rows)

    def traces(self) -> np.ndarray:
        """What clips are compared by [N, 5D]: features at five moments."""
        return np.stack([resampled(one, _MOMENTS).ravel() for one in self.features])


def _seen(vision: VisionTower, clip: np.ndarray) -> np.ndarray:
    pictures, side = tensor_of(clip), vision.size
    if pictures.shape[-2:] != (side, side):
        pictures = F.interpolate(pictures, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    parts = []
    with torch.inference_mode():
        for some in torch.split(pictures, _TOGETHER):
            parts.append(F.normalize(vision(vision.normalise(some)).float(), dim=-1))
    return np.asarray(torch.cat(parts).numpy())


class Probe:
    """A linear recogniser of C classes on what a frozen encoder sees: the same clips always give the same one."""

    def __init__(self, looks: Looks, labels: np.ndarray, classes: int, *, weight: np.ndarray | None = None) -> None:
        """Fit it to clips with labels [N], each class alike, and clips as `weight` [N] says, 1 where none is given."""
        from sklearn.linear_model import LogisticRegression

        seen = looks.summaries()
        self._middle, self._spread = seen.mean(0), seen.std(0) + 1e-6
        count = np.bincount(labels, weights=weight, minlength=classes)
        each = (np.ones(len(labels)) if weight is None else weight) / count[labels]
        self._model = LogisticRegression(C=0.1, max_iter=400)
        self._model.fit(self._scaled(seen), labels, sample_weight=each * len(labels) / each.sum())
        self._classes = classes

    def _scaled(self, seen: np.ndarray) -> np.ndarray:
        return np.asarray((seen - self._middle) / self._spread)

    def probabilities(self, looks: Looks) -> np.ndarray:
        """How likely each class is [N, C]; 0 for a class of which there was no clip."""
        found = np.zeros((len(looks), self._classes))
        found[:, self._model.classes_] = self._model.predict_proba(self._scaled(looks.summaries()))
        return found

    def recall(self, looks: Looks, labels: np.ndarray) -> tuple[float, ...]:
        """Which share of the clips of each class it recognises [C]; NaN for a class without clips."""
        right = self.probabilities(looks).argmax(1) == labels
        return tuple(float(right[labels == c].mean()) if (labels == c).any() else np.nan for c in range(self._classes))
