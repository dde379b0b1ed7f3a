"""Calibrate a recogniser on clips that it did not learn from: temperature by quality, and when to be unsure.

N clips, T frames, S side in pixels, C classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import torch

from mimica.clips import Clip, Face
from mimica.data.augment import generator
from mimica.data.clipset import ClipSet
from mimica.data.degrade import mixed
from mimica.data.sampling import beside, seen
from mimica.faces.crop import face_view
from mimica.faces.quality import judge
from mimica.metrics.calibration import ece, fit_temperature_by_quality, temperature_at, threshold_for
from mimica.metrics.classification import confusion, uar, war
from mimica.recognition.model import Recogniser, Trainable
from mimica.training.ahead import prepared

COVERAGE = 0.8
"""The share of undegraded clips that is to lie above the threshold below which a reading is unsure."""

_COPIES = 3
_BATCH = 64


def calibration(
    network: Trainable,
    held: ClipSet | None,
    *,
    mirrored: bool = False,
    seed: int = 0,
    sampling: str = "uniform",
    frames: int | None = None,
) -> dict[str, Any]:
    """What a checkpoint states of its calibration; without clips it has none.

    Temperature and slope are fitted on the clips and on degraded copies of them (`data.degrade.mixed`),
    the threshold on the clips as they are; what a face or a scene alone says has a temperature and a slope of its
    own, `view_temperatures`. `metrics` are those of the clips as they are, and `degraded` beside them those of the
    copies. `sampling` and `frames` are explained at `logits_of_set`.
    """
    if held is None:
        return {
            "temperature": 1.0, "temperature_slope": 0.0, "unsure_below": 0.0, "calibrated_on": None, "metrics": {},
        }  # fmt: skip
    quality = list[float]()

    def noted(clip: Clip) -> Clip:
        quality.append(float(np.median(clip.quality)))
        return clip

    copies = _copies(held, network.vision.size, seed, sampling, frames)
    by_view = _by_view(network, map(noted, copies), mirrored=mirrored)
    return {**_fitted(by_view, np.array(quality), held), "calibrated_on": dict(held.manifest)}


def _fitted(by_view: dict[str, np.ndarray], quality: np.ndarray, held: ClipSet) -> dict[str, Any]:
    """What fits the logits of clips as they are and of their copies, which follow one another."""
    N, truth = len(held), np.tile(held.labels, 1 + _COPIES)
    own = {view: fit_temperature_by_quality(of, truth, quality) for view, of in by_view.items()}
    temperature, slope = own.pop("both")
    scaled = torch.from_numpy(by_view["both"] / temperature_at(temperature, slope, quality)[:, None])
    shares = scaled.softmax(-1).numpy()
    return {
        "temperature": temperature,
        "temperature_slope": slope,
        "unsure_below": threshold_for(shares[:N].max(1), COVERAGE),
        "metrics": {
            **_trusted(shares[:N], held.labels),
            "degraded": _trusted(shares[N:], truth[N:]),
        },
        **({"view_temperatures": own} if own else {}),
    }


def logits_of(network: Trainable, clips: Iterable[Clip], *, mirrored: bool = False, batch: int = _BATCH) -> np.ndarray:
    """Logits [N, C] of clips as a reader would give them: unaugmented, before calibration.

    No more clips are asked for than a batch has.
    """
    reader, left, parts = _reader(network, mirrored), iter(clips), []
    while part := list(islice(left, batch)):
        parts.append(reader.logits(part).float().cpu().numpy())
    return np.concatenate(parts)


def _by_view(network: Trainable, clips: Iterable[Clip], *, mirrored: bool) -> dict[str, np.ndarray]:
    """The same as `both`, and beside it what each view alone says where a network reads the scene too."""
    reader, left, parts = _reader(network, mirrored), iter(clips), []
    while part := list(islice(left, _BATCH)):
        parts.append({view: of.float().cpu().numpy() for view, of in reader.logits_by_view(part).items()})
    return {view: np.concatenate([of[view] for of in parts]) for view in parts[0]}


def _reader(network: Trainable, mirrored: bool) -> Recogniser:
    device = str(next(network.parameters()).device)
    return Recogniser(name="", network=network, space=network.space, frames=0, mirrored=mirrored, device=device)


def logits_of_set(
    network: Trainable,
    clips: ClipSet,
    *,
    sampling: str = "uniform",
    frames: int | None = None,
    views: int = 1,
    mirrored: bool = False,
    batch: int = _BATCH,
) -> np.ndarray:
    """Logits [N, C] of a set, of `frames` frames of each clip by `sampling`, averaged over `views` choices of them.

    A clip is read as it is, every frame of it, where `frames` is None; see `data.sampling.seen`. Clips that are
    left in files are decoded in threads while the network computes. Raises UsageError for an unknown
    sampling or one that has no such views, InputError for a clip that cannot be read.
    """

    def read(i: int) -> list[Clip]:
        return seen_of(clips, i, sampling, frames, views)

    made = prepared(read, range(len(clips)), ahead=-(-batch // views), threads=2)
    flat = logits_of(network, (clip for of in made for clip in of), mirrored=mirrored, batch=batch)
    return flat if views == 1 else flat.reshape(len(clips), views, -1).mean(1)


def seen_of(clips: ClipSet, i: int, sampling: str, frames: int | None, views: int = 1) -> list[Clip]:
    """What is read of clip `i` in test, a clip a view, with its scenes where the set has them."""
    faces, scenes = clips.frames[i], None if clips.scenes is None else clips.scenes[i]
    N = len(faces)
    found = []
    for places in [np.arange(N)] * views if frames is None else seen(sampling, N, frames, views=views):
        behind = None if scenes is None else np.asarray(scenes[beside(places, N, len(scenes))])
        found.append(as_clip(np.asarray(faces[places]), behind))
    return found


def as_clip(frames: np.ndarray, scenes: np.ndarray | None = None) -> Clip:
    """Frames uint8 [T, S, S, G] of a face, grey or coloured, as a clip; their quality is not judged."""
    return _clip(frames if frames.shape[-1] == 3 else frames.repeat(3, axis=-1), np.ones(len(frames)), scenes)


def _copies(held: ClipSet, size: int, seed: int, sampling: str, frames: int | None) -> Iterator[Clip]:
    """The clips as they are, judged, and then each degraded in several ways; few of them in memory at once."""

    def copied(number: int) -> Clip:
        copy, i = divmod(number, len(held))
        [clip] = seen_of(held, i, sampling, frames)
        if not copy:
            return judged(clip)
        return replace(_degraded(clip.faces, generator(seed, copy - 1, i), size), scenes=clip.scenes)

    return prepared(copied, range(len(held) * (1 + _COPIES)), ahead=_BATCH, threads=2)


def judged(clip: Clip) -> Clip:
    """The same clip with the quality of each face, as it is judged before a reading (`faces.quality`)."""
    return replace(clip, quality=np.array([_quality(face) for face in clip.faces]))


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


def _clip(faces: np.ndarray, quality: Sequence[float] | np.ndarray, scenes: np.ndarray | None = None) -> Clip:
    times = np.arange(len(faces), dtype=float)
    return Clip(person=0, start=0.0, end=0.0, faces=faces, times=times, quality=np.array(quality), scenes=scenes)


def figures(scores: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """WAR and UAR of scores [N, C], logits or shares, against the truth [N]."""
    table = confusion(truth, scores.argmax(1), scores.shape[1])
    return {"war": war(table), "uar": uar(table)}


def _trusted(shares: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    return figures(shares, truth) | {"ece": ece(shares.max(1), shares.argmax(1) == truth)}
