"""The value object that travels through the wing: one part as a colour camera and a depth sensor saw it.

H height and W width in pixels; colour and points are registered, so that a pixel is one place on the part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mimica.errors import InputError

GOOD = "good"
"""The word for a part without a defect, as the published data sets have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One part as it was seen, by colour, by shape, or by both.

    `rgb` uint8 [H, W, 3]; `xyz` float32 [H, W, 3] in metres in the sensor's own frame, not finite where nothing
    was measured; either may be None, not both. `name` says which it is in messages and tables. `defect` is the
    kind of defect, GOOD for none, or None where nobody said; `mask` bool [H, W] is where it is, or None.
    `thing` bool [H, W] is where the part is, if whoever prepared the sample said so. Raises InputError
    where sizes differ.
    """

    name: str
    rgb: np.ndarray | None = None
    xyz: np.ndarray | None = None
    defect: str | None = None
    mask: np.ndarray | None = None
    thing: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.rgb is None and self.xyz is None:
            raise InputError(f"{self.name} has neither colour nor depth; give at least one")
        views = {"rgb": self.rgb, "xyz": self.xyz, "mask": self.mask, "thing": self.thing}
        sizes = {name: view.shape[:2] for name, view in views.items() if view is not None}
        if len(set(sizes.values())) > 1:
            told = ", ".join(f"{name} {size[1]}x{size[0]}" for name, size in sizes.items())
            raise InputError(f"{self.name}: sizes differ ({told} pixels); colour and depth must be registered")

    @property
    def size(self) -> tuple[int, int]:
        """H and W in pixels."""
        view = self.rgb if self.rgb is not None else self.xyz
        assert view is not None
        return view.shape[0], view.shape[1]

    @property
    def measured(self) -> np.ndarray:
        """Bool [H, W]: where the depth sensor measured a point; nowhere without one."""
        if self.xyz is None:
            return np.zeros(self.size, bool)
        measured: np.ndarray = np.isfinite(self.xyz).all(-1)
        return measured
