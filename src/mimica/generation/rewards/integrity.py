"""Whether pictures are whole, by a formula: no blocks, and as much detail as the first. B clips, T frames."""

from __future__ import annotations

from torch import Tensor

PERIOD = 4
"""The side in pixels of the blocks that are looked for: that of a patch of the tiny generator's codec."""
_LEAST = 1e-4


def wholeness(clips: Tensor, period: int = PERIOD) -> Tensor:
    """How whole clips [B, T, 3, H, W] in 0 to 1 are, 0 to 1 [B]: mean over frames of min(1, i/b) · min(h/h₀, h₀/h).

    b and i are the mean size of steps between neighbouring pixels across borders of blocks of `period` pixels and
    inside them, as in the measure of blocks of Wang, Sheikh & Bovik 2002 (ICIP); h is the mean size of second
    differences, h₀ that of the first frame, which is the still. Blocks make the first factor small, blur and noise the
    second.
    """
    inside, border, detail = _steps(clips, period)
    even = ((inside + _LEAST) / (border + _LEAST)).clamp(max=1)
    kept = (detail + _LEAST) / (detail[:, :1] + _LEAST)
    return (even * kept.minimum(1 / kept)).mean(1)


def _steps(clips: Tensor, period: int) -> tuple[Tensor, Tensor, Tensor]:
    """The mean sizes [B, T] of steps inside blocks, of steps across their borders, and of second differences."""
    inside, border, detail = [], [], []
    for axis in (-1, -2):
        step = clips.diff(dim=axis).abs().movedim(axis, -1)
        across = step[..., period - 1 :: period]
        border.append(across.mean((2, 3, 4)))
        whole, part = step.shape[-1], across.shape[-1]
        inside.append((step.mean((2, 3, 4)) * whole - border[-1] * part) / (whole - part))
        detail.append(clips.diff(n=2, dim=axis).abs().mean((2, 3, 4)))
    return tuple(sum(one) / 2 for one in (inside, border, detail))  # type: ignore[return-value]
