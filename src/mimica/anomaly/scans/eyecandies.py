"""Scans as Eyecandies has them, raw or as the works that use it prepare it.

Raw: `Category/{train,val,test_public,test_private}/data/000_image_4.png` and sixteen more files of each sweet
(Bonfiglioli et al., "The Eyecandies dataset", 2022). Lengths are decimetres there and become metres; points lie in
the camera's frame. Prepared: `Category/{train/good,test/{good,bad}}/{rgb,xyz,gt}` with float64 TIFFs whose axes are
(x, -z, y) of the world, turned back here, and in which what was taken away has one place whose x is 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mimica.anomaly.samples import GOOD, Sample
from mimica.anomaly.scans.pictures import PICTURES, colour, mask, measured, points, sixteen, truth
from mimica.anomaly.scans.rgbd import unprojected
from mimica.anomaly.scans.scan import Leaf, Scan, View, leaves, only, paired
from mimica.errors import InputError, MimicaError, MissingExtra

VIEWS: dict[str, View] = {"rgb": ("rgb", PICTURES), "xyz": ("xyz", (".tiff", ".tif"))}
MASKS: dict[str, View] = {"gt": ("gt", (".png",))}
FOCAL, WIDTH = 711.11, 512
"""The focal length in pixels of a picture so wide; it is as long in a picture of another width, in widths."""
UNIT = 0.1
"""Metres in a unit of length."""
IMAGE = "image_4"
"""The picture that is taken, of six: under the light from the left, as the published figures have it."""
BAD, COMBINED = "bad", "combined"
KINDS = ("bumps", "dents", "colors", "normals")


def scans(path: Path) -> Iterator[Scan]:
    """The scans below a folder of such a tree, of either form."""
    for leaf in leaves(path):
        yield from _raw(leaf) if leaf.defect == "data" else _prepared(leaf)


def _raw(leaf: Leaf) -> Iterator[Scan]:
    starts = {
        path.name.rsplit(end, 1)[0] for end in ("_depth.png", f"_{IMAGE}.png") for path in leaf.folder.glob(f"*{end}")
    }
    for stem in sorted(starts):
        defect = _defect(leaf.folder, stem, leaf.folder.parent.name)
        name = "/".join((leaf.category, leaf.folder.parent.name, stem))
        needed = (f"{IMAGE}.png", "depth.png", "info_depth.yaml")
        files = [leaf.folder / f"{stem}_{item}" for item in needed]
        told = leaf.folder / f"{stem}_mask.png"
        yield Scan(
            name=name, category=leaf.category, split=leaf.split, defect=defect,
            files=(*files, told) if told.is_file() else tuple(files),
            load=partial(_read_raw, name, files, told if told.is_file() else None, defect),
        )  # fmt: skip


def _defect(folder: Path, stem: str, split: str) -> str | None:
    """What is wrong with a sweet, by its files; None where they do not say."""
    if split in ("train", "val"):
        return GOOD
    try:
        if not _yaml(folder / f"{stem}_metadata.yaml")["anomalous"]:
            return GOOD
        there = [kind for kind in KINDS if mask(folder / f"{stem}_{kind}_mask.png").any()]
    except (MimicaError, KeyError, TypeError):
        told = folder / f"{stem}_mask.png"
        return BAD if told.is_file() else None
    return there[0] if len(there) == 1 else COMBINED if there else BAD


def _yaml(path: Path) -> Any:
    try:
        import yaml
    except ImportError:
        raise MissingExtra("PyYAML", "anomaly") from None
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"cannot read {path}: {' '.join(str(error).split())}; replace it") from None


def _read_raw(name: str, files: list[Path], told: Path | None, defect: str | None) -> Sample:
    for path in files:
        if not path.is_file():
            raise InputError(f"{name}: {path} is missing; every scan needs one")
    rgb, grey = colour(files[0]), sixteen(files[1])
    try:
        limits = _yaml(files[2])["normalization"]
        low, high = float(limits["min"]), float(limits["max"])
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{files[2]} does not hold normalization: min and max, as numbers; replace it") from None
    z = (grey / 65535 * (high - low) + low) * UNIT
    H, W = z.shape
    focal = FOCAL * W / WIDTH
    xyz = measured(name, unprojected(z, (focal, focal), (W / 2, H / 2)), z <= 0)
    return Sample(name=name, rgb=rgb, xyz=xyz, defect=defect, mask=truth(told, defect, rgb.shape[:2]))


def _prepared(leaf: Leaf) -> Iterator[Scan]:
    told = {stem: views["gt"] for stem, views in paired(leaf, MASKS).items()}
    for stem, views in paired(leaf, VIEWS).items():
        marks = told.get(stem, [])
        files = tuple(file for each in (*views.values(), marks) for file in each)
        yield Scan(
            name=leaf.named(stem), category=leaf.category, split=leaf.split, defect=leaf.defect, files=files,
            load=partial(_read_prepared, leaf, stem, views, marks if told else None),
        )  # fmt: skip


def _read_prepared(leaf: Leaf, stem: str, views: dict[str, list[Path]], marks: list[Path] | None) -> Sample:
    name = leaf.named(stem)
    rgb = colour(only(name, "rgb", views["rgb"], leaf, VIEWS))
    stored = points(only(name, "xyz", views["xyz"], leaf, VIEWS))
    missing = removed(stored)
    xyz = measured(name, stored[..., [0, 2, 1]] * (1, 1, -1), missing)
    told = None if marks is None else only(name, "gt", marks, leaf, MASKS)
    found = truth(told, leaf.defect, rgb.shape[:2])
    return Sample(name=name, rgb=rgb, xyz=xyz, defect=leaf.defect, mask=found, thing=~missing)


def removed(stored: np.ndarray) -> np.ndarray:
    """Where the points [H, W, 3] of a prepared file were taken away, bool [H, W].

    There x is 0 and y and z are those of one place, the same for all of them, which depends on the camera. A point
    on the part may have an x of 0 as well, but hardly the very place of another.
    """
    candidates = stored[..., 0] == 0
    if not candidates.any():
        return np.asarray(candidates)
    places, counts = np.unique(stored[candidates], axis=0, return_counts=True)
    most = int(counts.argmax())
    return np.asarray(candidates & (stored == places[most]).all(-1) & (counts[most] > 1))
