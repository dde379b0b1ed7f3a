"""Calibrate a recogniser on clips that it did not learn from: temperature by quality, and when to be unsure.

N clips, T frames, S side in pixels, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mimica.clips import Clip, Face
from mimica.data.augment import generator
from mimica.data.clipset import ClipSet
from mimica.data.degrade import mixed
from mimica.faces.crop import face_view
from mimica.faces.quality import judge
from mimica.metrics.calibration import ece, fit_temperature_by_quality, temperature_at, threshold_for
from mimica.metrics.classification import confusion, uar, war
from mimica.recognition.model import Recogniser, Trainable

COVERAGE = 0.8
"""The share of undegraded clips that is to lie above the threshold below which a reading is unsure."""

_COPIES = 3


def calibration(network: Trainable, held: ClipSet | None, *, mirrored: bool = False, seed: int = 0) -> dict[str, Any]:
    """What a checkpoint states of its calibration; without clips it has none.

    Temperature and slope are fitted on the clips and on degraded copies of them (`data.degrade.mixed`),
    the threshold on the clips as they are. `metrics` are those of the clips as they are, and `degraded`
    beside them those of the copies.
    """
    if held is None:
        return {
            "temperature": 1.0, "temperature_slope": 0.0, "unsure_below": 0.0, "calibrated_on": None, "metrics": {},
        }  # fmt: skip
    copies = [[_judged(as_clip(frames)) for frames in held.frames]]
    for copy in range(_COPIES):
        copies.append([_degraded(f, generator(seed, copy, i), network.vision.size) for i, f in enumerate(held.frames)])
    clips = [clip for part in copies for clip in part]
    logits, truth = logits_of(network, clips, mirrored=mirrored), np.tile(held.labels, len(copies))
    quality = np.array([np.median(clip.quality) for clip in clips])
    temperature, slope = fit_temperature_by_quality(logits, truth, quality)
    scaled = torch.from_numpy(logits / temperature_at(temperature, slope, quality)[:, None])
    shares = scaled.softmax(-1).numpy()
    N = len(held)
    return {
        "temperature": temperature,
        "temperature_slope": slope,
        "unsure_below": threshold_for(shares[:N].max(1), COVERAGE),
        "calibrated_on": dict(held.manifest),
        "metrics": {
            **_trusted(shares[:N], held.labels),
            "degraded": _trusted(shares[N:], truth[N:]),
        },
    }


def logits_of(network: Trainable, clips: Sequence[Clip], *, mirrored: bool = False, batch: int = 64) -> np.ndarray:
    """Logits [N, C] of clips as a reader would give them: unaugmented, before calibration."""
    device = str(next(network.parameters()).device)
    reader = Recogniser(name="", network=network, space=network.space, frames=0, mirrored=mirrored, device=device)
    parts = [clips[first : first + batch] for first in range(0, len(clips), batch)]
    return np.concatenate([reader.logits(part).float().cpu().numpy() for part in parts])


def as_clip(frames: np.ndarray) -> Clip:
    """Frames uint8 [T, S, S, G] of a face, grey or coloured, as a clip; their quality is not judged."""
    return _clip(frames if frames.shape[-1] == 3 else frames.repeat(3, axis=-1), np.ones(len(frames)))


def _judged(clip: Clip) -> Clip:
    return _clip(clip.faces, [_quality(face) for face in clip.faces])


def _degraded(frames: np.ndarray, random: np.random.Generator, size: int) -> Clip:
    """The clip of frames that all suffered the same."""
    state = random.bit_generator.state
    faces, quality = [], []
    for face in as_clip(frames).faces:
        random.bit_generator.state = state
        worse = mixed(face, random)
        quality.append(_quality(worse))
        faces.append(face_view(worse, _whole(worse), size=size, margin=0.0))
    return _clip(np.stack(faces), quality)


def _quality(face: np.ndarray) -> float:
    return judge(face, Face(box=_whole(face), score=1.0)).score


def _whole(face: np.ndarray) -> np.ndarray:
    return np.array([0.0, 0.0, face.shape[1], face.shape[0]])


def _clip(faces: np.ndarray, quality: Sequence[float] | np.ndarray) -> Clip:
    times = np.arange(len(faces), dtype=float)
    return Clip(person=0, start=0.0, end=0.0, faces=faces, times=times, quality=np.array(quality))


def figures(scores: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """WAR and UAR of scores [N, C], logits or shares, against the truth [N]."""
    table = confusion(truth, scores.argmax(1), scores.shape[1])
    return {"war": war(table), "uar": uar(table)}


def _trusted(shares: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    return figures(shares, truth) | {"ece": ece(shares.max(1), shares.argmax(1) == truth)}
