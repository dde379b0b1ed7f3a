"""A small DFEW whose clips differ, and tiny models that say which fold they were trained on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mimica.checkpoint import restate
from tiny_sets import draw_dfew


def dfew(root: Path, *, frames: int = 3) -> Path:
    """A tree of DFEW of 51 clips, each of its own noise."""
    draw_dfew(root)
    for clip in sorted((root / "Clip" / "clip_224x224").iterdir()):
        for old in clip.iterdir():
            old.unlink()
        random = np.random.default_rng(int(clip.name))
        for i in range(1, frames + 1):
            image = random.integers(0, 256, (6, 6, 3), dtype=np.uint8)
            Image.fromarray(image).resize((48, 48)).save(clip / f"{clip.name}_{i:05d}.jpg")
    return root


def model(tiny: Path, path: Path, **facts: Any) -> Path:
    """A copy of a tiny model that states something else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for ending in (".safetensors", ".json"):
        shutil.copy(tiny.with_suffix(ending), path.with_suffix(ending))
    restate(path, **facts)
    return path


def models(tiny: Path, runs: Path, data: str = "DFEW") -> str:
    """A model for each fold; the pattern of their names."""
    for fold in range(1, 6):
        model(
            tiny, runs / f"fold{fold}" / "duse-tiny.safetensors", data={"origin": f"{data}, part train of fold {fold}"}
        )
    return f"{runs}/fold{{fold}}"
