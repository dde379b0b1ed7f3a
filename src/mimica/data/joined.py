"""Clips of several data sets as one set, each perhaps thinned to a part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mimica.data.clipset import ClipSet, Frames, manifest
from mimica.errors import UsageError
from mimica.labels import LabelSpace


def spread(clips: ClipSet, most: int) -> ClipSet:
    """At most so many of the clips, evenly spread over each class. Raises UsageError for less than one a class."""
    if most < len(clips.space):
        raise UsageError(f"of {len(clips.space)} classes there must be as many clips or more, got {most}")
    if most >= len(clips):
        return clips
    by_class = np.argsort(clips.labels, kind="stable")
    kept = clips.taken(sorted(by_class[np.linspace(0, len(clips) - 1, most).round().astype(int)].tolist()))
    stated = manifest(str(clips.manifest.get("origin", "")), kept.names, kept.labels, kept.space)
    return replace(kept, manifest={**clips.manifest, **stated})


def joined(sets: Sequence[ClipSet]) -> ClipSet:
    """Clips of several data sets as one, in a label space of all their classes, those of one name being one class.

    Grey pictures stand beside those in colour on three channels. Scenes and groups are left out.
    """
    if len(sets) == 1:
        return sets[0]
    space = _joined_space([one.space for one in sets])
    labels = np.concatenate([np.array([space.index(one.space.names[y]) for y in one.labels]) for one in sets])
    names = [name for one in sets for name in one.names]
    frames = of_one_kind([clip for one in sets for clip in one.frames])
    origin = " and ".join(str(one.manifest.get("origin", "")) for one in sets)
    stated = {**manifest(origin, names, labels, space), "of": [dict(one.manifest) for one in sets]}
    return ClipSet(frames=frames, labels=labels, names=names, space=space, manifest=stated)


def of_one_kind(frames: Sequence[Frames]) -> list[Frames]:
    """The frames of clips, grey ones on three channels where others are in colour."""
    if len({isinstance(clip, np.ndarray) and clip.shape[-1] for clip in frames}) == 1:
        return list(frames)
    return [np.broadcast_to(clip, (*clip.shape[:3], 3)) if isinstance(clip, np.ndarray) else clip for clip in frames]


def _joined_space(spaces: Sequence[LabelSpace]) -> LabelSpace:
    described = {name: said for space in spaces for name, said in zip(space.names, space.descriptions, strict=True)}
    return LabelSpace(
        name=" and ".join(dict.fromkeys(space.name for space in spaces)), names=tuple(described),
        descriptions=tuple(described.values()),
    )  # fmt: skip
