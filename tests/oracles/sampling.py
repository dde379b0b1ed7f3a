"""Which frames of a clip are read, one at a time and in whole fractions, as the protocols say it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor


def segment(N: int, T: int, u: Sequence[float] | None = None) -> list[int]:
    """DFER-CLIP: floor(tick / 2 + tick x) of N > T frames, or a random place in the segment; else edge-padded."""
    read = []
    for x in range(T):
        if N > T:
            tick = Fraction(N, T)
            inside = tick / 2 if u is None else Fraction(float(u[x])) * tick
            read.append(floor(inside + tick * x))
        else:
            read.append(x if x < N else N - 1)
    return read


def pairs(N: int, T: int, u: Sequence[float] | None = None) -> list[int]:
    """Former-DFER: T / 2 segments of the places where a pair can begin; all begin at 0 where the clip is short."""
    segments, read = T // 2, []
    for x in range(segments):
        p = 0
        if segments + 1 < N:
            tick = Fraction(N - 1, segments)
            p = floor((tick / 2 if u is None else Fraction(float(u[x])) * tick) + tick * x)
        for _ in range(2):
            read.append(p)
            if p < N - 1:
                p += 1
    return read


def stride(N: int, T: int, step: int, u: float = 0.5) -> list[int]:
    """Frames `step` apart, the first drawn among those that leave room; the last repeated where there is none."""
    starts = [first for first in range(N) if first + (T - 1) * step <= N - 1]
    first = starts[floor(Fraction(float(u)) * len(starts))] if starts else 0
    return [first + step * x if first + step * x <= N - 1 else N - 1 for x in range(T)]


def uniform(N: int, T: int) -> list[int]:
    """Every N/T-th frame from the first on; the last repeated where the clip is short."""
    return [floor(Fraction(N, T) * x) if N > T else min(x, N - 1) for x in range(T)]


def last(N: int, T: int) -> list[int]:
    """The last T frames; the very last repeated where the clip is short."""
    whole = list(range(N))
    while len(whole) < T:
        whole.append(N - 1)
    return whole[-T:]


def thinned(N: int, most: int) -> list[int]:
    """What is left of frames that come one by one where no more than twice as many as are kept are ever held."""
    held: list[int] = []
    every = 1
    for number in range(N):
        if number % every == 0:
            held.append(number)
        if len(held) == 2 * most:
            held, every = held[::2], 2 * every
    if len(held) <= most:
        return held
    return [held[round(i * (len(held) - 1) / (most - 1)) if most > 1 else 0] for i in range(most)]
