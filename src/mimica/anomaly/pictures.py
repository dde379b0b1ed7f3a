"""Pictures that the wing makes: a shape to look at, and any of them as the bytes of a file.

H, W pixels.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from mimica.anomaly.samples import Sample

_RIM, _NONE = (255, 60, 60), (40, 44, 60)


def png(image: np.ndarray) -> bytes:
    """A picture without loss: uint8 [H, W], [H, W, 3] or [H, W, 4], or uint16 [H, W]."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=3)
    return file.getvalue()


def shaded(sample: Sample) -> np.ndarray:
    """The shape of a sample that has points as a grey picture under a light from above left: uint8 [H, W, 3]."""
    assert sample.xyz is not None
    z = sample.xyz[..., 2]
    filled = np.where(sample.measured, z, np.nanmedian(z))
    across = float(np.nanmedian(np.abs(np.diff(sample.xyz[..., 0], axis=1)))) or 1e-3
    down, right = np.gradient(filled, across)
    way = np.stack([-right, -down, -np.ones_like(filled)], -1)
    way /= np.linalg.norm(way, axis=-1, keepdims=True)
    light = np.array([0.45, 0.45, -0.77])
    image = np.repeat((np.clip(way @ light, 0, 1) * 255).astype(np.uint8)[..., None], 3, -1)
    image[~sample.measured] = _NONE
    if sample.mask is not None:
        from scipy import ndimage

        image[sample.mask & ~ndimage.binary_erosion(sample.mask)] = _RIM
    return image
