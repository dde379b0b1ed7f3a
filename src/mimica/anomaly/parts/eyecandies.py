"""Drawn parts as Eyecandies keeps its sweets: seventeen files each, under six lights, with the pose of the camera.

    Bun/{train,val,test_public}/data/000_image_0.png … image_5.png depth.png info_depth.yaml normals.png pose.txt
    obj_params.yaml metadata.yaml bumps_mask.png dents_mask.png colors_mask.png normals_mask.png mask.png

Lengths are in decimetres, as there: a tenth of one is a centimetre of the part. In the world of the pose, y is
down into the tray and z along it; pose takes a point of the world to the camera. Depth has neither noise nor holes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mimica.anomaly.parts.folder import Wanted
from mimica.anomaly.parts.part import Taken, picture, taken
from mimica.anomaly.parts.settings import PartSettings, Split
from mimica.anomaly.parts.view import lit, normals, sampled
from mimica.anomaly.pictures import png
from mimica.anomaly.samples import GOOD
from mimica.checkpoint import put

FOCAL = 711.11 / 512
"""Focal length of the camera of Eyecandies, in widths of its picture."""
SPLITS: dict[Split, str] = {"train": "train", "validation": "val", "test": "test_public"}
MASKS = ("bumps", "dents", "colors", "normals")
UNIT = 100.0
"""Millimetres in one of the units that lengths are told in."""

_LIGHTS = (
    ((0.3, -0.3, 0.9), 0.35), ((0.0, 0.7, 0.7), 0.1), ((0.7, 0.0, 0.7), 0.1), ((0.0, -0.7, 0.7), 0.1),
    ((-0.7, 0.0, 0.7), 0.1), ((0.0, 0.0, 1.0), 0.75),
)  # fmt: skip
"""Where each picture's light stands and how much comes from everywhere: all, below, right, above, left, a box."""


def write_eyecandies(out: Path, one: Wanted, settings: PartSettings) -> None:
    """One part as seventeen files, unless they are there."""
    name = one.category.name.capitalize()
    # A thousand of train and a hundred of the others: so many digits does a number have there.
    digits = 3 if one.split == "train" else max(2, len(str(one.place)))
    start = out / name / SPLITS[one.split] / "data" / f"{one.place:0{digits}d}"
    last = start.with_name(f"{start.name}_metadata.yaml")
    if last.is_file():
        return
    shot = taken(
        one.category.name, number=one.number, split=one.split, defect=one.defect, size=settings.size,
        seed=settings.seed, focal=FOCAL,
    )  # fmt: skip
    # What the part is told by goes last: it is there when all of it is.
    for item, data in {**_pictures(shot), **_shape(shot), **_told(shot, one)}.items():
        put(start.with_name(f"{start.name}_{item}"), data)


def _pictures(shot: Taken) -> dict[str, bytes]:
    files = {}
    for number, (towards, ambient) in enumerate(_LIGHTS):
        way = np.array(towards) / np.linalg.norm(towards)
        files[f"image_{number}.png"] = png(picture(shot, lit(shot.solid, way, ambient)))
    return files


def _shape(shot: Taken) -> dict[str, bytes]:
    z = shot.view.z / UNIT
    low, high = float(z.min()), float(z.max())
    grey = np.round((z - low) / (high - low) * 65535).astype(np.uint16)
    up = sampled(normals(shot.solid.height, shot.solid.pitch), shot.view.cells)
    axes = shot.camera.axes()
    way = up @ axes  # in the camera's frame, from where y and z are turned about as they are kept
    way = way / np.linalg.norm(way, axis=-1, keepdims=True) * (1, -1, -1)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([axes[0], -axes[2], -axes[1]], 1)
    pose[:3, 3] = 0, 0, shot.camera.distance / UNIT
    lines = [" ".join(repr(float(value)) for value in row) for row in pose]
    return {
        "depth.png": png(grey),
        "info_depth.yaml": f"normalization:\n  max: {high!r}\n  min: {low!r}\n".encode(),
        "normals.png": png(np.round((way + 1) * 127.5).astype(np.uint8)),
        "pose.txt": ("\n".join(lines) + "\n").encode(),
    }


def _told(shot: Taken, one: Wanted) -> dict[str, bytes]:
    rise = shot.solid.height - shot.good.height
    where = shot.solid.mark
    bent = bool(where.any() and np.abs(rise[where]).max() > 0.5)
    is_bump = bent and rise[where].mean() > 0
    holds = {
        "bumps": bent and is_bump,
        "dents": bent and not is_bump,
        "colors": one.defect in ("colour", "both", "contamination"),
        "normals": False,
    }
    files = {f"{kind}_mask.png": png((shot.mask & holds[kind]).astype(np.uint8) * 255) for kind in MASKS}
    files["mask.png"] = png(shot.mask.astype(np.uint8) * 255)
    files["obj_params.yaml"] = f"category: {one.category.name}\ndefect: {one.defect}\n".encode()
    files["metadata.yaml"] = f"anomalous: {int(one.defect != GOOD)}\n".encode()
    return files
