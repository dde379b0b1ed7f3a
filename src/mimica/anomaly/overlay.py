"""A part with its heat over it: as a picture, and on its points.

H height and W width in pixels, n measured points.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mimica.anomaly.detector import Detector, Finding
from mimica.anomaly.pictures import shaded
from mimica.anomaly.samples import Sample

_STOPS = (
    (0.75, (255, 190, 0), 0.0), (1.0, (255, 140, 0), 0.5), (1.6, (225, 40, 30), 0.75), (2.4, (120, 0, 80), 0.88)
)  # fmt: skip
"""Heat in thresholds, its colour, and how much of it lies over the part: below three quarters of one, nothing."""


def warmth(finding: Finding, detector: Detector) -> np.ndarray:
    """Heat in thresholds [H, W]: from 1 on a place is as odd as what makes a part defective.

    Where the score is not read off the heat map (`image_score`), its hottest pixel is as warm as the score is high;
    where nothing was calibrated, it is 2.
    """
    threshold = detector.calibration.threshold(detector.config.false_alarms)
    top = max(float(finding.heat.max()), 1e-12)
    if not np.isfinite(threshold):
        return np.asarray(finding.heat * (2 / top))
    if detector.config.image_score == "map":
        return np.asarray(finding.heat / threshold)
    return np.asarray(finding.heat * (finding.score / threshold / top))


def seen_picture(sample: Sample) -> np.ndarray:
    """The part as a picture uint8 [H, W, 3]: its colours, or its shape in grey where it has none."""
    return sample.rgb if sample.rgb is not None else shaded(replace(sample, mask=None))


def heated(picture: np.ndarray, warm: np.ndarray) -> np.ndarray:
    """A picture uint8 [H, W, 3] with warmth [H, W] over it."""
    stops = [stop for stop, _, _ in _STOPS]
    colours = np.array([colour for _, colour, _ in _STOPS], np.float64)
    over = np.stack([np.interp(warm, stops, colours[:, channel]) for channel in range(3)], -1)
    share = np.interp(warm, stops, [share for _, _, share in _STOPS])[..., None]
    return np.asarray(np.round(picture * (1 - share) + over * share).astype(np.uint8))


def coloured_ply(sample: Sample, picture: np.ndarray, warm: np.ndarray) -> bytes:
    """The measured points of a part as a binary PLY: x, y, z in metres, the colours of a picture, and `heat`."""
    assert sample.xyz is not None
    there = sample.measured
    kind = [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1"), ("heat", "<f4")]
    rows = np.zeros(int(there.sum()), kind)
    for column, name in enumerate("xyz"):
        rows[name] = sample.xyz[there][:, column]
    for column, name in enumerate(("red", "green", "blue")):
        rows[name] = picture[there][:, column]
    rows["heat"] = warm[there]
    words = {"<f4": "float", "u1": "uchar"}
    head = ["ply", "format binary_little_endian 1.0", "comment heat is in thresholds, points in metres",
            f"element vertex {len(rows)}", *(f"property {words[t]} {n}" for n, t in kind), "end_header"]  # fmt: skip
    return ("\n".join(head) + "\n").encode() + rows.tobytes()
