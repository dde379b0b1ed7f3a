"""Rows of points in files, and the pictures that they are rows of. N points, H x W of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mimica.errors import InputError

Size = tuple[int, int]
"""W and H in pixels, as the file of a point cloud tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """Points float [H, W, 3] and their colours uint8 [H, W, 3], or None."""

    xyz: np.ndarray
    rgb: np.ndarray | None


def records(path: Path, data: bytes, kind: np.dtype, number: int, *, ascii_: bool) -> np.ndarray:
    """The first `number` rows of a table, as text or as bytes. Raises InputError where there are fewer."""
    try:
        if not ascii_:
            return np.frombuffer(data, kind, number)
        columns = sum(int(np.prod(kind[name].shape)) or 1 for name in kind.names or ())
        values = np.array(data.split(None, number * columns)[: number * columns], np.float64).reshape(number, columns)
    except ValueError as error:
        raise InputError(
            f"{path} does not hold the {number} points that it announces ({error}); save it again"
        ) from None
    rows = np.zeros(number, kind)
    column = 0
    for name in kind.names or ():
        wide = int(np.prod(kind[name].shape)) or 1
        taken = values[:, column : column + wide].reshape(number, *kind[name].shape)
        # Packed colours are whole numbers in some files of text and the number of their bits in others: both fit.
        rows[name] = np.nan_to_num(taken) if kind[name].base.kind in "iu" else taken
        column += wide
    return rows


def organised(path: Path, rows: np.ndarray, size: Size | None, *, colours: np.ndarray | None) -> Cloud:
    """Rows laid out as the picture that they are rows of. Raises InputError where that cannot be."""
    lacking = [name for name in "xyz" if name not in (rows.dtype.names or ())]
    if lacking:
        raise InputError(f"{path} has points without {', '.join(lacking)}; a point needs x, y and z")
    if size is None:
        raise InputError(
            f"{path} is a list of {len(rows)} points of which nobody says how wide its picture is; save it organised, "
            "or give the size, such as ply:FOLDER@640x480"
        )
    width, height = size
    if width * height != len(rows):
        raise InputError(f"{path} holds {len(rows)} points, and a picture of {width}x{height} has {width * height}")
    xyz = np.stack([rows[name] for name in "xyz"], -1).astype(np.float64).reshape(height, width, 3)
    return Cloud(xyz=xyz, rgb=None if colours is None else colours.reshape(height, width, 3))
