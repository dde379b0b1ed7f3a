"""Sentences that a face of a class, or a scene, may be described by, for face-language pretraining."""

from __future__ import annotations

from mimica.data.scene import SCENE_WORDS
from mimica.facs import CORES, caption
from mimica.labels import LabelSpace


def captions(space: LabelSpace) -> list[tuple[str, int]]:
    """Every caption with the place of its class: class texts, and unit captions where FACS names a core.

    Unit captions say what one sees (`the nose is wrinkled`), which several classes share in part:
    that is what lets a joint space put classes that look alike near each other. A thing in a scene has no face.
    """
    found = []
    for place, (name, described) in enumerate(zip(space.names, space.descriptions, strict=True)):
        texts = list(described)
        if name not in SCENE_WORDS:
            texts.insert(0, f"a photo of a face that shows {name}")
        if name in CORES:
            units = CORES[name]
            texts += [caption(units), caption(units, names=True)]
            texts += [f"{name}: {caption((unit,))}" for unit in units]
        found += [(text, place) for text in dict.fromkeys(texts)]
    return found
