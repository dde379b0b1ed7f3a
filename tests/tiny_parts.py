"""Small trees of drawn parts on disk, for tests that read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mimica.anomaly.parts.folder import wanted, write_mvtec3d
from mimica.anomaly.parts.settings import PartSettings


def settings(**changed: Any) -> PartSettings:
    """Two categories, one of them not square, of 64 pixels: two parts to train on, two good ones to test, two bad."""
    usual: dict[str, Any] = {
        "categories": ("bun", "tablet"), "size": 64, "train": 2, "test": 2, "each": 1, "defects": ("both", "missing"),
    }  # fmt: skip
    return PartSettings(**usual | changed)


def tree(folder: Path, **changed: Any) -> Path:
    """A tree as MVTec 3D-AD has it, without the notes beside it."""
    for one in wanted(settings(**changed)):
        write_mvtec3d(folder, one, settings(**changed))
    return folder
