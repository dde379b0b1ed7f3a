"""The face that is rendered, as numbers: a head at rest, who it is, what it does, where its eyes look.

V vertices, F triangles, E expression shapes, I modes of identity, T frames, K eyes (left 0, right 1).
Lengths are the model's own, about a centimetre; x to the face's left, y up, z forwards.
Source: ICT-FaceKit (USC Institute for Creative Technologies, 2020, MIT): Li et al., *Learning
Formation of Physically-Based Face Attributes*, arXiv 2004.03458.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from mimica.data.render_units import weights
from mimica.errors import InputError

SURFACES = MappingProxyType(
    {
        "skin": ("M_Face", "M_BackHead"),
        "gums": ("M_GumsTongue",),
        "teeth": ("M_Teeth",),
        "left eye": ("M_ScleraLeft",),
        "right eye": ("M_ScleraRight",),
        "lashes": ("M_EyeLashes",),
    }
)
"""What is drawn, by the model's materials; and `inside`, those parts of the skin that line mouth, nose and sockets,
which the model counts to the back of the head. Not drawn: `M_LacrimalFluid`, `M_EyeBlend`, `M_EyeOcclusion`, which
need a picture each to be seen through, and the irises, which are painted on the eyes."""

EYES = ("left eye", "right eye")

_LINING = np.array([5.5, 9.0, 1.0])
"""The back of the head nearer to the middle than the first two, and in front of the third, is no outside."""

_ARRAYS = {
    "neutral": ("V", 3), "tri": ("F", 3), "tri_mat": ("F",), "materials": ("M",),
    "expr_names": ("E",), "expr": ("E", "V", 3), "ident": ("I", "V", 3),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Eye:
    """One eye at rest: the places of its vertices, its centre [3], its radius, and the way that it looks [3]."""

    vertices: np.ndarray
    centre: np.ndarray
    radius: float
    axis: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaceModel:
    """A face at rest [V, 3], and how `expressions` [E, V, 3] by `names` and `modes` [I, V, 3] change it.

    `triangles` are [F, 3] by surface; `corners` [3, F] are those of all of them, and `around` [V, F] says which
    of them meet at each vertex.
    """

    rest: np.ndarray
    triangles: Mapping[str, np.ndarray]
    names: tuple[str, ...]
    expressions: np.ndarray
    modes: np.ndarray
    eyes: tuple[Eye, Eye]
    corners: np.ndarray
    around: Any

    def person(self, modes: np.ndarray) -> np.ndarray:
        """The resting face [V, 3] of someone with these strengths [I] of the modes of identity."""
        changed = modes.astype(np.float32) @ self.modes.reshape(len(self.modes), -1)
        return np.asarray(self.rest + changed.reshape(self.rest.shape))

    def posed(self, person: np.ndarray, units: np.ndarray, *, gaze: np.ndarray, blink: np.ndarray,
              lopsided: np.ndarray | None = None) -> np.ndarray:  # fmt: skip
        """Vertices [T, V, 3] of a person whose units [T, U], gaze [T, K, 2] in degrees and lids [T] are these."""
        shares = weights(units, self.names, gaze=gaze, blink=blink, lopsided=lopsided)
        moved = shares @ self.expressions.reshape(len(self.names), -1)
        placed = person + moved.reshape(len(units), *person.shape)
        for k, eye in enumerate(self.eyes):
            centre = self.centre(person, k)
            for t, turn in enumerate(turning(gaze[:, k])):
                placed[t, eye.vertices] = (person[eye.vertices] - centre) @ turn.T + centre
        return np.asarray(placed)

    def centre(self, person: np.ndarray, k: int) -> np.ndarray:
        """Where an eye of a person turns about, [3]."""
        eye = self.eyes[k]
        return np.asarray(eye.centre + (person[eye.vertices] - self.rest[eye.vertices]).mean(0))

    def marks(self) -> np.ndarray:
        """What stays with each vertex [V, 3] however the face moves: its place at rest, or on an eye.

        On eyes and lashes that is from the eye's centre, z the way that it looks, and 1 the eye's radius.
        """
        marks, lashes = self.rest.copy(), np.unique(self.triangles["lashes"])
        for eye in self.eyes:
            side = np.cross([0.0, 1.0, 0.0], eye.axis)
            side /= np.linalg.norm(side)
            axes = np.stack([side, np.cross(eye.axis, side), eye.axis])
            own = np.concatenate([eye.vertices, lashes[self.rest[lashes, 0] * eye.centre[0] > 0]])
            marks[own] = (self.rest[own] - eye.centre) @ axes.T / eye.radius
        return marks

    def normals(self, placed: np.ndarray) -> np.ndarray:
        """Which way the surface faces at each vertex [V, 3] of a posed face [V, 3], outwards, of length 1."""
        along = np.ascontiguousarray(placed.T)
        first = along[:, self.corners[0]]
        u, v = along[:, self.corners[1]] - first, along[:, self.corners[2]] - first
        facing = np.stack([u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]], 1)
        total = self.around @ facing
        return np.asarray(total / np.maximum(np.sqrt((total * total).sum(1, keepdims=True)), 1e-12))


def turning(gaze: np.ndarray) -> np.ndarray:
    """Rotations [T, 3, 3] of an eye that looks these degrees [T, 2] to the left and up."""
    across, up = np.deg2rad(gaze.astype(np.float64)).T
    zero, one = np.zeros_like(up), np.ones_like(up)
    yaw = np.stack([np.cos(across), zero, np.sin(across), zero, one, zero, -np.sin(across), zero, np.cos(across)], -1)
    pitch = np.stack([one, zero, zero, zero, np.cos(up), np.sin(up), zero, -np.sin(up), np.cos(up)], -1)
    return np.asarray((yaw.reshape(-1, 3, 3) @ pitch.reshape(-1, 3, 3)).astype(np.float32))


@lru_cache(maxsize=2)
def load_face(path: Path) -> FaceModel:
    """The face in a file of the asset `ict-face`. Raises InputError where the file is not one."""
    arrays = _read(path)
    chosen = {name: _of(arrays, materials, path) for name, materials in SURFACES.items()}
    middle = arrays["neutral"][arrays["tri"]].mean(1)
    lining = (
        _of(arrays, ("M_BackHead",), path) & (middle[:, 2] > _LINING[2]) & (np.abs(middle[:, :2]) < _LINING[:2]).all(1)
    )
    chosen |= {"skin": chosen["skin"] & ~lining, "inside": lining}
    used = np.unique(np.concatenate([arrays["tri"][rows].ravel() for rows in chosen.values()]))
    places = np.full(len(arrays["neutral"]), -1)
    places[used] = np.arange(len(used))
    triangles = {name: places[arrays["tri"][rows]].astype(np.int32) for name, rows in chosen.items()}
    every = np.concatenate(list(triangles.values()))
    rest = arrays["neutral"][used].astype(np.float32)
    return FaceModel(
        rest=rest, triangles=MappingProxyType(triangles), names=tuple(arrays["expr_names"].tolist()),
        expressions=_at_hand(arrays["expr"], used), modes=_at_hand(arrays["ident"], used),
        eyes=tuple(_eye(rest, np.unique(triangles[name])) for name in EYES),  # type: ignore[arg-type]
        corners=every.T.astype(np.intp), around=_around(every, len(used)),
    )  # fmt: skip


def _at_hand(changes: np.ndarray, used: np.ndarray) -> np.ndarray:
    # In one piece in memory: picking leaves gaps, and every product would first close them.
    return np.ascontiguousarray(changes[:, used], np.float32)


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in _ARRAYS}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a face of ICT-FaceKit ({error}); fetch the asset ict-face again") from None
    lengths: dict[str, int] = {}
    for name, axes in _ARRAYS.items():
        shape = arrays[name].shape
        right = len(shape) == len(axes) and all(
            size == (axis if isinstance(axis, int) else lengths.setdefault(str(axis), size))
            for size, axis in zip(shape, axes, strict=True)
        )
        if not right:
            raise InputError(f"{path}: {name} is {list(shape)}, not {list(axes)}; fetch the asset ict-face again")
    return arrays


def _of(arrays: dict[str, np.ndarray], materials: tuple[str, ...], path: Path) -> np.ndarray:
    """Which triangles are of these materials."""
    known = arrays["materials"].tolist()
    if missing := [name for name in materials if name not in known]:
        raise InputError(f"{path} has no material {missing[0]}; fetch the asset ict-face again")
    return np.isin(arrays["tri_mat"], [known.index(name) for name in materials])


def _eye(rest: np.ndarray, vertices: np.ndarray) -> Eye:
    """The sphere that the back of an eye lies on; it looks where the cornea stands out most."""
    points = rest[vertices].astype(np.float64)
    back = points[points[:, 2] <= np.median(points[:, 2])]
    found: Any = np.linalg.lstsq(np.c_[2 * back, np.ones(len(back))], (back**2).sum(1), rcond=None)[0]
    centre = found[:3]
    away = points - centre
    far = np.linalg.norm(away, axis=1)
    axis = away[far >= far.max() - 0.01 * far.max()].mean(0)
    return Eye(
        vertices=vertices, centre=centre.astype(np.float32), radius=float(np.sqrt(found[3] + centre @ centre)),
        axis=(axis / np.linalg.norm(axis)).astype(np.float32),
    )  # fmt: skip


def _around(triangles: np.ndarray, vertices: int) -> Any:
    """Which of the triangles [F, 3] meet at each vertex: ones in a sparse matrix [V, F]."""
    from scipy.sparse import csr_matrix

    number = len(triangles)
    ones = np.ones(3 * number, np.float32)
    return csr_matrix((ones, (triangles.ravel(), np.repeat(np.arange(number), 3))), (vertices, number))
