"""Drawn parts on disk, in the trees that the published data sets have.

about.json    what this is: synthetic, with which settings drawn, by which version
sheet.png     some of the parts, to look at; written last, so that all are there when it is
bun/…         as MVTec 3D-AD has a category: train, validation and test, then good or the defect, then rgb,
              xyz and gt with a file of the same name for each part
Bun/…         or as Eyecandies has one, see `mimica.anomaly.parts.eyecandies`
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mimica import __version__
from mimica.anomaly.parts.part import part
from mimica.anomaly.parts.settings import Category, Layout, PartSettings, Split
from mimica.anomaly.pictures import png
from mimica.anomaly.samples import GOOD, Sample
from mimica.checkpoint import put
from mimica.errors import CheckpointError, InputError, MissingExtra, UsageError

ABOUT, SHEET = "about.json", "sheet.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One part that is to be drawn: its place among those of its split, and which it is."""

    category: Category
    split: Split
    defect: str
    number: int
    place: int


def wanted(settings: PartSettings) -> Iterator[Wanted]:
    """Every part that settings ask for, in the order in which they are drawn."""
    for category in settings.chosen:
        place = 0
        for split, defect, count in (
            ("train", GOOD, settings.train),
            ("validation", GOOD, settings.validation),
            ("test", GOOD, settings.test),
            *(("test", defect, settings.each) for defect in settings.defects),
        ):
            place = place if split == "test" and defect != GOOD else 0
            for number in range(count):
                yield Wanted(category=category, split=split, defect=defect, number=number, place=place)  # type: ignore[arg-type]
                place += 1


def write_parts(
    out: Path,
    settings: PartSettings,
    *,
    layout: Layout = "mvtec3d",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Draw parts into a folder, as the top of this file lists it, and give the path of their sheet.

    Parts that are there already are left as they are, so that the same call again goes on where one was stopped.
    `progress` is told how many are there, and of how many. Raises UsageError where the folder holds something
    else, InputError where it cannot be written to, MissingExtra without tifffile.
    """
    from mimica.anomaly.parts.eyecandies import write_eyecandies
    from mimica.anomaly.parts.sheet import save_sheet

    write = write_eyecandies if layout == "eyecandies" else write_mvtec3d
    try:
        _begin(out, settings, layout)
        asked = list(wanted(settings))
        for done, one in enumerate(asked, 1):
            write(out, one, settings)
            progress(done, len(asked))
        save_sheet(out / SHEET, settings)
    except (OSError, CheckpointError) as error:
        why = error.strerror or error if isinstance(error, OSError) else error
        raise InputError(f"cannot write to {out}: {why}; choose another place with --out") from None
    return out / SHEET


def _begin(out: Path, settings: PartSettings, layout: Layout) -> None:
    """Say what the folder is going to hold, unless it holds something else."""
    names = [category.name for category in settings.chosen]
    made = {"mimica": __version__, "layout": layout, **asdict(settings), "categories": names}
    about = {"what": "parts drawn by formula; no photograph", "synthetic": True, **json.loads(json.dumps(made))}
    path = out / ABOUT
    if not path.exists():
        if out.is_dir() and any(out.iterdir()):
            raise UsageError(f"{out} holds something that is not of this command; choose another place with --out")
        put(path, (json.dumps(about, indent=1, ensure_ascii=False) + "\n").encode())
        return
    try:
        there = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise UsageError(f"{path} is not what this command writes; choose another place with --out") from None
    other = [f"{name} {there.get(name)}, not {value}" for name, value in about.items() if there.get(name) != value]
    if other:
        raise UsageError(
            f"{out} holds parts drawn with {'; '.join(other)}. Give the same settings again to go on with them, or "
            "choose another place with --out"
        )


def write_mvtec3d(out: Path, one: Wanted, settings: PartSettings) -> None:
    """One part as MVTec 3D-AD keeps it, unless it is there: picture, points in metres (0, 0, 0 for none), mask.

    The first good part to measure on has a picture with an alpha channel, as some files of that data set do.
    """
    folder = out / one.category.name / one.split / one.defect
    places = {kind: folder / kind / f"{one.number:03d}{end}" for kind, end in _FILES.items()}
    if one.split != "test":
        del places["gt"]
    if all(path.is_file() for path in places.values()):
        return
    drawn = part(
        one.category.name, number=one.number, split=one.split, defect=one.defect, size=settings.size,
        seed=settings.seed,
    )  # fmt: skip
    alpha = (one.split, one.defect, one.number) == ("test", GOOD, 0)
    for kind, path in places.items():
        put(path, _file(kind, drawn, alpha=alpha))


_FILES = {"rgb": ".png", "xyz": ".tiff", "gt": ".png"}


def _file(kind: str, drawn: Sample, *, alpha: bool) -> bytes:
    assert drawn.rgb is not None
    assert drawn.xyz is not None
    assert drawn.mask is not None
    if kind == "xyz":
        return tiff(np.where(drawn.measured[..., None], drawn.xyz, 0))
    if kind == "gt":
        return png(drawn.mask.astype(np.uint8) * 255)
    solid = np.full((*drawn.size, 1), 255, np.uint8)
    return png(np.concatenate([drawn.rgb, solid], -1) if alpha else drawn.rgb)


def tiff(points: np.ndarray) -> bytes:
    """Organised points [H, W, 3] as an uncompressed TIFF of their own type."""
    try:
        import tifffile
    except ImportError:
        raise MissingExtra("tifffile", "anomaly") from None
    file = io.BytesIO()
    tifffile.imwrite(file, points, photometric="rgb", metadata=None)
    return file.getvalue()
