"""Which generated clips are kept, with which label, and why the others are not. N clips, C classes, D features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mimica.errors import UsageError
from mimica.generation.loop_settings import FilterSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was measured of N generated clips, by who rewarded nothing.

    `labels` [N] are the classes asked for; `consistency` [N] is how far measured units speak for them, in nats;
    `probabilities` [N, C] the mean of an ensemble; `identity` [N] the cosine with the person; `nearest` [N] the cosine
    with the nearest clip to train on; `passed` [N] whether the gates of rewards were passed.
    """

    labels: np.ndarray
    consistency: np.ndarray
    probabilities: np.ndarray
    identity: np.ndarray
    nearest: np.ndarray
    passed: np.ndarray

    def __post_init__(self) -> None:
        lengths = {len(getattr(self, name)) for name in self.__slots__}
        if len(lengths) > 1 or self.probabilities.ndim != 2:
            raise UsageError(f"everything must be measured of every clip; got {sorted(lengths)} clips")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a clip is kept, why not, and its label as a distribution over classes."""

    kept: bool
    reasons: tuple[str, ...]
    label: tuple[float, ...]


def filtered(seen: Seen, settings: FilterSettings | None = None) -> list[Verdict]:
    """A verdict on each clip. What could not be measured (NaN) is not kept."""
    settings = settings or FilterSettings()
    own = seen.probabilities[np.arange(len(seen.labels)), seen.labels]
    with np.errstate(invalid="ignore"):
        checks = (
            (seen.consistency > settings.consistency, seen.consistency, "its units speak for another class: {:.2f}"),
            (own >= settings.probability, own, "recognisers give its class {:.2f}"),
            (seen.identity >= settings.identity, seen.identity, "the face is another: likeness {:.2f}"),
            (seen.nearest <= settings.nearest, seen.nearest, "it is a clip to train on once more: likeness {:.3f}"),
            (seen.passed.astype(bool), seen.passed.astype(float), "it is frozen, without a face, or marked"),
        )  # fmt: skip
    labels = soft_labels(seen.labels, seen.probabilities, settings.own)
    found = []
    for i, label in enumerate(labels):
        reasons = tuple(why.format(value[i]) for right, value, why in checks if not right[i])
        found.append(Verdict(kept=not reasons, reasons=reasons, label=tuple(label.tolist())))
    return found


def soft_labels(labels: np.ndarray, probabilities: np.ndarray, own: float = 0.7) -> np.ndarray:
    """Labels as distributions [N, C]: 0.7 of the class asked for, 0.3 of what recognisers say.

    A synthetic clip is rarely the pure case of its class (SynFER, arXiv 2410.09865).
    """
    return np.asarray(own * np.eye(probabilities.shape[1])[labels] + (1 - own) * probabilities)


def nearest(features: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cosine with the nearest of known clips [N], and its place [N], by features [N, D] and [M, D]; exact."""
    if not len(known):
        return np.full(len(features), -1.0), np.full(len(features), -1)
    size = np.linalg.norm(features, axis=1, keepdims=True), np.linalg.norm(known, axis=1, keepdims=True)
    alike = (features / np.maximum(size[0], 1e-12)) @ (known / np.maximum(size[1], 1e-12)).T
    place = alike.argmax(1)
    return np.asarray(alike[np.arange(len(features)), place]), np.asarray(place)


def accepted(labels: np.ndarray, verdicts: list[Verdict], classes: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How many clips of each class were judged and how many are kept, as a `Round` states them."""
    kept = np.array([one.kept for one in verdicts], dtype=bool)
    counts = (np.bincount(of, minlength=classes).tolist() for of in (labels, labels[kept]))
    judged, good = (tuple(int(n) for n in one) for one in counts)
    return judged, good
