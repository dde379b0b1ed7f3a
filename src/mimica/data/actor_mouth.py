"""How the mouth and chin of a synthetic face are drawn. Axes and planes as in `actor_face`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mimica.data.actor_shapes import between, ellipse, segment, stroke

if TYPE_CHECKING:
    from mimica.data.actor_face import Face


def paint_mouth(face: Face) -> None:
    """Chin, lips, and what is seen between them."""
    _paint_chin(face)
    x, y = face.plane(0.14)
    s, v, middle, top, bottom = _opening(face, x, y)
    upper, lower = _lips(face)
    round_ = (1 - s * s).clamp(min=-1)
    soft_box = 1 - s**4
    cupid = 0.20 * torch.exp(-((s / 0.16) ** 2))
    jaw = 0.8 * face.unit(26) * (1 - torch.maximum(face.unit(12), face.unit(20)))
    round_ = torch.lerp(round_, torch.sqrt(round_.clamp(min=0)) + round_.clamp(max=0), jaw)
    outer_top = top - upper * (round_ - cupid)
    outer_low = bottom + lower * torch.lerp(round_, soft_box, 0.3)
    face.canvas.paint(_within(s, v, outer_top, outer_low), face.lips)
    shine = _within(s / 0.8, v, bottom + 0.35 * lower * round_, bottom + 0.6 * lower * round_)
    face.canvas.paint(shine, face.light, strength=0.22)
    _paint_cavity(face, s, v, top, bottom)
    gap = (bottom - top).clamp(min=0)
    closed = stroke(s / 1.04, v - middle, 0.019 + 0.008 * torch.maximum(face.unit(23), face.unit(24)))
    tight = torch.maximum(face.unit(23), face.unit(24))
    face.canvas.paint(closed, face.line * 0.7, strength=((0.045 - gap) / 0.03).clamp(0, 1) * (0.8 + 0.2 * tight))
    _paint_corners(face, s, v, middle)


def _within(s: Tensor, v: Tensor, top: Tensor, bottom: Tensor) -> Tensor:
    """Distance to what lies between two curves and between the corners of the mouth."""
    return torch.maximum(between(v, top, bottom), (s.abs() - 1) * 0.25)


def _opening(face: Face, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Place s along the mouth (-1 and 1 its corners), height v, the line of the mouth, and the lips' inner edges."""
    a10, a12, a15, a16, a17, a20 = (face.unit(n) for n in (10, 12, 15, 16, 17, 20))
    a23, a24, a25, a26 = (face.unit(n) for n in (23, 24, 25, 26))
    wide = face.trait("mouth_width", 0.21, 0.265) + 0.085 * a12 + 0.115 * a20 - 0.050 * a23 + 0.025 * a24 + 0.02 * a15
    wide = wide - 0.085 * a26 * (1 - 0.9 * torch.maximum(a12, a20))
    s = x / wide
    t = s.clamp(-1.3, 1.3)
    bend = -0.012 - 0.133 * a12 + 0.130 * a15 + 0.035 * a20 + 0.05 * a17 + 0.035 * a23
    v = y - 0.47 - 0.045 * a12 + 0.045 * a15 + 0.03 * a17
    middle = bend * t * t
    calm = 1 - 0.85 * torch.maximum(a24, 0.5 * a23)
    round_, soft_box = 1 - t * t, 1 - t**4
    oval = torch.sqrt(round_.clamp(min=0)) + round_.clamp(max=0)
    round_ = torch.lerp(round_, oval, 0.8 * a26 * (1 - torch.maximum(a12, a20)))
    shape = torch.lerp(round_, soft_box, (a20 + 0.5 * a10 + 0.7 * a16).clamp(max=1))
    up = (0.055 * a10 + 0.020 * a25 + 0.055 * a26 + 0.020 * face.unit(9)) * calm
    down = (0.090 * a25 + 0.225 * a26 * (1 - 0.45 * a20) + 0.075 * a16 + 0.02 * a10) * calm
    return s, v, middle, middle - up * shape, middle + down * shape


def _lips(face: Face) -> tuple[Tensor, Tensor]:
    """How thick the upper and the lower lip are."""
    thin = (1 - 0.55 * face.unit(23)) * (1 - 0.75 * face.unit(24)) * (1 - 0.15 * face.unit(12))
    upper = face.trait("lip_fullness", 0.042, 0.060) * thin * (1 - 0.3 * face.unit(20))
    lower = face.trait("lip_fullness", 0.055, 0.080) * thin * (1 - 0.2 * face.unit(20))
    return upper, lower + 0.015 * face.unit(17)


def _paint_cavity(face: Face, s: Tensor, v: Tensor, top: Tensor, bottom: Tensor) -> None:
    """The dark of an open mouth, its tongue, and the teeth that a raised or lowered lip bares."""
    inside = _within(s, v, top, bottom) + 0.004
    face.canvas.paint(inside, face.fixed(0.27, 0.09, 0.10))
    a26 = face.unit(26)
    tongue = ellipse(s * 0.22, v - 0.21 * a26 - 0.02, 0.11, 0.06)
    face.canvas.paint(torch.maximum(inside, tongue), face.fixed(0.62, 0.26, 0.28), strength=a26)
    teeth = face.fixed(0.97, 0.95, 0.91)
    bare = 0.012 + 0.040 * face.unit(10) + 0.045 * face.unit(12) + 0.008 * a26
    face.canvas.paint(torch.maximum(inside, v - top - bare), teeth)
    below = 0.042 * face.unit(16) + 0.030 * face.unit(20) * (1 - a26)
    face.canvas.paint(torch.maximum(inside, bottom - v - below), teeth * 0.96, strength=(below > 0.004).float())


def _paint_corners(face: Face, s: Tensor, v: Tensor, middle: Tensor) -> None:
    """A dimple of a smile, a droop of corners that are pulled down, tension of lips that are tight."""
    out = (s.abs() - 1) * 0.25
    at = v - middle
    dimple = segment(out, at, (0.01, 0.035), (0.035, -0.035), 0.013)
    face.canvas.paint(dimple, face.line, strength=0.7 * face.unit(12))
    droop = segment(out, at, (0.0, 0.0), (0.045, 0.075), 0.014)
    face.canvas.paint(droop, face.line, strength=0.8 * face.unit(15))
    stretched = segment(out, at, (0.03, -0.05), (0.03, 0.06), 0.011)
    face.canvas.paint(stretched, face.line, strength=0.6 * face.unit(20))
    tight = torch.maximum(face.unit(23), face.unit(24))
    bulge = ellipse(out - 0.02, at, 0.022, 0.04)
    face.canvas.paint(bulge, face.line, strength=0.55 * tight, soft=0.03)
    for side in (-1, 1):
        roll = stroke(s / 0.9, at - side * 0.062, 0.012)
        face.canvas.paint(roll, face.line, strength=0.5 * tight)


def _paint_chin(face: Face) -> None:
    x, y = face.plane(0.10)
    a17, drop = face.unit(17), 0.14 * face.unit(26) + 0.03 * face.unit(25) + 0.06 * face.unit(16)
    s = x / 0.13
    crease = stroke(s, y - 0.635 - drop + 0.03 * a17 + (0.03 * a17 - 0.012) * (1 - s * s), 0.012 + 0.010 * a17)
    face.canvas.paint(crease, face.line, strength=0.30 + 0.5 * a17)
    for place in (-0.05, 0.0, 0.05):
        pit = ellipse(x - place, y - 0.715 - drop + 0.025 * a17 - abs(place) * 0.4, 0.018, 0.022)
        face.canvas.paint(pit, face.line, strength=0.45 * a17, soft=0.02)
