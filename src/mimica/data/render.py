"""The second actor: a face of ICT-FaceKit in three dimensions, whose Action Units we set over time.

N clips, T frames of a clip, S side in pixels, U units in the order of `actor.UNIT_ORDER`, V vertices of the face.
Labels, units, scenes and settings are those of the actor drawn by formula (`actor`); only the pictures differ. It
needs the extra `[render]` and the asset `ict-face`. Every draw is a function of (part, seed, clip) alone; pictures
are the same to the bit on one machine, and on two as far as their OpenGL is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mimica import assets
from mimica.data import actor
from mimica.data.actor import UNIT_ORDER, ActorClips
from mimica.data.actor_identity import stream
from mimica.data.actor_settings import Part, Proportions, Task
from mimica.data.render_eyes import Eyes, eyes
from mimica.data.render_face import FaceModel, load_face
from mimica.data.render_hair import curtain
from mimica.data.render_look import look
from mimica.data.render_shot import Shot, shot
from mimica.data.render_sitter import Sitter, sitter
from mimica.data.render_studio import Studio, context
from mimica.data.scene import scenes

ASSET = "ict-face"
PIVOT = np.array([0.0, -1.5, 1.0])
"""What the head turns about."""

_FACE = ((-7.0, 7.0), (-8.8, 7.8), (2.5, 14.0))
"""The part of the resting head, in x, y and z, that a face detector's box is put round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedClips(ActorClips):
    """N synthetic clips as `ActorClips` has them, and beside them what was no part of the expression.

    `pose` [N, T, 3] is yaw to the face's left, pitch up and roll, `gaze` [N, T, 2] where the eyes look from the
    head, to its left and up, all in degrees; `blink` [N, T] how far the lids are closed, 0 to 1.
    """

    pose: Tensor
    gaze: Tensor
    blink: Tensor


def clips(
    number: int,
    *,
    first: int = 0,
    size: int = 64,
    frames: int = 16,
    proportions: Proportions = "equal",
    task: Task = "emotion",
    intensity: tuple[float, float] = (0.5, 1.0),
    polarity_agrees: float = 0.8,
    part: Part,
    seed: int,
    face: Path | None = None,
    take: Callable[[Shot], Shot] = lambda shot: shot,
) -> RenderedClips:
    """Synthetic labelled clips, from number `first` on; arguments and labels as those of `actor.clips`.

    With one frame a clip is a still of the expression at its apex. With `size` 0 nothing is drawn. `face` is a file
    as the asset `ict-face` has it, to be used in its place. `take` may change how each clip is taken. Raises
    AssetError without the asset or without OpenGL, MissingExtra without moderngl.
    """
    plan = actor.clips(
        number, first=first, size=0, frames=frames, proportions=proportions, task=task, intensity=intensity,
        polarity_agrees=polarity_agrees, part=part, seed=seed,
    )  # fmt: skip
    places = range(first, first + number)
    shots = [take(shot(n, frames, part=part, seed=seed)) for n in places]
    seen = [eyes(n, one.turn, part=part, seed=seed) for n, one in zip(places, shots, strict=True)]
    drawn = np.zeros((number, frames, size, size, 3), np.uint8)
    if size and number:
        studio = _studio(face or assets.file(ASSET), size)
        for i, n in enumerate(places):
            drawn[i] = pictures(studio, plan, i, n, seen[i], shots[i], part=part, seed=seed)
    return RenderedClips(
        **{name: getattr(plan, name) for name in ("units", "labels", "expressions", "scene", "identity", "space")},
        face=torch.from_numpy(drawn).permute(0, 1, 4, 2, 3), facts={**plan.facts, "size": size, "render": "ict"},
        pose=_stacked([np.stack([one.yaw, one.pitch, one.roll], -1) for one in shots], frames, 3),
        gaze=_stacked([one.gaze.mean(1) for one in seen], frames, 2),
        blink=_stacked([one.blink[:, None] for one in seen], frames, 1)[..., 0],
    )  # fmt: skip


def pictures(
    studio: Studio, plan: ActorClips, i: int, number: int, seen: Eyes, taking: Shot, *, part: Part, seed: int
) -> np.ndarray:
    """What a camera sees of clip `number`, the one at place `i` of a plan: uint8 [T, S, S, 3]."""
    behind = scenes(plan.scene[i : i + 1], size=studio.size, part=part, seed=seed, numbers=[number])[0]
    who, person, lopsided = _someone(studio.model, int(plan.identity[i]), part, seed)
    scene, units = behind.permute(1, 2, 0).numpy(), plan.units[i].numpy()
    taken = film(studio, who, units, seen, taking, person=person, scene=scene, lopsided=lopsided)
    return developed(taken, taking, stream(part, 23, seed, number))


def stills(
    plan: ActorClips, units: Tensor, *, first: int, size: int, part: Part, seed: int, face: Path | None = None
) -> np.ndarray:
    """Pictures uint8 [N, S, S, 3] of the clips of a plan, from number `first` on, with units [N, 1, U] of one's own."""
    plan, drawn = replace(plan, units=units), np.zeros((len(plan), size, size, 3), np.uint8)
    studio = _studio(face or assets.file(ASSET), size)
    for i, n in enumerate(range(first, first + len(plan))):
        taking = shot(n, 1, part=part, seed=seed)
        drawn[i] = pictures(
            studio, plan, i, n, eyes(n, taking.turn, part=part, seed=seed), taking, part=part, seed=seed
        )[0]
    return drawn


def reversed_pairs(clips: RenderedClips) -> RenderedClips:
    """Every clip of the task `direction` followed by itself reversed in time, as `actor.reversed_pairs` has it."""
    pairs = actor.reversed_pairs(clips)
    assert isinstance(pairs, RenderedClips)
    pose, gaze, blink = (
        torch.stack([value, value.flip(1)], 1).flatten(0, 1) for value in (clips.pose, clips.gaze, clips.blink)
    )
    return replace(pairs, pose=pose, gaze=gaze, blink=blink)


def ready() -> None:
    """Raise AssetError or MissingExtra where clips cannot be rendered on this machine."""
    context()
    assets.file(ASSET)


def film(
    studio: Studio, who: Sitter, units: np.ndarray, seen: Eyes, taking: Shot, *, person: np.ndarray,
    scene: np.ndarray, lopsided: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Pictures uint8 [T, S, S, 3] of a sitter whose units [T, U] and eyes are these, resting head `person` [V, 3].

    `scene` [S, S, 3] in 0 to 1 stands behind, out of focus; `lopsided` [U] is how much stronger a unit is on the
    left.
    """
    from PIL import Image, ImageFilter

    picture = Image.fromarray((scene * 255).round().astype(np.uint8))
    studio.backdrop(np.asarray(picture.filter(ImageFilter.GaussianBlur(taking.blur[0] * studio.size))))
    studio.dress(curtain(person, who.hair))
    studio.tell(**look(who), **_lighting(taking, who))
    posed = studio.model.posed(person, units, gaze=seen.gaze, blink=seen.blink, lopsided=lopsided)
    pictures = []
    for placed, unit, told in zip(posed, units, framing(studio.model, posed, taking), strict=True):
        studio.tell(unit=unit, **told)
        pictures.append(studio.draw(placed))
    return np.stack(pictures)


def developed(pictures: np.ndarray, taking: Shot, random: np.random.Generator) -> np.ndarray:
    """What a plain camera makes of pictures uint8 [T, S, S, 3]: a little blurred and noisy."""
    from PIL import Image, ImageFilter

    softer = ImageFilter.GaussianBlur(taking.blur[1] * pictures.shape[1])
    soft = np.stack([np.asarray(Image.fromarray(picture).filter(softer)) for picture in pictures]).astype(np.float32)
    grain = random.standard_normal(pictures.shape[:3], np.float32)[..., None]
    return np.asarray((soft + 255 * taking.noise * grain).clip(0, 255).round().astype(np.uint8))


def framing(model: FaceModel, posed: np.ndarray, taking: Shot) -> Iterator[dict[str, Any]]:
    """How the head is turned and where the camera is in each frame, so that its picture is a box round the face.

    `posed` [T, V, 3] is the face before it is turned.
    """
    low, high = np.array(_FACE).T
    face = posed[:, ((model.rest > low) & (model.rest < high)).all(1)]
    for t, points in enumerate(face):
        head = turned(taking.yaw[t], taking.pitch[t], taking.roll[t])
        x, y, z = (head @ (points - PIVOT).T).astype(np.float64)
        near = taking.distance / (taking.distance - z)
        x, y = x * near, y * near
        half = max(np.ptp(x), np.ptp(y)) / 2 / taking.size[t]
        middle = np.array([x.max() + x.min(), y.max() + y.min()]) / 2 / half
        shift = [taking.right[t], taking.up[t]] - middle
        yield {
            "head": head.T, "pivot": PIVOT, "camera": (taking.distance, 1 / half, *shift),
            "lens": (taking.distance, 1 / half, taking.corners),
        }  # fmt: skip


def turned(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """The rotation [3, 3] of a head that is turned so many degrees to its left, up, and onto its right shoulder."""
    a, b, c = np.deg2rad([yaw, pitch, roll])
    across = [[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]
    up = [[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]]
    over = [[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]]
    return np.asarray(np.array(over) @ np.array(across) @ np.array(up), np.float32)


def _lighting(taking: Shot, who: Sitter) -> dict[str, Any]:
    # A camera measures the light on the face: dark skin is exposed longer, though not until it is fair.
    fair = float(look(who)["skin_colour"].mean())
    return {
        "sun": taking.sun, "sun_colour": taking.sun_colour, "fill": taking.fill, "fill_colour": taking.fill_colour,
        "above_colour": taking.above, "below_colour": taking.below, "balance": taking.balance,
        "exposure": taking.exposure * (0.35 / fair) ** 0.35, "range": (taking.distance - 30, taking.distance + 40),
    }  # fmt: skip


@lru_cache(maxsize=4)
def _studio(path: Path, size: int) -> Studio:
    return Studio(load_face(path), size)


@lru_cache(maxsize=2)
def _someone(model: FaceModel, place: int, part: Part, seed: int) -> tuple[Sitter, np.ndarray, np.ndarray]:
    """A sitter, its resting head [V, 3], and how lopsided it is [U]: clips in a row show the same one."""
    who = sitter(place, modes=len(model.modes), part=part, seed=seed)
    return who, model.person(who.modes), lopsidedness(place, part, seed)


def lopsidedness(place: int, part: Part, seed: int) -> np.ndarray:
    """How much stronger each unit [U] of a sitter is on the left than on the right: no face is even."""
    return np.asarray(0.10 * stream(part, 24, seed, place).standard_normal(len(UNIT_ORDER)).clip(-2, 2))


def _stacked(each: list[np.ndarray], frames: int, width: int) -> Tensor:
    return torch.from_numpy(np.array(each, np.float32).reshape(len(each), frames, width))
