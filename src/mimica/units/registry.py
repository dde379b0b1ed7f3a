"""Every detector of Action Units by name, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mimica import checkpoint
from mimica.errors import CheckpointError, unknown

if TYPE_CHECKING:
    from mimica.units.detect import UnitDetector

DEFAULT = "compact-units"
"""The detector that comes with the package."""

NAMES = (DEFAULT, "blendshapes")
"""The detectors that have a name of their own."""

_TRUTH = "actor:"
KIND = "units"
"""What a file of a trained detector states as its kind."""


def load(name: str = DEFAULT, *, device: str = "cpu") -> UnitDetector:
    """The detector of that name: one of `NAMES`, the path that training wrote, or `actor:TABLE`.

    The last is no detector but the ground truth of pictures that `mimica data actor` drew. Raises UsageError for an
    unknown name, MissingExtra and AssetError where `blendshapes` lacks its library or its file, CheckpointError for
    weights that do not fit, InputError for a table that cannot be read.
    """
    if name == "blendshapes":
        from mimica.units.blendshapes import Blendshapes

        return Blendshapes()
    if name.startswith(_TRUTH):
        from mimica.units.truth import Truth

        return Truth(Path(name.removeprefix(_TRUTH)))
    from mimica.units.compact import load_compact

    return load_compact(locate(name), device=device)


def locate(name: str) -> Path:
    """The `.safetensors` of the shipped detector, or of a file or folder that training wrote. Raises UsageError."""
    path = checkpoint.SHIPPED / f"{name}.safetensors" if name == DEFAULT else Path(name)
    if path.is_dir():
        path = path / f"{DEFAULT}.safetensors"
    if path.suffix != ".safetensors" or not path.is_file():
        raise unknown("detector of units", name, [*NAMES, "a path to a .safetensors", f"{_TRUTH}TABLE"])
    if (kind := checkpoint.read_facts(path).get("kind")) != KIND:
        raise CheckpointError(
            f"{path} is of the kind '{kind}', not a detector of units; choose from {', '.join(NAMES)}"
        )
    return path


def card(name: str) -> Mapping[str, Any]:
    """What a detector says of itself, its limits among it, without its being loaded."""
    if name == "blendshapes":
        from mimica.units.blendshapes import CARD

        return CARD
    if name.startswith(_TRUTH):
        return {"name": name, "limits": "the units that the actor was drawn with; no detector"}
    return checkpoint.read_facts(locate(name))


def identity(name: str) -> str:
    """What tells a detector from another of its name: the digest of its weights, where it has any of its own."""
    if name == "blendshapes" or name.startswith(_TRUTH):
        return name
    return str(checkpoint.read_facts(locate(name)).get("sha256"))
