"""What stands behind the actor: a synthetic scene whose light, palette and things have a polarity.

B scenes, S side in pixels. Polarity is 1 (bright and warm: sun, flowers, balloons), 0 (even and grey:
furniture, walls) or -1 (dark and cold: rain, cracks, bare trees). Lengths are in half sides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from mimica.data.actor_identity import banded, stream
from mimica.data.actor_settings import Part
from mimica.data.actor_shapes import Canvas, box, ellipse, grid, ramp, segment
from mimica.errors import UsageError
from mimica.labels import LabelSpace

THINGS = MappingProxyType(
    {
        "train": MappingProxyType(
            {1: ("sun", "flowers", "trees"), 0: ("shelf", "window"), -1: ("rain", "bare_tree", "cracks")}
        ),
        "test": MappingProxyType({1: ("balloons", "rainbow"), 0: ("picture", "lamp"), -1: ("storm", "fence")}),
    }
)
"""What stands in the scenes of a part, by polarity: no thing is in both parts."""

PALETTES = MappingProxyType(
    {
        "train": MappingProxyType(
            {
                1: (((120, 196, 250), (255, 236, 170)), ((250, 214, 150), (255, 240, 214))),
                0: (((170, 168, 164), (150, 148, 146)), ((186, 180, 170), (140, 138, 136))),
                -1: (((36, 44, 60), (58, 62, 72)), ((50, 50, 62), (28, 30, 40))),
            }
        ),
        "test": MappingProxyType(
            {
                1: (((150, 224, 214), (255, 226, 190)),),
                0: (((162, 168, 172), (178, 174, 172)),),
                -1: (((40, 52, 52), (44, 40, 54)),),
            }
        ),
    }
)
"""Pairs of colours, above and below, of the scenes of a part, by polarity: no pair is in both parts."""


_LIGHT = MappingProxyType(
    {
        1: ("a bright and warm place", "cheerful, in clear colours"),
        0: ("an even, grey place", "plain, in dull colours"),
        -1: ("a dark and cold place", "gloomy, in deep shades"),
    }
)
SCENE_WORDS = MappingProxyType(
    {
        "sun": "the sun in the sky", "flowers": "flowers on a meadow", "trees": "trees in leaf",
        "balloons": "balloons on strings", "rainbow": "a rainbow over a hill", "shelf": "shelves full of books",
        "window": "a window in a wall", "picture": "a picture on a wall", "lamp": "a standing lamp",
        "rain": "rain falling", "bare_tree": "bare trees", "cracks": "cracks in a wall",
        "storm": "clouds and lightning", "fence": "a broken fence",
    }
)  # fmt: skip
"""What stands in scenes, as captions say it."""


def scene_space(part: Part) -> LabelSpace:
    """The things that stand in the scenes of a part, as classes: what each looks like in words, and its polarity."""
    things = [(name, polarity) for polarity, names in THINGS[part].items() for name in names]
    described = [
        (
            f"{_LIGHT[p][0]} with {SCENE_WORDS[name]}",
            f"{SCENE_WORDS[name]}, {_LIGHT[p][1]}",
            f"a picture of {SCENE_WORDS[name]}",
        )
        for name, p in things
    ]
    return LabelSpace(
        name="scenes", names=tuple(name for name, _ in things), descriptions=tuple(described),
        polarity=tuple(p for _, p in things),
    )  # fmt: skip


def scene_polarity(
    polarity: Sequence[int] | np.ndarray,
    agrees: float,
    *,
    seed: int,
    part: Part,
    numbers: Sequence[int] | np.ndarray | None = None,
) -> np.ndarray:
    """Polarities [B] of scenes: that of the label with probability `agrees`, else one of the two others."""
    if not 0 <= agrees <= 1:
        raise UsageError(f"the share of scenes that agree is from 0 to 1, got {agrees}")
    numbers = range(len(polarity)) if numbers is None else numbers
    drawn = []
    for own, number in zip(polarity, numbers, strict=True):
        u, v = stream(part, 10, seed, int(number)).random(2)
        others = [p for p in (-1, 0, 1) if p != own]
        drawn.append(int(own) if u < agrees else others[int(2 * v)])
    return np.array(drawn, dtype=np.int64)


def scenes(
    polarity: Sequence[int] | np.ndarray | Tensor,
    *,
    size: int,
    part: Part,
    seed: int,
    numbers: Sequence[int] | np.ndarray | None = None,
    things: Sequence[str] | None = None,
) -> Tensor:
    """Synthetic scenes [B, 3, S, S] in 0 to 1 of these polarities; `numbers` are their own, or 0, 1, 2, …

    What stands in each is drawn from those of its polarity, unless `things` say it.
    """
    wanted = [int(p) for p in polarity]
    if not set(wanted) <= {-1, 0, 1}:
        raise UsageError(f"polarity is -1, 0 or 1, got {sorted(set(wanted))}")
    numbers = range(len(wanted)) if numbers is None else numbers
    u = np.stack([stream(part, 11, seed, int(n)).random(24) for n in numbers])
    places = torch.from_numpy(banded(u[:, 4:], part)).float()
    x, y = grid(size, len(wanted))
    picture = _backdrop(wanted, u, places, part, y)
    names = list(things) if things else [_thing(p, u[i, 1], part) for i, p in enumerate(wanted)]
    for name in sorted(set(names)):
        chosen = torch.tensor([i for i, other in enumerate(names) if other == name])
        canvas = Canvas(picture=picture[chosen], pixel=torch.full((len(chosen), 1, 1), 2 / size))
        _PAINT[name](canvas, x[chosen], y[chosen], places[chosen])
        picture[chosen] = canvas.picture
    return picture.clamp(0, 1)


def _thing(polarity: int, u: float, part: Part) -> str:
    names = THINGS[part][polarity]
    return names[int(u * len(names))]


def _backdrop(wanted: list[int], u: np.ndarray, places: Tensor, part: Part, y: Tensor) -> Tensor:
    pairs = [PALETTES[part][p][int(u[i, 0] * len(PALETTES[part][p]))] for i, p in enumerate(wanted)]
    colours = torch.tensor(pairs, dtype=torch.float32) / 255
    shade = (0.92 + 0.16 * places[:, 0])[:, None, None, None]
    blend = ((y + 1) / 2)[:, None]
    above, below = colours[:, 0, :, None, None], colours[:, 1, :, None, None]
    return torch.lerp(above.expand(-1, -1, *y.shape[1:]), below, blend) * shade


def _colour(canvas: Canvas, *rgb: int) -> Tensor:
    return (torch.tensor(rgb, dtype=torch.float32) / 255).expand(len(canvas.pixel), 3)


def _at(places: Tensor, k: int, low: float, high: float) -> Tensor:
    return (low + (high - low) * places[:, k])[:, None, None]


def _side(places: Tensor, k: int) -> Tensor:
    return torch.where(places[:, k] < 0.5, -1.0, 1.0)[:, None, None]


def _sun(canvas: Canvas, x: Tensor, y: Tensor, places: Tensor) -> None:
    left, top = x - _side(places, 1) * _at(places, 2, 0.68, 0.85), y + _at(places, 3, 0.68, 0.85)
    canvas.paint(ellipse(left, top, 0.2, 0.2) - 0.06, _colour(canvas, 255, 244, 190), strength=0.7, soft=0.25)
    canvas.paint(ellipse(left, top, 0.2, 0.2), _colour(canvas, 255, 214, 70))
    rays = torch.cos(5 * torch.atan2(top, left)) * 0.08
    canvas.paint((ellipse(left, top, 0.32, 0.32) - rays).abs() - 0.02, _colour(canvas, 255, 224, 110), strength=0.8)


def _flowers(canvas: Canvas, x: Tensor, y: Tensor, places: Tensor) -> None:
    canvas.paint(0.55 + 0.08 * torch.sin(3 * x) - y, _colour(canvas, 132, 196, 90))
    for k in range(6):
        side = 0.62 + 0.30 * ((k * 0.37) % 1)
        dx = x - (side if k % 2 else -side) - 0.1 * (places[:, k, None, None] - 0.5)
        dy = y - _at(places, 6 + k, -0.25, 0.85) - 0.1 * (k - 2.5) / 2.5
        canvas.paint(segment(dx, dy, (0.0, 0.0), (0.0, 0.5), 0.015), _colour(canvas, 90, 160, 70))
        petals = 0.035 * torch.cos(5 * torch.atan2(dy, dx))
        tint = ramp(((250, 110, 130), (255, 190, 60), (250, 150, 220)), places[:, 12])
        canvas.paint(ellipse(dx, dy, 0.11, 0.11) - petals, tint)
        canvas.paint(ellipse(dx, dy, 0.04, 0.04), _colour(canvas, 255, 240, 140))


def _trees(canvas: Canvas, x: Tensor, y: Tensor, places: Tensor) -> None:
    canvas.paint(0.5 - y, _colour(canvas, 150, 206, 104))
    for k, side in enumerate((-0.82, 0.82)):
        dx, dy = x - side - 0.1 * (places[:, 4 + k, None, None] - 0.5), y - _at(places, 6 + k, -0.35, -0.05)
        canvas.paint(box(dx, dy - 0.5, 0.05, 0.45), _colour(canvas, 150, 104, 62))
        leaves = ellipse(dx, dy, 0.30, 0.36) - 0.03 * torch.cos(7 * torch.atan2(dy, dx))
        canvas.paint(leaves, _colour(canvas, 104, 186, 84))


def _balloons(canvas: Canvas, x: Tensor, y: Tensor, places: Tensor) -> None:
    for k, (side, height) in enumerate(((-0.80, -0.6), (0.78, -0.7), (-0.72, 0.0), (0.86, -0.05))):
        dx, dy = (
            x - side - 0.1 * (places[:, k, None, None] - 0.5),
            y - height - 0.3 * (places[:, 4 + k, None, None] - 0.5),
        )
        canvas.paint(segment(dx, dy, (0.0, 0.1), (-0.05, 0.9), 0.008), _colour(canvas, 250, 250, 250))
        tint = ramp(((255, 90, 90), (255, 200, 60), (90, 170, 250)), places[:, 8 + k])
        canvas.paint(ellipse(dx, dy, 0.15, 0.19), tint)
        canvas.paint(ellipse(dx + 0.05, dy + 0.07, 0.03, 0.05), _colour(canvas, 255, 255, 255), strength=0.7)


def _rainbow(canvas: Canvas, x: Tensor, y: Tensor, places: Tensor) -> None:
    far = torch.sqrt((x - _at(places, 1, -0.15, 0.15)) ** 2 + (y - 0.5) ** 2)
    bows = ((244, 110, 110), (255, 190, 90), (255, 240, 130), (130, 210, 130), (120, 160, 240))
    for k, bow in enumerate(bows):
        canvas.paint((far - 1.25 + 0.09 * k).abs() - 0.045, _colour(canvas, *bow), strength=0.85)
    canvas.paint(0.6 + 0.06 * torch.cos(4 * x) - y, _colour(canvas, 142, 206, 120))


def _shelf(canvas: Canvas, x: Tensor, y: Tensor, places: Tensor) -> None:
    for k, height in enumerate((-0.62, 0.0, 0.62)):
        dy = y - height - 0.1 * (places[:, k, None, None] - 0.5)
        for b in range(10):
            at = -0.92 + 0.2 * b
            tint = ramp(((120, 112, 106), (150, 150, 156), (104, 110, 118)), places[:, (3 * k + b) % 20])
            tall = _at(places, (5 * k + b) % 20, 0.10, 0.18)
            canvas.paint(box(x - at, dy + tall + 0.02, 0.07, tall), tint)
        canvas.paint(dy.abs() - 0.03, _colour(canvas, 116, 104, 94))


def _window(canvas: Canvas, x: Tensor, y: Tensor, places: Tensor) -> None:
    dx, dy = x - _side(places, 1) * _at(places, 2, 0.60, 0.75), y + _at(places, 3, 0.25, 0.5)
    pane = box(dx, dy, 0.42, 0.50)
    canvas.paint(pane, _colour(canvas, 196, 202, 206))
    bars = torch.minimum(torch.minimum(pane.abs(), dx.abs().maximum(pane)), dy.abs().maximum(pane)) - 0.025
    canvas.paint(bars, _colour(canvas, 120, 118, 116))


def _picture(canvas: Canvas, x: Tensor, y: Tensor, places: Tensor) -> None:
    dx, dy = x - _side(places, 1) * _at(places, 2, 0.65, 0.8), y + _at(places, 3, 0.4, 0.6)
    frame = box(dx, dy, 0.28, 0.34)
    canvas.paint(frame, _colour(canvas, 206, 204, 200))
    canvas.paint(frame.abs() - 0.03, _colour(canvas, 112, 106, 102))
    canvas.paint(box(dx, dy, 0.13, 0.18), _colour(canvas, 150, 156, 160))


def _lamp(canvas: Canvas, x: Tensor, y: Tensor, places: Tensor) -> None:
    dx, dy = x - _side(places, 1) * _at(places, 2, 0.72, 0.85), y + _at(places, 3, 0.2, 0.4)
    canvas.paint(box(dx, dy - 0.7, 0.02, 0.7), _colour(canvas, 104, 102, 100))
    canvas.paint(torch.maximum(dx.abs() - 0.16 - 0.25 * (dy + 0.2), dy.abs() - 0.2), _colour(canvas, 206, 202, 194))


def _rain(canvas: Canvas, x: Tensor, y: Tensor, places: Tensor) -> None:
    canvas.paint(ellipse(x, y + 1.0, 1.4, 0.3) - 0.05 * torch.cos(8 * x), _colour(canvas, 30, 34, 44), soft=0.1)
    slant = x + 0.25 * y + _at(places, 1, 0.0, 0.5)
    column = torch.floor(slant / 0.16)
    along = torch.remainder(y + 0.37 * column * column + _at(places, 2, 0.0, 1.0), 0.55)
    drop = torch.maximum((torch.remainder(slant, 0.16) - 0.08).abs() - 0.013, (along - 0.12).abs() - 0.12)
    canvas.paint(drop, _colour(canvas, 130, 150, 176), strength=0.8)


def _bare_tree(canvas: Canvas, x: Tensor, y: Tensor, places: Tensor) -> None:
    dark = _colour(canvas, 14, 14, 20)
    for side in (-1, 1):
        dx = side * x - _at(places, 2 + side, 0.74, 0.86)
        canvas.paint(segment(dx, y, (0.0, 1.2), (-0.03, -0.35), 0.05), dark)
        for start, ex, ey in ((0.1, -0.34, -0.32), (-0.2, 0.26, -0.62), (-0.3, -0.22, -0.82), (0.3, 0.3, -0.1)):
            canvas.paint(segment(dx, y, (0.0, start), (ex, ey), 0.022), dark)
            canvas.paint(segment(dx, y, (ex / 2, (start + ey) / 2), (ex * 1.2, ey + 0.3), 0.014), dark)


def _cracks(canvas: Canvas, x: Tensor, y: Tensor, places: Tensor) -> None:
    canvas.paint((torch.remainder(y, 0.3) - 0.15).abs() - 0.008, _colour(canvas, 76, 78, 88), strength=0.6)
    for side in (-1, 1):
        path = 0.78 + 0.10 * torch.sin(7 * y + _at(places, 2 + side, 0, 6)) + 0.05 * torch.sin(19 * y)
        canvas.paint((side * x - path).abs() - 0.028 * (0.6 - 0.4 * y), _colour(canvas, 8, 8, 12))
        fork = segment(side * x, y, (0.8, _at(places, 5, -0.5, 0.3)), (0.5, _at(places, 6, -0.9, -0.4)), 0.016)
        canvas.paint(fork, _colour(canvas, 8, 8, 12))


def _storm(canvas: Canvas, x: Tensor, y: Tensor, places: Tensor) -> None:
    for k, at in enumerate((-0.8, -0.25, 0.35, 0.85)):
        cloud = ellipse(x - at, y + 0.85 - 0.1 * (places[:, k, None, None]), 0.42, 0.24)
        canvas.paint(cloud, _colour(canvas, 24 + 8 * (k % 2), 26 + 8 * (k % 2), 34), soft=0.08)
    dx = _side(places, 5) * x - 0.8
    bolt = torch.minimum(
        segment(dx, y, (0.06, -0.62), (-0.08, -0.2), 0.025), segment(dx, y, (-0.08, -0.2), (0.1, -0.22), 0.02)
    )
    bolt = torch.minimum(bolt, segment(dx, y, (0.1, -0.22), (-0.06, 0.35), 0.02))
    canvas.paint(bolt, _colour(canvas, 206, 214, 236))


def _fence(canvas: Canvas, x: Tensor, y: Tensor, places: Tensor) -> None:
    dark = _colour(canvas, 16, 15, 20)
    post = (torch.remainder(x + _at(places, 1, 0, 0.3), 0.3) - 0.15).abs() - 0.035
    canvas.paint(torch.maximum(post, -0.35 + 0.1 * torch.sin(9 * x) - y), dark)
    canvas.paint((y - 0.1 - 0.12 * x).abs() - 0.03, dark)
    canvas.paint((y - 0.6 + 0.1 * x).abs() - 0.03, dark)


_PAINT: dict[str, Callable[[Canvas, Tensor, Tensor, Tensor], None]] = {
    "sun": _sun, "flowers": _flowers, "trees": _trees, "balloons": _balloons, "rainbow": _rainbow,
    "shelf": _shelf, "window": _window, "picture": _picture, "lamp": _lamp,
    "rain": _rain, "bare_tree": _bare_tree, "cracks": _cracks, "storm": _storm, "fence": _fence,
}  # fmt: skip
