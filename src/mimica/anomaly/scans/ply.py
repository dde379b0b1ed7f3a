"""Organised point clouds in PLY files, ASCII or binary little endian.

A PLY has no size of its own: it is told by `obj_info num_cols` and `num_rows` as range scanners write it, by
`comment width` and `comment height`, or by whoever reads it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mimica.anomaly.scans.tables import Cloud, organised, records
from mimica.errors import InputError

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_SIDES = {"num_cols": 0, "width": 0, "num_rows": 1, "height": 1}


def read_ply(path: Path, size: tuple[int, int] | None = None) -> Cloud:
    """The points and colours of a file, row by row of its picture of `size` (W, H), or as its header says.

    Raises InputError for a file whose size nobody says, that is not whole, or of another form.
    """
    data = path.read_bytes()
    end = re.search(rb"\nend_header[ \t]*\r?\n", data[:65536])
    if not data.startswith(b"ply") or end is None:
        raise InputError(f"{path} has no PLY header; save it as PLY, ASCII or binary little endian")
    form, number, kind, sides = _head(path, data[: end.start()].decode("ascii", "replace"))
    rows = records(path, data[end.end() :], kind, number, ascii_=form == "ascii")
    told = (sides[0], sides[1]) if len(sides) == 2 else None
    return organised(path, rows, size or told, colours=_colours(path, rows))


def _head(path: Path, text: str) -> tuple[str, int, np.dtype, dict[int, int]]:
    """The form, how many points, their type, and the sides of the picture as far as they are told."""
    form, number, fields, sides, element = "", -1, [], {}, ""
    try:
        for line in text.splitlines()[1:]:
            match line.split():
                case ["format", form, *_]:
                    pass
                case ["comment" | "obj_info", word, value, *_] if word.lower() in _SIDES:
                    sides[_SIDES[word.lower()]] = int(value)
                case ["element", element, count]:
                    if element == "vertex":
                        number = int(count)
                    elif number < 0 and int(count):
                        raise ValueError(f"{element} comes before vertex")
                case ["property", *words] if element == "vertex":
                    if len(words) != 2:
                        raise ValueError("a point has a list")
                    fields.append((words[1], f"<{_TYPES[words[0]]}"))
        if form not in ("ascii", "binary_little_endian"):
            raise ValueError(f"its format is {form or 'not said'}")
        if number < 0:
            raise ValueError("it has no vertex")
        return form, number, np.dtype(fields), sides
    except (ValueError, KeyError) as error:
        raise InputError(
            f"{path} cannot be read as PLY ({error}); save its points as ASCII or binary little endian"
        ) from None


def _colours(path: Path, rows: np.ndarray) -> np.ndarray | None:
    """Colours uint8 [N, 3] of whole numbers to 255, or of fractions to 1."""
    names = rows.dtype.names or ()
    three = next((one for one in (("red", "green", "blue"), ("r", "g", "b")) if set(one) <= set(names)), None)
    if three is None:
        return None
    found = np.stack([rows[name] for name in three], -1)
    if found.dtype.kind != "f":
        return np.asarray(np.clip(found, 0, 255).astype(np.uint8))
    there = np.isfinite(np.stack([rows[name] for name in "xyz"], -1)).all(-1) if set("xyz") <= set(names) else True
    if not np.isfinite(found[there]).all():
        raise InputError(f"{path}: some colours are not finite numbers; save them as whole numbers to 255")
    scale = 255 if np.nanmax(found, initial=0) <= 1 else 1
    return np.asarray(np.clip(np.nan_to_num(found) * scale + 0.5, 0, 255).astype(np.uint8))
