"""Soft shapes for synthetic pictures: signed distances, painted one over the other with smooth edges.

N pictures, S side in pixels. Every length is in units of half the picture's side; a distance is
negative inside a shape. A number of a picture is [N, 1, 1], a place [N, S, S], a colour [N, 3].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Number = float | Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """Pictures [N, 3, S, S] being painted, and the `pixel`, the width of an edge, [N, 1, 1]."""

    picture: Tensor
    pixel: Tensor

    def paint(self, distance: Tensor, colour: Tensor, *, strength: Number = 1.0, soft: float = 0.0) -> None:
        """Lay a colour [N, 3] over what is inside a shape; `soft` blurs its edge, `strength` 0 to 1 thins it."""
        # What is wholly transparent is common (an absent beard, a unit at rest) and costs as much as the rest.
        if isinstance(strength, Tensor) and not bool(strength.any()):
            return
        cover = (0.5 - distance / (self.pixel + soft)).clamp_(0, 1)
        cover = cover * strength
        self.picture.lerp_(colour[:, :, None, None], cover[:, None])


def grid(size: int, number: int) -> tuple[Tensor, Tensor]:
    """The places x, y [N, S, S] of the pixels' middles, -1 to 1, rightwards and downwards."""
    place = (torch.arange(size, dtype=torch.float32) + 0.5) * (2 / size) - 1
    y, x = torch.meshgrid(place, place, indexing="ij")
    return x.expand(number, size, size), y.expand(number, size, size)


def ellipse(x: Tensor, y: Tensor, rx: Number, ry: Number) -> Tensor:
    """Distance to an ellipse around 0, exact at its edge to first order."""
    a, b = x / rx, y / ry
    k = torch.sqrt(a * a + b * b + 1e-8)
    return k * (k - 1) / torch.sqrt((a / rx) ** 2 + (b / ry) ** 2 + 1e-8)


def box(x: Tensor, y: Tensor, rx: Number, ry: Number, corner: float = 0.02) -> Tensor:
    """Distance to a rectangle around 0 with rounded corners."""
    a, b = x.abs() - rx + corner, y.abs() - ry + corner
    outside = torch.sqrt(a.clamp(min=0) ** 2 + b.clamp(min=0) ** 2)
    return outside + torch.maximum(a, b).clamp(max=0) - corner


def stroke(s: Tensor, away: Tensor, width: Number) -> Tensor:
    """Distance to a line that is thickest at s = 0 and ends in points at s = -1 and 1; `away` is how far off it."""
    # The second term ends the line: its own edge would let a pixel's share of it run on past the points.
    return torch.maximum(away.abs() - width * (1 - s * s), (s.abs() - 1) * 0.3)


def between(y: Tensor, top: Tensor, bottom: Tensor) -> Tensor:
    """Distance to the region between two curves; where they cross there is none."""
    return torch.maximum(top - y, y - bottom)


def segment(x: Tensor, y: Tensor, start: tuple[Number, Number], end: tuple[Number, Number], width: Number) -> Tensor:
    """Distance to a straight line with round ends, `width` thick to either side."""
    px, py = x - start[0], y - start[1]
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = ((px * dx + py * dy) / (dx * dx + dy * dy + 1e-8)).clamp(0, 1)
    return torch.sqrt((px - dx * along) ** 2 + (py - dy * along) ** 2 + 1e-10) - width


def ramp(colours: tuple[tuple[int, int, int], ...], place: Tensor) -> Tensor:
    """Colours [N, 3] at `place` [N], 0 to 1, along a row of colours given in 0 to 255."""
    table = torch.tensor(colours, dtype=torch.float32) / 255
    position = place.clamp(0, 1) * (len(colours) - 1)
    low = position.floor().clamp(max=len(colours) - 2).long()
    return torch.lerp(table[low], table[low + 1], (position - low)[:, None])
