from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimica.anomaly.pictures import png
from mimica.anomaly.samples import GOOD
from mimica.anomaly.scans.sources import open_samples
from mimica.errors import InputError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path in ("bottle/train/good", "bottle/test/good", "bottle/test/crack", "bottle/ground_truth/crack"):
        (tmp_path / path).mkdir(parents=True)
        for number in range(2):
            image = np.full((20, 30, 3), 10 * number + 5, np.uint8)
            (tmp_path / path / f"{number:03d}.png").write_bytes(png(image))
    for number in range(2):
        mask = np.zeros((20, 30), np.uint8)
        mask[3:6, 4 + number] = 255
        (tmp_path / f"bottle/ground_truth/crack/{number:03d}.png").unlink()
        (tmp_path / f"bottle/ground_truth/crack/{number:03d}_mask.png").write_bytes(png(mask))
    return tmp_path


def test_pictures_go_with_the_masks_of_their_name(root: Path) -> None:
    source = open_samples(f"mvtec:{root}")
    assert (source.categories, source.splits) == (("bottle",), ("train", "test"))
    for number, scan in enumerate(source.chosen("bottle", "test")[:2]):
        sample = scan.read()
        assert (scan.defect, sample.xyz, sample.size) == ("crack", None, (20, 30))
        assert sample.mask is not None
        assert sample.mask[3:6, 4 + number].all()
        assert sample.mask.sum() == 3
        assert (sample.rgb == 10 * number + 5).all()


def test_good_pictures_have_empty_masks(root: Path) -> None:
    for scan in open_samples(f"mvtec:{root}/bottle/test/good").scans:
        sample = scan.read()
        assert scan.defect == GOOD
        assert sample.mask is not None
        assert not sample.mask.any()


def test_a_lost_mask_is_said_and_a_tree_without_masks_has_none(root: Path) -> None:
    (root / "bottle/ground_truth/crack/000_mask.png").unlink()
    first, second = open_samples(f"mvtec:{root}/bottle/test/crack").scans
    with pytest.raises(InputError, match=r"crack/000: its mask .*000_mask\.png is missing"):
        first.read()
    second.read()
    for path in (root / "bottle/ground_truth/crack").iterdir():
        path.unlink()
    (root / "bottle/ground_truth/crack").rmdir()
    (root / "bottle/ground_truth").rmdir()
    assert open_samples(f"mvtec:{root}/bottle/test/crack").scans[0].read().mask is None


def test_a_folder_of_pictures_of_any_kind_is_a_category(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    grey = Image.fromarray(np.full((8, 9), 77, np.uint8))
    for name, image in (("a.png", grey), ("b.bmp", grey.convert("RGB")), ("c.png", grey.convert("P"))):
        image.save(folder / name)
    Image.fromarray(np.full((8, 9, 3), 77, np.uint8)).save(folder / "d.jpg")
    (folder / "notes.txt").write_text("no picture")
    source = open_samples(f"mvtec:{folder}")
    assert [(scan.name, scan.defect) for scan in source.scans] == [(f"photos/{name}", None) for name in "abcd"]
    assert all(np.abs(scan.read().rgb.astype(int) - 77).max() <= 1 for scan in source.scans)  # type: ignore[union-attr]


def test_what_only_looks_like_a_picture_is_said(root: Path) -> None:
    (root / "bottle/train/good/000.png").write_bytes(b"no picture")
    first, second = open_samples(f"mvtec:{root}").chosen("bottle", "train")
    with pytest.raises(InputError, match=r"cannot read .*000\.png"):
        first.read()
    second.read()
