"""The actor: a synthetic face, drawn by formula, whose Action Units we set over time.

B clips (N of a set), T frames of a clip, S side in pixels, U units in the order of `UNIT_ORDER`.
Nothing here is a photograph or made from one. What it shows are the prototypes of FACS, plainer
than any real face. Every draw is a function of (part, seed, clip) alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mimica.data.actor_camera import Light, Pose, developed, far, taking
from mimica.data.actor_face import Face, paint_face
from mimica.data.actor_identity import Identity, identities, identities_at, stream
from mimica.data.actor_settings import Part, Proportions, Task
from mimica.data.actor_shapes import Canvas, grid
from mimica.data.scene import scene_polarity, scene_space, scenes
from mimica.errors import UsageError
from mimica.facs import CORES, UNITS, curve
from mimica.labels import EXPRESSIONS, LabelSpace

__all__ = ["DFEW", "DIRECTION", "UNIT_ORDER", "ActorClips", "Identity", "Light", "Pose", "clips", "draw",
           "identities", "reversed_pairs", "sheet", "together", "unit_curves"]  # fmt: skip

UNIT_ORDER = tuple(UNITS)
"""The order of the units in every tensor of units: by their FACS number."""

DFEW = (2445, 1894, 2669, 2173, 1469, 145, 902)
"""How many clips of each class DFEW has with a single label (arXiv 2008.05924), in the order of the labels."""

DIRECTION = LabelSpace(
    name="direction",
    names=("onset", "offset"),
    descriptions=(
        ("onset: an expression that sets in and grows", "a face that goes from rest to an expression"),
        ("offset: an expression that fades and goes", "a face that goes from an expression to rest"),
    ),
)
"""Which way an expression goes. The frames of the two classes are alike; only their order differs."""

_COMPANIONS = {
    "happiness": (25, 25, 26), "sadness": (17, 17, 24), "neutral": (), "anger": (24, 24, 17),
    "surprise": (25,), "disgust": (10, 10, 17), "fear": (25, 16),
}  # fmt: skip
_CHUNK = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorClips:
    """N synthetic clips: `face` uint8 [N, T, 3, S, S], `units` [N, T, U] 0 to 1, `labels` int [N] of `space`.

    `expressions` [N] are places in `EXPRESSIONS`, `scene` [N] the polarity of what stands behind,
    `identity` [N] the number of the actor; `facts` say how they were drawn. `behind` uint8 [N, T, 3, S, S] are the
    scenes beside the faces, if they were asked for, and `second` [N] the place of the other expression of a blend, -1
    where a face shows one.
    """

    face: Tensor
    units: Tensor
    labels: Tensor
    expressions: Tensor
    scene: Tensor
    identity: Tensor
    space: LabelSpace
    facts: Mapping[str, object] = field(default_factory=dict)
    behind: Tensor | None = None
    second: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)


_PER_FRAME = ("face", "units", "behind")
_PER_CLIP = ("face", "units", "labels", "expressions", "scene", "identity", "behind", "second")


def draw(
    identity: Identity, units: Tensor, pose: Pose, light: Light, *, size: int, scene: Tensor | None = None
) -> Tensor:
    """Synthetic pictures [B, T, 3, S, S] in 0 to 1 of B actors whose units [B, T, U] are these, before a scene.

    `scene` is [B, 3, S, S] in 0 to 1, or None for plain grey. Neutral has all units zero.
    """
    B, T = units.shape[:2]
    if units.ndim != 3 or units.shape[2] != len(UNIT_ORDER) or len(identity) != B:
        raise UsageError(f"units must be [{len(identity)}, T, {len(UNIT_ORDER)}], got {list(units.shape)}")
    clip = torch.arange(B).repeat_interleave(T)
    flat = units.reshape(B * T, -1).float()
    turned = torch.stack([getattr(pose, name) for name in Pose.__slots__], -1).reshape(B * T, -1).float()
    lit = torch.stack([light.angle, light.strength, light.gamma], -1).float()
    back = torch.full((B, 3, size, size), 0.62) if scene is None else scene
    parts = [
        _drawn(identity.take(clip[i]), flat[i], turned[i], lit[clip[i]], back[clip[i]])
        for i in torch.split(torch.arange(B * T), _CHUNK)
    ]
    return torch.cat(parts).view(B, T, 3, size, size)


def _drawn(identity: Identity, units: Tensor, pose: Tensor, light: Tensor, scene: Tensor) -> Tensor:
    """Pictures [N, 3, S, S] of pose [N, 6] and light [N, 3]."""
    size = scene.shape[-1]
    u, v = grid(size, len(units))
    yaw, pitch, roll, scale, across, down = (p[:, None, None] for p in pose.unbind(1))
    x, y = (u - across) / scale, (v - down) / scale
    x, y = x * torch.cos(roll) + y * torch.sin(roll), y * torch.cos(roll) - x * torch.sin(roll)
    canvas = Canvas(picture=scene.clone(), pixel=2 / size / scale)
    turn = torch.cat([yaw, pitch], 2)[:, 0]
    paint_face(Face(identity, units, canvas, x, y, turn))
    angle, strength, gamma = (p[:, None, None, None] for p in light.unbind(1))
    lit = 1 + strength * (torch.cos(angle) * u[:, None] + torch.sin(angle) * v[:, None])
    return (canvas.picture * lit).clamp_(0, 1) ** gamma


def unit_curves(
    labels: Sequence[int] | Tensor,
    *,
    frames: int,
    intensity: tuple[float, float] = (0.5, 1.0),
    seed: int,
    task: Task = "emotion",
    part: Part = "train",
    numbers: Sequence[int] | None = None,
    second: Sequence[int] | None = None,
) -> Tensor:
    """Units [B, T, U] over time of clips with these labels; `numbers` are the clips' own, or 0, 1, 2, …

    Every unit of a class's core is present, at a strength within `intensity`; units that often go
    with the class and faint others are added. Neutral has none. In the task `emotion` labels are
    places in `EXPRESSIONS` and units set in, hold and go; in `direction` they are places in
    `DIRECTION`, the expression is drawn, and units only rise or only fall. `second` [B] are the other expressions
    that are shown as strongly, -1 where there is none.
    """
    numbers = range(len(labels)) if numbers is None else numbers
    if task == "direction" and frames < 2:
        raise UsageError("a direction needs two frames or more; ask for more frames or for the task emotion")
    second = [-1] * len(numbers) if second is None else second
    found = [
        _units(int(label), int(number), frames, intensity, seed, task, part, other)
        for label, number, other in zip(labels, numbers, second, strict=True)
    ]
    return torch.from_numpy(np.stack(found).astype(np.float32))


def _units(
    label: int, number: int, frames: int, intensity: tuple[float, float], seed: int, task: Task, part: Part, second: int
) -> np.ndarray:
    random = stream(part, 1, seed, number)
    name = EXPRESSIONS.names[expression_of(number, seed=seed, part=part) if task == "direction" else label]
    low, high = intensity
    strength, U = np.zeros(len(UNIT_ORDER)), len(UNIT_ORDER)
    u = random.random((5, U))
    base = low + (high - low) * u[0, 0]
    if name != "neutral":
        faint = np.argsort(u[1])[: int(4 * u[0, 1])]
        strength[faint] = 0.12 * u[2, faint] * base
        for k, unit in enumerate(_COMPANIONS[name]):
            strength[UNIT_ORDER.index(unit)] += (u[0, 2 + k] < 0.35) * (0.3 + 0.3 * u[0, 6 + k]) * base
        also = () if second < 0 else CORES[EXPRESSIONS.names[second]]
        core = [UNIT_ORDER.index(unit) for unit in dict.fromkeys((*CORES[name], *also))]
        strength[core] = np.clip(base * (0.85 + 0.3 * u[3, core]), low, high)
    shape = _rise(random, frames) if task == "direction" else _rise_and_fall(random, frames)
    values = strength.clip(0, 1) * shape
    return np.asarray(values[::-1] if task == "direction" and label == DIRECTION.index("offset") else values)


def _rise_and_fall(random: np.random.Generator, frames: int) -> np.ndarray:
    """A curve [T, U] a unit that is at its apex in the middle of the clip."""
    u, late = random.random(4), 0.04 * random.random(len(UNIT_ORDER))
    time = (np.arange(frames)[:, None] + 0.5) / frames
    return curve(
        time,
        onset=-0.05 + 0.2 * u[0] + late,
        apex=0.25 + 0.18 * u[1] + late,
        release=0.56 + 0.2 * u[2] + late,
        offset=0.82 + 0.3 * u[3] + late,
    )


def _rise(random: np.random.Generator, frames: int) -> np.ndarray:
    """A curve [T, U] a unit that only grows."""
    u, late = random.random(2), 0.05 * random.random(len(UNIT_ORDER))
    time = (np.arange(frames)[:, None] + 0.5) / frames
    return curve(time, onset=-0.05 + 0.25 * u[0] + late, apex=0.70 + 0.25 * u[1] + late, release=2.0, offset=3.0)


def expression_of(number: int, *, seed: int, part: Part) -> int:
    """The expression that is shown where the label is not one, in the tasks `direction` and `scene`: not neutral."""
    shown = [i for i, name in enumerate(EXPRESSIONS.names) if CORES[name]]
    return shown[int(stream(part, 2, seed, number).integers(len(shown)))]


def space_of(task: Task, part: Part) -> LabelSpace:
    """What the labels of a task are; those of scenes are the things of the part."""
    return {"emotion": EXPRESSIONS, "direction": DIRECTION}.get(task) or scene_space(part)


def second_of(label: int, number: int, blend: float, *, seed: int, part: Part) -> int:
    """The other expression that a face shows too, of a share `blend` of the clips, or -1; neutral shows none."""
    shown = [i for i, name in enumerate(EXPRESSIONS.names) if CORES[name] and i != label]
    u, v = stream(part, 6, seed, number).random(2)
    return shown[int(v * len(shown))] if u < blend and CORES[EXPRESSIONS.names[label]] else -1


@lru_cache(maxsize=8)
def _labels(number: int, proportions: Proportions, classes: int) -> np.ndarray:
    """Labels [N] whose counts are, for every N, as near to the proportions as they can be."""
    share = np.array(DFEW if proportions == "dfew" else [1] * classes, dtype=float)
    share /= share.sum()
    labels, count = np.zeros(number, dtype=np.int64), np.zeros(classes)
    for i in range(number):
        labels[i] = np.argmax(share * (i + 1) - count)
        count[labels[i]] += 1
    return labels


def together(frames: int) -> int:
    """How many clips are drawn in one go; a number of clips that this divides is drawn without waste."""
    return max(1, _CHUNK // frames)


def clips(
    number: int,
    *,
    first: int = 0,
    size: int = 64,
    frames: int = 16,
    proportions: Proportions = "equal",
    task: Task = "emotion",
    intensity: tuple[float, float] = (0.5, 1.0),
    blend: float = 0.0,
    scenes: bool = False,
    polarity_agrees: float = 0.8,
    part: Part,
    seed: int,
) -> ActorClips:
    """Synthetic labelled clips, from number `first` on. A clip is the same to the bit however many are asked for.

    As many clips in a row as there are classes show one actor. `polarity_agrees` is the share of
    clips behind which stands a scene of the polarity of the expression. With `scenes` those are apart: faces stand
    before plain grey, which tells nothing of them. Of the task `scene` the pictures are scenes, whatever is shown by
    the face in them. With `size` 0 nothing is drawn, and all but the pictures is there at once.
    """
    how: dict[str, Any] = {
        "size": size, "frames": frames, "proportions": proportions, "task": task, "intensity": intensity,
        "blend": blend, "scenes": scenes, "polarity_agrees": polarity_agrees, "part": part, "seed": seed,
    }  # fmt: skip
    # Whole groups, the same ones whatever is asked for: a sum may round differently where a tensor is shorter.
    group = together(frames)
    low, end = first // group * group, -(-(first + number) // group) * group
    whole = _groups(np.arange(low, end), **how)
    asked = slice(first - low, first - low + number)
    per_clip = {name: value[asked] for name in _PER_CLIP if (value := getattr(whole, name)) is not None}
    return replace(whole, **per_clip, facts={"synthetic": True, **how})


def _groups(
    numbers: np.ndarray,
    *,
    size: int, frames: int, proportions: Proportions, task: Task, intensity: tuple[float, float], blend: float,
    scenes: bool, polarity_agrees: float, part: Part, seed: int,
) -> ActorClips:  # fmt: skip
    """The clips of these numbers, which are whole groups of `together(frames)` in a row."""
    space = space_of(task, part)
    # By powers of two, so that who asks for some clips after others finds the labels counted already.
    labels = _labels(1 << int(numbers[-1]).bit_length(), proportions, len(space))[numbers]
    of: dict[str, Any] = {"seed": seed, "part": part}
    shown = labels if task == "emotion" else np.array([expression_of(int(n), **of) for n in numbers])
    polarity = np.array(space.polarity)[labels] if task == "scene" else np.array(EXPRESSIONS.polarity)[shown]
    if task != "scene":
        polarity = scene_polarity(polarity, polarity_agrees, numbers=numbers, **of)
    pairs = zip(shown, numbers, strict=True)
    second = [second_of(int(label), int(n), blend, **of) if blend else -1 for label, n in pairs]
    units = unit_curves(
        (labels if task == "direction" else shown).tolist(), frames=frames, intensity=intensity, task=task,
        numbers=numbers.tolist(), second=second, **of,
    )  # fmt: skip
    actors = numbers // len(space)
    things = [space.names[label] for label in labels] if task == "scene" else None
    views = [torch.empty(len(numbers), frames, 3, size, size, dtype=torch.uint8) for _ in range(1 + scenes)]
    for start in range(0, len(numbers) if size else 0, together(frames)):
        k = slice(start, start + together(frames))
        how: dict[str, Any] = {"size": size, "things": things[k] if things else None, "apart": scenes, **of}
        for view, seen in zip(views, pictures(numbers[k], actors[k], units[k], polarity[k], **how), strict=True):
            view[k] = seen
    return ActorClips(
        face=views[0], units=units, labels=torch.from_numpy(labels), expressions=torch.from_numpy(shown),
        scene=torch.from_numpy(polarity), identity=torch.from_numpy(actors), space=space,
        behind=views[1] if scenes else None, second=torch.tensor(second) if blend else None,
    )  # fmt: skip


def pictures(
    numbers: np.ndarray, actors: np.ndarray, units: Tensor, polarity: np.ndarray, *, size: int,
    things: list[str] | None = None, apart: bool = False, part: Part, seed: int,
) -> list[Tensor]:  # fmt: skip
    """What a camera sees of clips, uint8 [B, T, 3, S, S]: the face, and where they are `apart` the scene."""
    behind = scenes(polarity, size=size, part=part, seed=seed, numbers=numbers, things=things)
    pose, light, camera = taking(numbers, units.shape[1], part, seed)
    actor = identities_at(actors, part=part, seed=seed)
    away = far(pose, numbers, part, seed) if apart or things else pose

    def taken(pose: Pose, scene: Tensor | None) -> Tensor:
        return developed(draw(actor, units, pose, light, size=size, scene=scene), camera, numbers, part, seed)

    return [taken(pose, None), taken(away, behind)] if apart else [taken(away, behind)]


def reversed_pairs(clips: ActorClips) -> ActorClips:
    """Every clip of the task `direction` followed by itself reversed in time, which has the other label.

    A model that does not know the order of frames gives both of a pair the same answer, and is right
    half of the time.
    """
    if clips.space is not DIRECTION:
        raise UsageError("only clips of the task direction have another label when reversed; give task='direction'")

    def both(value: Tensor, other: Tensor) -> Tensor:
        return torch.stack([value, other], 1).flatten(0, 1)

    paired: dict[str, Any] = {
        name: both(value, value.flip(1) if name in _PER_FRAME else 1 - value if name == "labels" else value)
        for name in _PER_CLIP
        if (value := getattr(clips, name)) is not None
    }
    return replace(clips, **paired, facts={**clips.facts, "reversed_pairs": True})


def sheet(path: Path, *, size: int = 64, enlarge: int = 3, part: Part = "train", seed: int = 0) -> None:
    """A sheet of synthetic faces as a picture file: a row a class, eight actors at apex, then one clip over time."""
    from mimica.data.actor_sheet import save_sheet

    save_sheet(path, size=size, enlarge=enlarge, part=part, seed=seed)
