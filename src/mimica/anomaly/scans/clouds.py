"""Scans as organised point clouds, PLY or PCD, in metres: in one folder, or in each `category/split/defect/`.

The clouds lie in the folder or in `xyz/` of it. Colours come from `rgb/` with a picture of the same name for each,
or from the clouds themselves; masks from `gt/`. A point that is not finite, or is (0, 0, 0), was not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from mimica.anomaly.samples import GOOD, Sample
from mimica.anomaly.scans.pcd import read_pcd
from mimica.anomaly.scans.pictures import PICTURES, colour, measured, truth
from mimica.anomaly.scans.ply import read_ply
from mimica.anomaly.scans.scan import Leaf, Scan, View, leaves, only, paired
from mimica.anomaly.scans.tables import Cloud, Size
from mimica.errors import InputError

READERS: dict[str, Callable[[Path, Size | None], Cloud]] = {"ply": read_ply, "pcd": read_pcd}
MASKS: dict[str, View] = {"gt": ("gt", (".png",))}


def scans(path: Path, kind: str, *, size: Size | None = None, metres: float = 1.0) -> Iterator[Scan]:
    """The scans below a folder, or the one of a file; `metres` is what one unit of length is."""
    end = f".{kind}"
    if path.is_file():
        leaf = Leaf(folder=path.parent, category=path.parent.resolve().name)
        yield _scan(leaf, path.stem, {"xyz": [path]}, {"xyz": ("", (end,))}, None, kind, size, metres)
        return
    for leaf in leaves(path):
        inside = "xyz" if (leaf.folder / "xyz").is_dir() else ""
        views: dict[str, View] = {"xyz": (inside, (end,))}
        if (leaf.folder / "rgb").is_dir():
            views["rgb"] = ("rgb", PICTURES)
        told = {stem: found["gt"] for stem, found in paired(leaf, MASKS).items()}
        for stem, found in paired(leaf, views).items():
            marks = told.get(stem, [])
            needed = marks if told and leaf.defect != GOOD else marks or None
            yield _scan(leaf, stem, found, views, needed, kind, size, metres)


def _scan(
    leaf: Leaf, stem: str, found: dict[str, list[Path]], views: dict[str, View], marks: list[Path] | None, kind: str,
    size: Size | None, metres: float,
) -> Scan:  # fmt: skip
    return Scan(
        name=leaf.named(stem), category=leaf.category, split=leaf.split, defect=leaf.defect,
        files=tuple(file for each in (*found.values(), marks or []) for file in each),
        load=partial(_read, leaf, stem, found, views, marks, READERS[kind], size, metres),
    )  # fmt: skip


def _read(
    leaf: Leaf, stem: str, found: dict[str, list[Path]], views: dict[str, View], marks: list[Path] | None,
    reader: Callable[[Path, Size | None], Cloud], size: Size | None, metres: float,
) -> Sample:  # fmt: skip
    name = leaf.named(stem)
    path = only(name, "xyz", found["xyz"], leaf, views)
    cloud = reader(path, size)
    xyz = measured(name, cloud.xyz * metres, (cloud.xyz == 0).all(-1))
    far = float(np.nanmedian(np.linalg.norm(xyz, axis=-1)))
    if far > _FAR:
        raise InputError(
            f"{name}: its points lie {far:.0f} metres away; if they are in millimetres, add @mm to the source"
        )
    rgb = colour(only(name, "rgb", found["rgb"], leaf, views)) if "rgb" in views else cloud.rgb
    told = None if marks is None else only(name, "gt", marks, leaf, MASKS)
    mask = truth(told, leaf.defect, xyz.shape[:2])
    return Sample(name=name, rgb=rgb, xyz=xyz, defect=leaf.defect, mask=mask)


_FAR = 50.0
"""Metres beyond which nobody inspects a part."""
