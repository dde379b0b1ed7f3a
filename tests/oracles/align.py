"""Upright squares, word for word: points as complex numbers, one weighted line for each frame, one sample a pixel."""

from __future__ import annotations

import cmath
import math

import numpy as np


def landed(point: complex, centre: complex, side: float, roll: float, size: int) -> complex:
    """Where a point of a picture lies in the view of a square that leans by `roll`."""
    return (point - centre) * cmath.exp(-1j * roll) * size / side + complex(size, size) / 2


def taken(point: complex, centre: complex, side: float, roll: float, size: int) -> complex:
    """Where in the picture a point of the view was taken from."""
    return (point - complex(size, size) / 2) * cmath.exp(1j * roll) * side / size + centre


def steady(times: np.ndarray, values: np.ndarray, seconds: float) -> np.ndarray:
    """The value at each time of the line that fits its neighbours best, those within five `seconds`, by squares."""
    fitted = []
    for now in times.tolist():
        near = [i for i, time in enumerate(times.tolist()) if abs(time - now) <= 5 * seconds]
        if len(near) == 1:
            fitted.append(float(values[near[0]]))
            continue
        weights = [math.exp(-(((times[i] - now) / seconds) ** 2) / 2) for i in near]
        line = np.polyfit(times[near] - now, values[near], 1, w=np.sqrt(weights))
        fitted.append(float(line[1]))
    return np.array(fitted)


def view(image: np.ndarray, centre: complex, side: float, roll: float, size: int, fine: int = 4) -> np.ndarray:
    """The picture inside a square, each pixel the mean of `fine` x `fine` points of the picture, edges repeated."""
    H, W = image.shape[:2]
    made = np.zeros((size, size, 3))
    for row, column in np.ndindex(size, size):
        for i, j in np.ndindex(fine, fine):
            at = taken(complex(column + (j + 0.5) / fine, row + (i + 0.5) / fine), centre, side, roll, size)
            x, y = min(max(math.floor(at.real), 0), W - 1), min(max(math.floor(at.imag), 0), H - 1)
            made[row, column] += image[y, x] / fine**2
    return made
