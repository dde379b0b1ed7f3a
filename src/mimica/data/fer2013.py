"""FER-2013 (arXiv 1307.0414): 48-pixel grey faces, research use, in an archive beside a table of parts.

The folder holds `fer2013_train.zip` with `fer2013_train/<class>/<name>.jpg` and
`fer2013_split.csv` with the columns file, group, part. The data set is full of near twins, so the
parts are by group: `train`, `calibration`, `holdout`, and `drop` for what is to be used for nothing.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mimica.data.clipset import ClipSet, manifest
from mimica.errors import InputError, unknown
from mimica.labels import LabelSpace

PARTS = ("train", "calibration", "holdout")


def load_fer2013(folder: Path, *, part: str, size: int, space: LabelSpace) -> ClipSet:
    """One part of FER-2013 as clips of a single frame, `size` pixels square.

    Raises InputError that names what is absent or cannot be read.
    """
    if part not in PARTS:
        raise unknown("part of fer2013", part, PARTS)
    archive, split = folder / "fer2013_train.zip", folder / "fer2013_split.csv"
    for needed in (archive, split):
        if not needed.is_file():
            raise InputError(
                f"{folder} holds no {needed.name}; fer2013:PATH names the folder of the archive and its split"
            )
    names = _names(split, part)
    labels = np.array([space.index(name.split("/")[0]) for name in names])
    origin = f"FER-2013, part {part}"
    return ClipSet(
        frames=_faces(archive, names, size), labels=labels, names=names, space=space,
        manifest=manifest(origin, names, labels, space),
    )  # fmt: skip


def _names(split: Path, part: str) -> list[str]:
    with split.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for column in ("file", "part"):
        if rows and column not in rows[0]:
            raise InputError(f"{split} has no column '{column}'; it has {', '.join(rows[0])}")
    names = [row["file"] for row in rows if row["part"] == part]
    if not names:
        raise InputError(f"{split} has no picture of the part {part}")
    return names


def _faces(archive: Path, names: Sequence[str], size: int) -> list[np.ndarray]:
    """Grey pictures uint8 [1, S, S, 1], in the order of the names."""
    from PIL import Image

    frames, name = [], "its list of files"
    try:
        with zipfile.ZipFile(archive) as opened:
            for name in names:
                picture = Image.open(io.BytesIO(opened.read(f"fer2013_train/{name}"))).convert("L")
                picture = picture if picture.size == (size, size) else picture.resize((size, size))
                frames.append(np.asarray(picture)[None, :, :, None])
    except KeyError:
        raise InputError(f"{archive} holds no fer2013_train/{name}, which its split names") from None
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"cannot read {name} in {archive}: {error}") from None
    return frames
