"""Published figures of MVTec 3D-AD and Eyecandies with few shots, as their authors printed them; none is ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DATA = {
    "MVTec 3D-AD": ("bagel", "cable_gland", "carrot", "cookie", "dowel", "foam", "peach", "potato", "rope", "tire"),
    "Eyecandies": ("CandyCane", "ChocolateCookie", "ChocolatePraline", "Confetto", "GummyBear", "HazelnutTruffle",
                   "LicoriceSandwich", "Lollipop", "Marshmallow", "PeppermintCandy"),
}  # fmt: skip
"""The categories of which the printed figures are means."""

PAPER, OWN = "table of CIF, arXiv 2511.05966 (AAAI 2026), by a secondary note", "its authors' page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """What one method prints of a data set with so many shots, in percent, None where it prints nothing."""

    data: str
    method: str
    trained: bool
    shots: int
    i_auroc: float | None
    aupro30: float | None
    source: str


def _row(data: str, method: str, shots: int, i_auroc: float | None, aupro30: float | None, *, trained: bool = False,
         source: str = PAPER) -> Printed:  # fmt: skip
    return Printed(
        data=data, method=method, trained=trained, shots=shots, i_auroc=i_auroc, aupro30=aupro30, source=source
    )  # fmt: skip


_MVTEC, _CANDIES = DATA
PUBLISHED = (
    _row(_MVTEC, "CIF", 1, 72.0, 86.1),
    _row(_MVTEC, "CIF", 2, 73.2, 87.2),
    _row(_MVTEC, "CIF", 4, 77.6, 89.6),
    _row(_MVTEC, "PatchCore + FPFH (BTF)", 1, 59.9, 88.3),
    _row(_MVTEC, "PatchCore + FPFH (BTF)", 2, 61.4, 88.6),
    _row(_MVTEC, "PatchCore + FPFH (BTF)", 4, 64.3, 90.4),
    _row(_MVTEC, "M3DM", 1, 73.9, None, trained=True),
    _row(_MVTEC, "M3DM", 2, 76.5, None, trained=True),
    _row(_MVTEC, "CFM", 1, 67.5, 91.4, trained=True),
    _row(_MVTEC, "CFM", 2, None, 92.5, trained=True),
    _row(_MVTEC, "CFM", 4, 80.1, 94.0, trained=True),
    _row(_MVTEC, "CFR", 1, 74.0, 92.3, trained=True, source=OWN),
    _row(_MVTEC, "CFR", 4, 80.5, 94.2, trained=True, source=OWN),
    _row(_CANDIES, "CIF", 1, 69.5, None),
    _row(_CANDIES, "CIF", 2, 73.6, None),
    _row(_CANDIES, "CIF", 4, 75.1, None),
    _row(_CANDIES, "CFR", 1, 75.9, 82.7, trained=True, source=OWN),
    _row(_CANDIES, "CFR", 4, 77.9, 84.7, trained=True, source=OWN),
)
"""Means over all ten categories; one set of shots, no deviation printed. CIF dilates its masks before AUPRO, and its
baselines were run on data with the plane taken away."""


def published_of(kind: str, categories: Sequence[str]) -> tuple[Printed, ...]:
    """What is printed of the data set that categories are of; nothing for parts of one's own in the same tree."""
    data = {"mvtec3d": _MVTEC, "eyecandies": _CANDIES}.get(kind)
    if data is None or not categories or not set(categories) <= set(DATA[data]):
        return ()
    return tuple(row for row in PUBLISHED if row.data == data)
