"""Tiny clips of faces before scenes, a small OUS to learn from them, and an augmentation that does nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mimica.data.augment import Augmentation
from mimica.data.clipset import ClipSet, manifest
from mimica.labels import EXPRESSIONS
from mimica.recognition.registry import method
from mimica.training.loop import LoopConfig
from mimica.training.recipes import Training

NOTHING = Augmentation(angle=0, scale=0, jitter=0, flip=0, gamma=0, blur=0, erase=0, motion=0)
SMALL = {"frames_layers": 1, "blocks": 1, "frames_heads": 2, "fusion_heads": 2, "prompt": 3, "mlp": 1}


def recipe(name: str = "ous", **changes: object) -> Training:
    """Three epochs of a small OUS that reads three frames of at most four, nothing augmented."""
    model = replace(method(name), **SMALL)  # type: ignore[type-var]
    usual = Training(
        method=name, model=model, encoder="tiny", frames=3, longest=4, balance=0.5, shorten=0.5, augmentation=NOTHING,
        loop=LoopConfig(epochs=3, batch=4, lr=3e-3),
    )  # fmt: skip
    return replace(usual, **changes)  # type: ignore[arg-type]


def clips(number: int = 14, *, seed: int = 0, size: int = 48, longest: int = 4) -> ClipSet:
    """Clips of two to `longest` frames, every frame a picture of its own, faces and scenes alike."""
    lengths = [2 + i % (longest - 1) for i in range(number)]
    faces, scenes = ([_pictures((seed, view, i), T, size) for i, T in enumerate(lengths)] for view in range(2))
    labels, names = np.arange(number) * 5 % 7, [f"{seed}/{i}" for i in range(number)]
    stated = manifest("noise", names, labels, EXPRESSIONS)
    return ClipSet(frames=faces, scenes=scenes, labels=labels, names=names, manifest=stated)


def both(one: ClipSet, other: ClipSet) -> ClipSet:
    """The clips of two sets."""
    assert one.scenes is not None
    assert other.scenes is not None
    return replace(
        one, frames=[*one.frames, *other.frames], scenes=[*one.scenes, *other.scenes],
        labels=np.concatenate([one.labels, other.labels]), names=[*one.names, *other.names],
    )  # fmt: skip


def _pictures(seeds: tuple[int, ...], T: int, size: int) -> np.ndarray:
    coarse = np.random.default_rng(seeds).integers(0, 255, (T, 6, 6, 3), dtype=np.uint8)
    return coarse.repeat(-(-size // 6), 1).repeat(-(-size // 6), 2)[:, :size, :size]
