"""A face file as the asset `ict-face` is one, of a few hundred vertices: balls for head and eyes, random shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SIDED = (
    "PupilDilate", "browDown", "browInnerUp", "browOuterUp", "cheekPuff", "cheekRaiser", "cheekSquint", "eyeBlink",
    "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown",
    "mouthLowerDown", "mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer",
)  # fmt: skip
WHOLE = (
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthFunnel", "mouthLeft", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
)  # fmt: skip
NAMES = tuple(sorted([name + side for name in SIDED for side in ("_L", "_R")] + list(WHOLE)))
"""The expression shapes of the real file, in its order."""

MATERIALS = (
    "M_Face", "M_BackHead", "M_GumsTongue", "M_Teeth", "M_ScleraLeft", "M_IrisLeft", "M_ScleraRight", "M_IrisRight",
    "M_LacrimalFluid", "M_EyeBlend", "M_EyeOcclusion", "M_EyeLashes",
)  # fmt: skip
EYE, RADIUS = np.array([3.1, 3.6, 7.9]), 1.5
MODES = 4


def ball(centre: np.ndarray, radii: np.ndarray, rings: int = 9, around: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and outward triangles of an ellipsoid whose pole looks forwards."""
    down, turn = np.meshgrid(
        np.linspace(0.05, np.pi - 0.05, rings), 2 * np.pi * np.arange(around) / around, indexing="ij"
    )
    unit = np.stack([np.sin(down) * np.cos(turn), np.sin(down) * np.sin(turn), np.cos(down)], -1).reshape(-1, 3)
    place = np.arange(rings * around).reshape(rings, around)
    a, b = place[:-1], np.roll(place[:-1], -1, 1)
    c, d = place[1:], np.roll(place[1:], -1, 1)
    triangles = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    return unit * radii + centre, triangles


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """The arrays of such a file."""
    random = np.random.default_rng(seed)
    other = EYE * [-1, 1, 1]
    parts = [
        ("M_Face", *ball(np.array([0.0, 1.0, 0.0]), np.array([8.0, 10.0, 10.0]), 17, 24)),
        ("M_BackHead", *ball(np.array([0.0, -12.0, -2.0]), np.array([5.0, 5.0, 5.0]))),
        ("M_BackHead", *ball(np.array([0.0, -3.5, 6.0]), np.full(3, 1.5), 5, 6)),  # the lining of the mouth
        ("M_GumsTongue", *ball(np.array([0.0, -3.5, 8.0]), np.array([2.0, 1.0, 1.0]), 5, 6)),
        ("M_Teeth", *ball(np.array([0.0, -3.0, 9.0]), np.array([2.0, 0.5, 0.5]), 5, 6)),
        ("M_IrisLeft", *ball(EYE, np.full(3, 1.4), 5, 6)), ("M_IrisRight", *ball(other, np.full(3, 1.4), 5, 6)),
        ("M_EyeLashes", *ball(EYE * [1, 1, 1.23], np.array([1.0, 0.2, 0.3]), 5, 6)),
        ("M_LacrimalFluid", *ball(EYE, np.full(3, 1.7), 5, 6)), ("M_EyeBlend", *ball(EYE, np.full(3, 1.8), 5, 6)),
        ("M_EyeOcclusion", *ball(EYE, np.full(3, 1.9), 5, 6)),
    ]  # fmt: skip
    for name, centre in (("M_ScleraLeft", EYE), ("M_ScleraRight", other)):
        vertices, triangles = ball(centre, np.full(3, RADIUS))
        vertices[:12, 2] += 0.2  # the cornea
        parts.append((name, vertices, triangles))
    first = np.cumsum([0, *(len(vertices) for _, vertices, _ in parts)])
    neutral = np.concatenate([vertices for _, vertices, _ in parts]).astype(np.float32)
    material = np.concatenate([np.full(len(t), MATERIALS.index(name), np.int16) for name, _, t in parts])
    moved = random.normal(0, 0.1, (len(NAMES), len(neutral), 3)) * (neutral[:, 2:] > 0)
    far = np.minimum(*(np.linalg.norm(neutral - centre, axis=1) for centre in (EYE, other))) > 3
    moved *= ~(far & np.array([name.startswith("eye") for name in NAMES])[:, None])[..., None]
    still = np.concatenate([np.full(len(v), not name.startswith("M_Sclera")) for name, v, _ in parts])
    return {
        "neutral": neutral, "tri_mat": material, "materials": np.array(MATERIALS), "expr_names": np.array(NAMES),
        "tri": np.concatenate([t + at for (_, _, t), at in zip(parts, first, strict=False)]).astype(np.int32),
        "expr": (moved * still[:, None]).astype(np.float16),
        "ident": random.normal(0, 0.2, (MODES, 1, 3)).repeat(len(neutral), 1).astype(np.float16)
        + random.normal(0, 0.02, (MODES, len(neutral), 3)).astype(np.float16),
    }  # fmt: skip


def write_face(path: Path, **other: np.ndarray) -> Path:
    """Write such a file; `other` arrays take the place of its own."""
    np.savez(path, **(arrays() | other))  # type: ignore[arg-type]
    return path
