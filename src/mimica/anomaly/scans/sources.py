"""Where scans of parts come from, as it is typed: `kind:PATH`. This is the one place that opens it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from mimica.anomaly.scans.scan import Scan, Source
from mimica.errors import InputError, UsageError, unknown

KINDS = {
    "mvtec3d": "MVTec 3D-AD's tree: category/split/defect/{rgb,xyz,gt}",
    "eyecandies": "Eyecandies, raw or prepared",
    "rgbd": "colour and 16-bit depth: rgb/, depth/ and intrinsics.json",
    "ply": "organised PLY files, of a size with @640x480, in millimetres with @mm",
    "pcd": "organised PCD files, in millimetres with @mm",
    "mvtec": "MVTec AD's tree, or a folder of pictures: colour alone",
}
"""The kinds of source, and what each is."""

_OPTIONS = re.compile(r"^(?P<path>.+)@(?P<options>(?:\d+x\d+|mm)(?:,(?:\d+x\d+|mm))*)$")


def open_samples(source: str) -> Source:
    """What scans there are at `kind:PATH`, listed and not read; the kinds are those of `KINDS`.

    PATH is a tree, any folder of one, or a folder of scans. What is wrong with one scan is told when it is
    read, so that the others can be. Raises UsageError for another kind, InputError where there are no scans.
    """
    kind, colon, rest = source.partition(":")
    if not colon or not rest:
        raise UsageError(f"'{source}' does not say what it is; give KIND:PATH, with KIND one of {', '.join(KINDS)}")
    if kind not in KINDS:
        raise unknown("kind of source", kind, KINDS)
    found = tuple(_lister(kind, rest)())
    if not found:
        raise InputError(f"{source} holds no scan; {kind} is {KINDS[kind]}")
    names = [scan.name for scan in found]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{source} holds two scans by the name of {twice}; rename one of them")
    return Source(name=source, scans=found)


def _lister(kind: str, rest: str) -> Callable[[], Iterator[Scan]]:
    from mimica.anomaly.scans import clouds, eyecandies, mvtec, mvtec3d, rgbd

    if kind in clouds.READERS:
        path, size, metres = _cloud(rest)
        return partial(clouds.scans, path, kind, size=size, metres=metres)
    adapter = {"mvtec3d": mvtec3d, "eyecandies": eyecandies, "rgbd": rgbd, "mvtec": mvtec}[kind]
    return partial(adapter.scans, Path(rest).expanduser())


def _cloud(rest: str) -> tuple[Path, tuple[int, int] | None, float]:
    """The path of point clouds, their size and how long their unit is, out of `PATH@640x480,mm`."""
    told = _OPTIONS.match(rest)
    if not told or Path(rest).expanduser().exists():
        return Path(rest).expanduser(), None, 1.0
    options = told["options"].split(",")
    sides = [option.split("x") for option in options if option != "mm"]
    size = (int(sides[0][0]), int(sides[0][1])) if sides else None
    return Path(told["path"]).expanduser(), size, 0.001 if "mm" in options else 1.0
