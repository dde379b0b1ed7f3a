"""A folder a class: `PATH/happiness/…`, `PATH/sad/…`, holding photos, videos or folders of frames."""

from __future__ import annotations

from pathlib import Path

from mimica.data.clipset import Item
from mimica.errors import InputError
from mimica.labels import LabelSpace
from mimica.video.sources import expand, is_media


def folder_items(path: Path, space: LabelSpace) -> list[Item]:
    """Every labelled file of a folder of class folders, in order of class and name.

    Raises InputError if a folder is no class of the label space, or nothing is in any of them.
    """
    if not path.is_dir():
        raise InputError(f"{path} is not a folder; folder:PATH names one that holds a folder a class")
    classes = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not classes:
        raise InputError(
            f"{path} holds no folders; folder:PATH names one that holds a folder a class: {', '.join(space.names)}"
        )
    found = [Item(path=file, label=space.index(folder.name)) for folder in classes for file in _files(folder)]
    if not found:
        raise InputError(f"the class folders in {path} hold no photo and no video")
    return found


def _files(folder: Path) -> list[Path]:
    """The media directly in a class folder; a folder inside it is one clip of frames."""
    inside = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    for p in inside:
        if p.is_dir() and expand([str(p)]) != [str(p)]:
            raise InputError(f"{p} is not one clip of numbered frames; put its photos and videos into {folder}")
    return [p for p in inside if p.is_dir() or is_media(p)]
