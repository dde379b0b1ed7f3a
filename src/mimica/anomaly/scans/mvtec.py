"""Pictures without depth, as MVTec AD has them: `category/{train/good, test/defect, ground_truth/defect}/000.png`.

Bergmann et al., "MVTec AD" (2019); masks are `ground_truth/defect/000_mask.png`. A folder of pictures alone is one
category of which nobody said what is good.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from mimica.anomaly.samples import GOOD, Sample
from mimica.anomaly.scans.pictures import PICTURES, colour, truth
from mimica.anomaly.scans.scan import TEST, Leaf, Scan, View, leaves, only, paired
from mimica.errors import InputError

VIEWS: dict[str, View] = {"rgb": ("", PICTURES)}


def scans(path: Path) -> Iterator[Scan]:
    """The scans below a folder of such a tree."""
    for leaf in leaves(path):
        for stem, views in paired(leaf, VIEWS).items():
            told = _mask(leaf, stem)
            files = (*views["rgb"], *((told,) if told else ()))
            yield Scan(
                name=leaf.named(stem), category=leaf.category, split=leaf.split, defect=leaf.defect, files=files,
                load=partial(_read, leaf, stem, views["rgb"], told),
            )  # fmt: skip


def _mask(leaf: Leaf, stem: str) -> Path | None:
    """Where the mask of a defective part should be; None where the tree has none."""
    folder = leaf.folder.parent.parent / "ground_truth"
    if leaf.split != TEST or leaf.defect == GOOD or not folder.is_dir():
        return None
    return folder / str(leaf.defect) / f"{stem}_mask.png"


def _read(leaf: Leaf, stem: str, pictures: list[Path], told: Path | None) -> Sample:
    name = leaf.named(stem)
    rgb = colour(only(name, "rgb", pictures, leaf, VIEWS))
    if told and not told.is_file():
        raise InputError(f"{name}: its mask {told} is missing; every defective part of this tree needs one")
    return Sample(name=name, rgb=rgb, defect=leaf.defect, mask=truth(told, leaf.defect, rgb.shape[:2]))
