"""Parts without the tray they lie on: the plane found and taken away, the largest piece kept, padded to a square.

Published works prepare MVTec 3D-AD so (a plane by RANSAC through the border, what lies within 5 mm of it zeroed, the
largest cluster kept, a centred square), in place and in hours. Here it takes milliseconds, clusters are neighbours
in the picture, and what is kept goes to a folder of its own, never over a file that was read.

H, W pixels; n points of the border; R rounds.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from mimica.anomaly.samples import Sample
from mimica.anomaly.scans.scan import Scan, Source
from mimica.checkpoint import put
from mimica.errors import CheckpointError, InputError, UsageError

VERSION = 1
"""Goes up whenever the same settings would prepare a part otherwise: then nothing kept from before is used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareSettings:
    """How the tray is found and what is kept."""

    border: int = 10
    """How many pixels of the border, on each side, the plane is sought in."""
    near: float = 0.004
    """Metres within which a point of the border belongs to the plane that is sought."""
    tray: float = 0.005
    """Metres from the plane within which a point is of the tray."""
    rounds: int = 300
    """How many planes through three points are tried."""
    largest: bool = True
    """Whether all but the largest piece is taken away; what lies beside the part is gone then."""
    square: bool = True
    """Whether the picture is padded to a centred square."""
    seed: int = 0
    """What the choice of points depends on."""

    def __post_init__(self) -> None:
        for name in ("border", "near", "tray", "rounds"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} must be more than 0, got {getattr(self, name):g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """All places p with normal · p + offset = 0; the sensor is on the side that is more than 0."""

    normal: np.ndarray
    offset: float

    def above(self, points: np.ndarray) -> np.ndarray:
        """How far points [..., 3] are from the plane, towards the sensor; nan where a point is."""
        return np.asarray(points @ self.normal + self.offset)


def plane_of(xyz: np.ndarray, settings: PrepareSettings | None = None) -> Plane | None:
    """The plane on which the border of points [H, W, 3] lies, or None where too few of it were measured.

    RANSAC (Fischler and Bolles, 1981) over triples, the first of those with the most neighbours, and a plane by
    least squares through these, twice. The same points and settings give the same plane.
    """
    s = settings or PrepareSettings()
    rim = np.ones(xyz.shape[:2], bool)
    rim[s.border : -s.border, s.border : -s.border] = False
    points = xyz[rim & np.isfinite(xyz).all(-1)].astype(np.float64)
    random = np.random.default_rng(s.seed)
    if len(points) > _MOST:
        points = points[np.sort(random.choice(len(points), _MOST, replace=False))]
    if len(points) < _LEAST:
        return None
    a, b, c = (points[i] for i in random.integers(0, len(points), (3, s.rounds)))
    normals = np.cross(b - a, c - a)
    lengths = np.linalg.norm(normals, axis=1)
    normals, a = normals[lengths > 0] / lengths[lengths > 0, None], a[lengths > 0]
    if not len(normals):
        return None
    far = np.abs(points @ normals.T - (a * normals).sum(1))
    best = int((far <= s.near).sum(0).argmax())
    belongs = far[:, best] <= s.near
    for _ in range(2):
        plane = _through(points[belongs])
        belongs = np.abs(plane.above(points)) <= s.near
    return plane


_MOST, _LEAST = 3000, 30
"""How many points of the border are looked at, and with how few no plane is sought."""


def _through(points: np.ndarray) -> Plane:
    """The plane nearest to points [n, 3], by squares."""
    middle = points.mean(0)
    normal = np.linalg.svd(points - middle, full_matrices=False)[2][2]
    offset = -float(normal @ middle)
    return Plane(normal=normal, offset=offset) if offset > 0 else Plane(normal=-normal, offset=-offset)


def part_of(sample: Sample, settings: PrepareSettings | None = None) -> np.ndarray:
    """Where the part is, bool [H, W]: what was measured off the tray, of that the largest piece unless told otherwise.

    What a sample says itself (`thing`) is believed; without depth, or without a border to see the tray in, the part
    is all that was measured, or everything. Raises InputError where nothing stands out of the tray.
    """
    from scipy import ndimage

    s = settings or PrepareSettings()
    if sample.thing is not None:
        return sample.thing
    if sample.xyz is None:
        return np.ones(sample.size, bool)
    measured = sample.measured
    plane = plane_of(sample.xyz, s)
    if plane is None:
        return measured
    with np.errstate(invalid="ignore"):
        off = measured & (np.abs(plane.above(sample.xyz)) > s.tray)
    if not off.any():
        raise InputError(f"{sample.name}: no part stands out of the tray by more than {1000 * s.tray:g} mm")
    if not s.largest:
        return np.asarray(off)
    # A hole two pixels wide does not part a piece in two.
    pieces, _ = ndimage.label(ndimage.binary_closing(np.pad(off, 3), _EIGHT, 2)[3:-3, 3:-3] | off, _EIGHT)
    return np.asarray((pieces == np.bincount(pieces[off]).argmax()) & off)


_EIGHT = np.ones((3, 3), bool)


def prepare(sample: Sample, settings: PrepareSettings | None = None) -> Sample:
    """The sample with only the part in it: black and not measured elsewhere, and square. `thing` says where it is.

    Raises InputError where no part stands out of the tray.
    """
    s = settings or PrepareSettings()
    thing = part_of(sample, s)
    rgb, xyz = sample.rgb, sample.xyz
    if xyz is not None:
        xyz = np.where(thing[..., None], xyz, np.float32(np.nan))
        # What has no depth has a colour all the same, which the part's own holes keep.
        kept = _filled(thing, sample.measured)
        rgb = None if rgb is None else np.where(kept[..., None], rgb, np.uint8(0))
    found = replace(sample, rgb=rgb, xyz=xyz, thing=thing)
    return squared(found) if s.square else found


def _filled(thing: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """The part with what was not measured inside of it and along its rim."""
    from scipy import ndimage

    closed = ndimage.binary_closing(np.pad(thing, 3), _EIGHT, 2)[3:-3, 3:-3]
    return np.asarray(thing | ((closed | ndimage.binary_fill_holes(thing)) & ~measured))


def squared(sample: Sample) -> Sample:
    """The sample in the middle of a square of its longer side: black, not measured and good where it was not."""
    H, W = sample.size
    side = max(H, W)
    above, left = (side - H) // 2, (side - W) // 2
    rim = ((above, side - H - above), (left, side - W - left))
    if H == W:
        return sample

    def padded(view: np.ndarray | None, value: float) -> np.ndarray | None:
        if view is None:
            return None
        return np.pad(view, (*rim, (0, 0))[: view.ndim], constant_values=value)

    return replace(
        sample, rgb=padded(sample.rgb, 0), xyz=padded(sample.xyz, np.nan), mask=padded(sample.mask, 0),
        thing=padded(sample.thing, 0),
    )  # fmt: skip


def prepared(source: Source, folder: Path, settings: PrepareSettings | None = None) -> Source:
    """The same source with its parts prepared; what was prepared once is kept in a folder and found there again.

    It is kept by what the files hold, how it was prepared and by which version: other files of the same name, other
    settings and another version are prepared anew. No file of the source is changed.
    """
    s = settings or PrepareSettings()

    def kept(scan: Scan) -> Scan:
        return replace(scan, load=lambda: _kept(scan, folder, s))

    return Source(name=source.name, scans=tuple(kept(scan) for scan in source.scans))


def _kept(scan: Scan, folder: Path, settings: PrepareSettings) -> Sample:
    path = folder / f"{_key(scan, settings)}.safetensors"
    views = _found(path)
    if views is None:
        made = prepare(scan.read(), settings)
        views = {name: view for name in _VIEWS if (view := getattr(made, name)) is not None}
        from safetensors.numpy import save

        try:
            put(path, save({name: np.ascontiguousarray(view) for name, view in views.items()}))
        except CheckpointError as error:
            raise InputError(f"{error}; keep prepared parts in another place") from None
    return Sample(name=scan.name, defect=scan.defect, **views)


_VIEWS = ("rgb", "xyz", "mask", "thing")


def _found(path: Path) -> dict[str, np.ndarray] | None:
    """What is kept there; None where nothing is, or what is there is no longer whole."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(path.read_bytes()))
    except (OSError, SafetensorError):
        return None


def _key(scan: Scan, settings: PrepareSettings) -> str:
    """What decides how a prepared part looks: version, settings, and the bytes of its files."""
    key = hashlib.sha256(json.dumps([VERSION, asdict(settings)], sort_keys=True).encode())
    for path in scan.files:
        # The part of a path that says what a file is, not where it happens to lie.
        key.update(f"\0{path.parent.name}/{path.name}\0{path.stat().st_size}\0".encode())
        key.update(path.read_bytes())
    return key.hexdigest()[:32]
