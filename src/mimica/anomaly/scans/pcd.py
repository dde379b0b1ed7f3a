"""Organised point clouds in PCD files, version 0.7: ASCII, or binary and not compressed.

https://pointclouds.org/documentation/tutorials/pcd_file_format.html
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mimica.anomaly.scans.tables import Cloud, organised, records
from mimica.errors import InputError

_KINDS = {"F": "f", "I": "i", "U": "u"}


def read_pcd(path: Path, size: tuple[int, int] | None = None) -> Cloud:
    """The points and colours of a file, in the order of its picture: WIDTH x HEIGHT, or `size` (W, H) if given.

    Raises InputError for a file that is not organised, not whole, or compressed.
    """
    data = path.read_bytes()
    head, start = _head(path, data)
    try:
        fields, kinds = head["FIELDS"], head["TYPE"]
        sizes, counts = [int(n) for n in head["SIZE"]], [int(n) for n in head.get("COUNT", ["1"] * len(fields))]
        width, height = int(head["WIDTH"][0]), int(head["HEIGHT"][0])
        kind = np.dtype({
            "names": [name if fields.index(name) == i else f"_{i}" for i, name in enumerate(fields)],
            "formats": [
                (f"<{_KINDS[k]}{s}", (c,)) if c > 1 else f"<{_KINDS[k]}{s}"
                for k, s, c in zip(kinds, sizes, counts, strict=True)
            ],
        })  # fmt: skip
        form = head["DATA"][0]
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise InputError(f"{path} has a header that cannot be understood ({error}); save it as PCD 0.7") from None
    if form == "binary_compressed":
        raise InputError(f"{path} is a compressed PCD; save it as binary without compression, or as ASCII")
    rows = records(path, data[start:], kind, width * height, ascii_=form == "ascii")
    return organised(path, rows, size or ((width, height) if height > 1 else None), colours=_colours(rows))


def _head(path: Path, data: bytes) -> tuple[dict[str, list[str]], int]:
    """The words of each line of the header, and where what follows begins."""
    head: dict[str, list[str]] = {}
    start = 0
    while "DATA" not in head:
        end = data.find(b"\n", start)
        if end < 0 or start > 8192:
            raise InputError(f"{path} has no PCD header; save it as PCD 0.7")
        line = data[start:end].decode("ascii", "replace").strip()
        start = end + 1
        if line and not line.startswith("#"):
            first, *words = line.split()
            head[first.upper()] = words
    return head, start


def _colours(rows: np.ndarray) -> np.ndarray | None:
    """Colours [N, 3] that are packed into the bits of one number, as PCL has them: 0xRRGGBB."""
    name = next((one for one in ("rgb", "rgba") if one in (rows.dtype.names or ())), None)
    if name is None:
        return None
    packed = np.ascontiguousarray(rows[name])
    bits = packed.astype(np.float32).view(np.uint32) if packed.dtype.kind == "f" else packed.astype(np.uint32)
    return np.stack([bits >> 16 & 255, bits >> 8 & 255, bits & 255], -1).astype(np.uint8)
