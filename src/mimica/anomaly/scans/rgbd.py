"""Colour and depth of 16 bits with the camera's numbers: `rgb/000.png`, `depth/000.png`, `intrinsics.json`.

They lie in one folder, or in each `category/split/defect/` with masks in `gt/`; intrinsics.json may stand in any
folder above, and the nearest one counts. It holds fx, fy, cx and cy in pixels (or `intrinsic_matrix`, nine numbers
column by column, as Open3D writes it), and depth_scale, metres in one step of depth, 0.001 where it says nothing.
Depth 0 is none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from mimica.anomaly.samples import GOOD, Sample
from mimica.anomaly.scans.pictures import PICTURES, colour, measured, sixteen, truth
from mimica.anomaly.scans.scan import Leaf, Scan, View, leaves, only, paired
from mimica.errors import InputError

VIEWS: dict[str, View] = {"rgb": ("rgb", PICTURES), "depth": ("depth", (".png", ".tif", ".tiff"))}
MASKS: dict[str, View] = {"gt": ("gt", (".png",))}
INTRINSICS = "intrinsics.json"


def scans(path: Path) -> Iterator[Scan]:
    """The scans below a folder."""
    for leaf in leaves(path):
        told = {stem: views["gt"] for stem, views in paired(leaf, MASKS).items()}
        camera = next(
            (up / INTRINSICS for up in (leaf.folder, *leaf.folder.parents) if (up / INTRINSICS).is_file()), None
        )
        for stem, views in paired(leaf, VIEWS).items():
            marks = told.get(stem, [])
            files = [file for each in (*views.values(), marks) for file in each]
            load = partial(_read, leaf, stem, views, marks if told and leaf.defect != GOOD else marks or None, camera)
            yield Scan(
                name=leaf.named(stem), category=leaf.category, split=leaf.split, defect=leaf.defect,
                files=(*files, camera) if camera else tuple(files), load=load,
            )  # fmt: skip


def unprojected(z: np.ndarray, focal: tuple[float, float], middle: tuple[float, float]) -> np.ndarray:
    """The points [H, W, 3] that depth [H, W] along the optical axis stands for, by a pinhole in pixels."""
    H, W = z.shape
    x = (np.arange(W) - middle[0]) / focal[0]
    y = (np.arange(H) - middle[1]) / focal[1]
    return np.stack([z * x, z * y[:, None], z], -1)


def _read(leaf: Leaf, stem: str, views: dict[str, list[Path]], marks: list[Path] | None, camera: Path | None) -> Sample:
    name = leaf.named(stem)
    if camera is None:
        raise InputError(
            f"{name}: there is no {INTRINSICS} in {leaf.folder} or above; write one with fx, fy, cx, cy and depth_scale"
        )
    rgb = colour(only(name, "rgb", views["rgb"], leaf, VIEWS))
    grey = sixteen(only(name, "depth", views["depth"], leaf, VIEWS))
    fx, fy, cx, cy, scale = intrinsics(camera, camera.stat().st_mtime_ns)
    xyz = measured(name, unprojected(grey * scale, (fx, fy), (cx, cy)), grey == 0)
    told = None if marks is None else only(name, "gt", marks, leaf, MASKS)
    return Sample(
        name=name, rgb=rgb, xyz=xyz, defect=leaf.defect, mask=truth(told, leaf.defect, rgb.shape[:2])
    )  # fmt: skip


@lru_cache(maxsize=64)
def intrinsics(path: Path, _changed: int = 0) -> tuple[float, float, float, float, float]:
    """fx, fy, cx, cy in pixels and metres in one step of depth, as a file says. Raises InputError where it does not."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if "intrinsic_matrix" in told:
            matrix = np.array(told["intrinsic_matrix"], float).reshape(3, 3, order="F")
            found = [matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]]
        else:
            found = [told["fx"], told["fy"], told.get("cx", told.get("ppx")), told.get("cy", told.get("ppy"))]
        fx, fy, cx, cy, scale = (float(value) for value in (*found, told.get("depth_scale", 0.001)))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path} does not hold fx, fy, cx and cy as numbers ({error}); they are the camera's, in pixels"
        ) from None
    if not (fx > 0 and fy > 0 and scale > 0 and math.isfinite(fx * fy * scale * (1 + abs(cx) + abs(cy)))):
        raise InputError(f"{path}: fx, fy and depth_scale must be more than 0, got {fx:g}, {fy:g} and {scale:g}")
    return fx, fy, cx, cy, scale
