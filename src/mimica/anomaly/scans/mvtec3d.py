"""Scans as MVTec 3D-AD has them: `category/split/defect/{rgb/000.png, xyz/000.tiff, gt/000.png}`.

Bergmann et al., "The MVTec 3D-AD dataset for unsupervised 3D anomaly detection and localization" (2022). Points are
metres in the sensor's frame, (0, 0, 0) where nothing was measured. Files prepared as many works do, without the tray
and padded to a square, are read as well: there the part is what has points.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from mimica.anomaly.samples import Sample
from mimica.anomaly.scans.pictures import PICTURES, colour, measured, points, truth
from mimica.anomaly.scans.scan import Leaf, Scan, View, leaves, only, paired

VIEWS: dict[str, View] = {"rgb": ("rgb", PICTURES), "xyz": ("xyz", (".tiff", ".tif"))}
MASKS: dict[str, View] = {"gt": ("gt", (".png",))}


def scans(path: Path) -> Iterator[Scan]:
    """The scans below a folder of such a tree."""
    for leaf in leaves(path):
        told = {stem: views["gt"] for stem, views in paired(leaf, MASKS).items()}
        for stem, views in paired(leaf, VIEWS).items():
            name, marks = leaf.named(stem), told.get(stem, [])
            files = tuple(file for each in (*views.values(), marks) for file in each)
            # Where others of the folder have a mask, one that is missing was lost.
            load = partial(_read, name, leaf, views, marks if told else None)
            yield Scan(
                name=name, category=leaf.category, split=leaf.split, defect=leaf.defect, files=files, load=load
            )  # fmt: skip


def _read(name: str, leaf: Leaf, views: dict[str, list[Path]], marks: list[Path] | None) -> Sample:
    rgb = colour(only(name, "rgb", views["rgb"], leaf, VIEWS))
    stored = points(only(name, "xyz", views["xyz"], leaf, VIEWS))
    missing = (stored == 0).all(-1)
    xyz = measured(name, stored, missing)
    told = None if marks is None else only(name, "gt", marks, leaf, MASKS)
    thing = ~missing if _prepared(rgb, missing) else None
    mask = truth(told, leaf.defect, rgb.shape[:2])
    return Sample(name=name, rgb=rgb, xyz=xyz, defect=leaf.defect, mask=mask, thing=thing)


def _prepared(rgb: np.ndarray, missing: np.ndarray) -> bool:
    """Whether the tray was taken away: no point along the border, and no colour where there is no point."""
    if rgb.shape[:2] != missing.shape:
        return False
    border = np.concatenate([missing[0], missing[-1], missing[:, 0], missing[:, -1]])
    return bool(border.mean() > 0.99 and (rgb[missing] == 0).all(-1).mean() > 0.95)
