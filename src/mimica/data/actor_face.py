"""How a synthetic face is drawn: parts from back to front, each moved by the Action Units that move it.

N pictures, S side in pixels, U units in the order of `facs.UNITS`. The face's own plane: x rightwards and y
downwards, the height of the face about -0.7 to 0.85. What one sees of each unit follows `facs.UNITS`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mimica.data.actor_identity import BEARD_STYLES, GLASSES_STYLES, HAIR_STYLES, Identity
from mimica.data.actor_mouth import paint_mouth
from mimica.data.actor_shapes import Canvas, Number, between, box, ellipse, ramp, segment, stroke
from mimica.facs import UNITS

_SKIN = ((250, 214, 190), (238, 190, 154), (216, 160, 118), (168, 114, 78), (122, 80, 56))
_HAIR = ((34, 28, 30), (70, 46, 34), (122, 76, 44), (164, 84, 44), (214, 170, 100), (150, 148, 150))
_IRIS = ((58, 38, 26), (104, 70, 36), (70, 104, 62), (58, 110, 160))
_SHIRT = ((60, 84, 130), (90, 130, 110), (150, 80, 76), (220, 210, 190), (70, 66, 80))
_LIPS = ((196, 104, 98), (184, 74, 86))

# A style: how wide and high the hair stands behind the head, how far it falls, the hairline in the middle and
# how much lower it is at the sides, how far its parting is off the middle, how wavy its edge, hair on top at all.
_STYLES = {
    "short": (0.05, 0.13, 0.00, -0.58, 0.26, 0.08, 0.018, 1),
    "bob": (0.16, 0.14, 0.62, -0.60, 0.42, 0.06, 0.00, 1),
    "long": (0.13, 0.12, 1.50, -0.64, 0.46, 0.10, 0.00, 1),
    "bald": (-0.10, -0.10, 0.00, -0.95, 0.00, 0.00, 0.00, 0),
    "fringe": (0.10, 0.12, 0.30, -0.52, 0.10, 0.00, 0.022, 1),
    "curls": (0.20, 0.22, 0.20, -0.60, 0.34, 0.00, 0.04, 1),
    "cropped": (0.02, 0.06, 0.00, -0.62, 0.18, 0.00, 0.00, 1),
    "bun": (0.05, 0.30, 0.00, -0.64, 0.44, 0.00, 0.00, 1),
    "waves": (0.17, 0.14, 1.00, -0.62, 0.44, -0.10, 0.03, 1),
}


class Face:
    """Numbers [N, 1, 1], colours [N, 3] and planes x, y [N, S, S] that the parts of one drawing share."""

    def __init__(self, identity: Identity, units: Tensor, canvas: Canvas, x: Tensor, y: Tensor, turn: Tensor) -> None:
        self.identity, self.canvas, self.x, self.y, self.turn = identity, canvas, x, y, turn
        self._units = dict(zip(UNITS, units.clamp(0, 1).unbind(1), strict=True))
        warm = torch.tensor([0.05, 0.0, -0.05]) * (identity.warmth - 0.5)[:, None]
        self.skin = (ramp(_SKIN, identity.skin) + warm).clamp(0, 1)
        self.hair = ramp(_HAIR, identity.hair_colour)
        self.line = self.skin * torch.tensor([0.42, 0.32, 0.30])
        self.shade = self.skin * torch.tensor([0.78, 0.68, 0.66])
        self.light = 1 - (1 - self.skin) * 0.72
        self.lips = torch.lerp(ramp(_LIPS, identity.lip_colour), self.skin, 0.18) * (0.72 + 0.28 * self.skin[:, :1])

    def unit(self, number: int) -> Tensor:
        """The strength [N, 1, 1] of a unit, 0 to 1."""
        return self._units[number][:, None, None]

    def trait(self, name: str, low: float, high: float) -> Tensor:
        """A trait as a length [N, 1, 1] between its extremes."""
        place: Tensor = getattr(self.identity, name)
        return (low + (high - low) * place)[:, None, None]

    def plane(self, depth: float) -> tuple[Tensor, Tensor]:
        """The plane that lies `depth` before the face's edge: a turn shifts it and squeezes its far side."""
        yaw, pitch = self.turn[:, 0, None, None], self.turn[:, 1, None, None]
        x = self.x - yaw * depth
        return x * (1 + 0.25 * yaw * torch.tanh(3 * x)), self.y - pitch * depth

    def fixed(self, *rgb: float) -> Tensor:
        """The same colour [N, 3] for every picture."""
        return torch.tensor(rgb).expand(len(self.skin), 3)


def paint_face(face: Face) -> None:
    """Everything of the actor, back to front."""
    style = torch.tensor([_STYLES[name] for name in HAIR_STYLES])[face.identity.hair]
    _paint_body(face, style)
    _paint_head(face)
    _paint_cheeks(face)
    _paint_beard(face)
    _paint_nose(face)
    paint_mouth(face)
    _paint_eyes(face)
    _paint_hair(face, style)
    _paint_brow_lines(face)
    _paint_brows(face)
    _paint_glasses(face)


def _head(face: Face, x: Tensor, y: Tensor, more: Number = 0.0) -> Tensor:
    """Distance to the outline of the head; a dropped jaw lengthens its lower half."""
    wide, long = face.trait("face_width", 0.58, 0.70), face.trait("face_length", 0.76, 0.88)
    lower = long + 0.13 * face.unit(26) - 0.02 * face.unit(17)
    taper = face.trait("jaw", 0.10, 0.32) * (y / lower).clamp(0, 1) ** 2
    tall = torch.where(y < 0, torch.full_like(y, 0.80), lower.expand_as(y))
    return ellipse(x, y, wide * (1 - taper) + more, tall + more)


def _paint_body(face: Face, style: Tensor) -> None:
    x, y = face.plane(-0.10)
    wide, high, fall, _, _, _, wave, _ = (v[:, None, None] for v in style.unbind(1))
    broad = face.trait("face_width", 0.58, 0.70)
    ripple = wave * torch.sin(11 * torch.atan2(x, -y))
    back = ellipse(x, y + 0.06, broad + wide, 0.74 + high) - ripple
    hanging = box(x, y - fall / 2, broad + wide, fall / 2 + 0.02, 0.12) - wave * torch.sin(16 * y)
    face.canvas.paint(torch.minimum(back, hanging), face.hair * 0.72)
    face.canvas.paint(box(face.x, face.y - 1.0, 0.52 * broad, 0.5), face.shade)
    shirt = ramp(_SHIRT, face.identity.shirt)
    face.canvas.paint(ellipse(face.x, face.y - 1.52, 1.15, 0.68), shirt)
    ears = ellipse(x.abs() - broad + 0.01, y - 0.06, 0.09, 0.15)
    face.canvas.paint(ears, face.skin * 0.93)


def _paint_head(face: Face) -> None:
    head = _head(face, face.x, face.y)
    face.canvas.paint(head, face.skin)
    # Only a rim is darker: a face lit from the front is even, and even skin lets small signs be seen.
    face.canvas.paint(-head - 0.02, face.shade, strength=0.35 * (head < 0.01), soft=0.16)


def _paint_cheeks(face: Face) -> None:
    x, y = face.plane(0.10)
    a6, a12 = face.unit(6), face.unit(12)
    cheek = ellipse(x.abs() - 0.36, y - 0.24 + 0.07 * a6, 0.15, 0.11)
    blush = torch.lerp(face.skin, face.lips, 0.42)
    face.canvas.paint(cheek, blush, strength=0.38 + 0.42 * a6 + 0.1 * a12, soft=0.14)
    deep = (0.12 + 0.70 * a12 + 0.75 * face.unit(10) + 0.55 * face.unit(9) + 0.2 * face.unit(20)).clamp(max=1)
    t = (y - 0.31) / 0.15
    fold = 0.16 + (0.13 + 0.10 * a12 + 0.06 * face.unit(20)) * (0.5 + 0.5 * t) + 0.03 * (1 - t * t)
    face.canvas.paint(stroke(t, x.abs() - fold, 0.018), face.line, strength=0.62 * deep)


def _paint_nose(face: Face) -> None:
    x, y = face.plane(0.17)
    a9 = face.unit(9)
    wide, tip = face.trait("nose_width", 0.085, 0.135), face.trait("nose_length", 0.17, 0.26) - 0.05 * a9
    wide = wide + 0.025 * a9 + 0.015 * face.unit(10)
    face.canvas.paint(ellipse(x, y - tip + 0.14, 0.035, 0.15), face.light, strength=0.8, soft=0.05)
    s = x / wide
    face.canvas.paint(stroke(s, y - tip - 0.035 + 0.05 * s * s, 0.017), face.line, strength=0.75)
    face.canvas.paint(ellipse(x.abs() - 0.55 * wide, y - tip - 0.005, 0.028, 0.016), face.line, strength=0.8)
    wing = ellipse(x.abs() - wide, y - tip + 0.015, 0.022, 0.045)
    face.canvas.paint(wing, face.line, strength=0.25 + 0.30 * a9, soft=0.02)
    wx, wy = face.plane(0.15)
    for k in range(3):
        s = wx / (0.10 + 0.015 * k)
        fold = stroke(s, wy + 0.15 - 0.085 * k - 0.05 * s * s, 0.020)
        face.canvas.paint(fold, face.line, strength=0.85 * a9)
    side = segment(wx.abs(), wy, (0.10, 0.0), (0.155, 0.10), 0.012)
    face.canvas.paint(side, face.line, strength=0.6 * a9)


def _paint_eyes(face: Face) -> None:
    x, y = face.plane(0.10)
    a1, a4, a5, a6, a7, a9 = (face.unit(n) for n in (1, 4, 5, 6, 7, 9))
    size = face.trait("eye_size", 0.88, 1.12)
    across = x.abs() - face.trait("eye_distance", 0.26, 0.31)
    wide = 0.155 * size
    s, v = across / wide, y + 0.08
    bow = (1 - s * s).clamp(min=-3)
    sorrow = a1 * (1 - a5) * (0.4 + 0.6 * a4)
    top = -(0.085 * size + 0.065 * a5 - 0.020 * a7 - 0.018 * a6 - 0.030 * a9 - 0.034 * sorrow) * bow
    glare = a4 * (1 - a1)
    top = top + 0.038 * sorrow * s + 0.032 * glare * (0.5 - s)
    low = (0.062 * size - 0.030 * a7 - 0.055 * a6 - 0.030 * a9 + 0.012 * a5) * bow
    low = low - 0.02 * a6 * bow
    eye = between(v, top, low)
    white = torch.lerp(face.fixed(0.98, 0.97, 0.95), face.skin, 0.06)
    face.canvas.paint(eye, white)
    iris = ellipse(across, v + 0.008, 0.072 * size, 0.072 * size)
    face.canvas.paint(torch.maximum(eye, iris), ramp(_IRIS, face.identity.iris))
    face.canvas.paint(torch.maximum(eye, iris + 0.036 * size), face.fixed(0.05, 0.04, 0.05))
    glint = ellipse(across + 0.024, v + 0.030, 0.018, 0.018)
    face.canvas.paint(torch.maximum(eye, glint), face.fixed(1.0, 1.0, 1.0), strength=0.9)
    reach = s / 1.08
    face.canvas.paint(stroke(reach, v - top, 0.026), face.line * 0.55)
    face.canvas.paint(stroke(reach, v - low, 0.009 + 0.010 * torch.maximum(a7, a6)), face.line, strength=0.7)
    face.canvas.paint(stroke(reach, v - top + 0.045 - 0.02 * a5, 0.010), face.line, strength=0.45)
    bag = stroke(s, v - low - 0.055, 0.014)
    face.canvas.paint(bag, face.line, strength=(0.75 * a6 + 0.45 * a7 + 0.4 * a9).clamp(max=0.8))
    _paint_crows_feet(face, across - wide, v, a6)


def _paint_crows_feet(face: Face, x: Tensor, y: Tensor, a6: Tensor) -> None:
    for rise in (-0.075, 0.005, 0.08):
        line = segment(x, y, (0.035, 0.45 * rise), (0.090, 0.8 * rise), 0.009)
        face.canvas.paint(line, face.line, strength=0.6 * a6)


def _paint_brows(face: Face) -> None:
    x, y = face.plane(0.11)
    a1, a2, a4, a9 = (face.unit(n) for n in (1, 2, 4, 9))
    knit = a4 * (1 - 0.9 * a1)
    inner = -0.14 * a1 - 0.05 * a2 + 0.150 * knit + 0.085 * a9 * (1 - a1)
    middle = -0.065 * a1 - 0.12 * a2 + 0.085 * knit + 0.05 * a9
    outer = (0.02 + 0.05 * a4) * a1 * (1 - a2) - 0.11 * a2 - 0.02 * knit
    half = 0.185
    s = (x.abs() - face.trait("eye_distance", 0.26, 0.31) - 0.015 + 0.045 * a4) / half
    rest = face.trait("brow_height", -0.27, -0.32) - 0.035 * (1 - s * s) + 0.02 * s
    t = s.clamp(-1.2, 1.2)
    moved = middle + (outer - inner) / 2 * t + ((outer + inner) / 2 - middle) * t * t
    thick = face.trait("brow_thickness", 0.030, 0.046) * (1 - 0.22 * s)
    colour = face.hair * 0.40 + face.line * 0.30
    face.canvas.paint(torch.maximum((y - rest - moved).abs() - thick, (s.abs() - 1) * half), colour)


def _paint_brow_lines(face: Face) -> None:
    """Wrinkles across the forehead of raised brows, and between brows that are knit."""
    x, y = face.plane(0.09)
    a1, a2, a4 = face.unit(1), face.unit(2), face.unit(4)
    up = torch.maximum(a1, a2)
    for k in range(2):
        s = x / (0.18 + 0.18 * a2 - 0.04 * k)
        line = stroke(s, y + 0.515 + 0.075 * k + 0.02 * a2 - 0.02 * a1 * (1 - a2) * s * s, 0.013)
        face.canvas.paint(line, face.line, strength=0.55 * up)
    lean = 0.042 - 0.05 * (y + 0.27)
    furrow = stroke((y + 0.27) / 0.10, x.abs() - lean, 0.017)
    face.canvas.paint(furrow, face.line, strength=0.8 * a4 * (1 - 0.6 * a1))


def _paint_hair(face: Face, style: Tensor) -> None:
    x, y = face.plane(0.04)
    _, high, _, middle, drop, parting, wave, there = (v[:, None, None] for v in style.unbind(1))
    s = (x - parting) / face.trait("face_width", 0.58, 0.70)
    line = middle + drop * s * s * (0.4 + 0.6 * s * s) - wave * torch.cos(9 * s)
    cap = torch.maximum(_head(face, face.x, face.y, 0.025 + 0.15 * high.clamp(min=0)), y - line)
    face.canvas.paint(cap, face.hair, strength=there)
    shine = stroke(s / 0.8, y + 0.74 - 0.2 * s * s, 0.03)
    face.canvas.paint(torch.maximum(cap, shine), 1 - (1 - face.hair) * 0.8, strength=there * 0.3, soft=0.04)


def _paint_beard(face: Face) -> None:
    x, y = face.plane(0.06)
    colour, jaw = face.hair * 0.85, 0.10 * face.unit(26)
    head = _head(face, face.x, face.y)
    edge = 0.34 + 0.04 * torch.cos(4 * x) - 0.62 * (x.abs() - 0.30).clamp(min=0)
    full = torch.maximum(head, edge - y)
    goatee = torch.maximum(head, ellipse(x, y - 0.76 - jaw, 0.17, 0.17))
    for name, shape, cover in (("full", full, 0.9), ("stubble", full, 0.28), ("goatee", goatee, 0.9)):
        chosen = (face.identity.beard == BEARD_STYLES.index(name))[:, None, None]
        face.canvas.paint(shape, colour, strength=cover * chosen, soft=0.03)


def _paint_glasses(face: Face) -> None:
    x, y = face.plane(0.14)
    across, v = x.abs() - face.trait("eye_distance", 0.26, 0.31), y + 0.07
    round_, square = ellipse(across, v, 0.205, 0.185), box(across, v, 0.21, 0.15, 0.05)
    bridge = segment(x, v, (-0.08, -0.02), (0.08, -0.02), 0.012)
    for name, shape in (("round", round_), ("square", square)):
        chosen = (face.identity.glasses == GLASSES_STYLES.index(name))[:, None, None]
        frame = torch.minimum(shape.abs() - 0.013, bridge)
        face.canvas.paint(frame, face.fixed(0.16, 0.15, 0.18), strength=0.85 * chosen)
