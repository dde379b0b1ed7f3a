from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from mimica.anomaly.parts.folder import tiff
from mimica.anomaly.parts.part import part
from mimica.anomaly.pictures import png
from mimica.anomaly.prepare import prepare
from mimica.anomaly.samples import GOOD
from mimica.anomaly.scans.sources import open_samples
from mimica.errors import InputError, UsageError
from tiny_parts import tree


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tree(tmp_path_factory.mktemp("parts"), train=3)


@pytest.fixture
def root(kept: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(kept, tmp_path / "root"))


def read(root: Path, inside: str = "bun/train/good") -> object:
    return open_samples(f"mvtec3d:{root}/{inside}").scans[0].read()


def test_a_scan_is_what_was_drawn(kept: Path) -> None:
    source = open_samples(f"mvtec3d:{kept}")
    scan = next(scan for scan in source.scans if scan.name == "tablet/test/missing/000")
    sample, drawn = scan.read(), part("tablet", split="test", defect="missing", size=64)
    assert (scan.category, scan.split, scan.defect) == ("tablet", "test", "missing")
    assert sample.name == scan.name
    assert sample.defect == "missing"
    for view in ("rgb", "xyz", "mask"):
        assert np.array_equal(getattr(sample, view), getattr(drawn, view), equal_nan=view == "xyz")
    assert sample.thing is None


def test_everything_is_listed_by_category_and_split(kept: Path) -> None:
    source = open_samples(f"mvtec3d:{kept}")
    assert source.categories == ("bun", "tablet")
    assert source.splits == ("train", "test")
    assert len(source.scans) == 2 * (3 + 2 + 2)
    assert [scan.name for scan in source.chosen("bun", "train")] == [f"bun/train/good/{i:03d}" for i in range(3)]
    with pytest.raises(UsageError, match="did you mean 'bun'"):
        source.chosen("bunn")
    with pytest.raises(UsageError, match="validation"):
        source.chosen("bun", "validation")


@pytest.mark.parametrize(
    ("inside", "number"), [("", 14), ("bun", 7), ("bun/test", 4), ("bun/test/both", 1), ("bun/train/good", 3)]
)
def test_any_folder_of_the_tree_may_be_named(kept: Path, inside: str, number: int) -> None:
    source = open_samples(f"mvtec3d:{kept}/{inside}")
    assert len(source.scans) == number
    whole = {scan.name for scan in open_samples(f"mvtec3d:{kept}").scans}
    assert {scan.name for scan in source.scans} <= whole


def test_a_tree_below_a_folder_that_is_called_test_is_still_a_tree(kept: Path, tmp_path: Path) -> None:
    shutil.copytree(kept, tmp_path / "test" / "mine")
    assert open_samples(f"mvtec3d:{tmp_path}/test/mine").categories == ("bun", "tablet")
    for name in ("test/flat", "else/test"):
        for view in ("rgb", "xyz"):
            shutil.copytree(kept / "bun/train/good" / view, tmp_path / name / view)
        scan = open_samples(f"mvtec3d:{tmp_path}/{name}").scans[0]
        assert (scan.category, scan.split, scan.defect) == (Path(name).name, None, None)


def test_an_alpha_channel_says_nothing(root: Path) -> None:
    path = root / "bun/train/good/rgb/000.png"
    plain = np.asarray(Image.open(path))
    path.write_bytes(png(np.dstack([plain, np.zeros(plain.shape[:2], np.uint8)])))
    assert (read(root).rgb == plain).all()  # type: ignore[attr-defined]


def test_a_grey_picture_is_a_picture(root: Path) -> None:
    path = root / "bun/train/good/rgb/000.png"
    path.write_bytes(png(np.full((64, 64), 7, np.uint8)))
    assert (read(root).rgb == np.full((64, 64, 3), 7)).all()  # type: ignore[attr-defined]


def test_a_mask_of_any_brightness_and_of_three_channels_counts(root: Path) -> None:
    path = root / "bun/test/both/gt/000.png"
    mask = np.asarray(Image.open(path))
    for seen in (np.dstack([mask // 255] * 3), np.dstack([mask, mask, mask, np.full(mask.shape, 255, np.uint8)])):
        path.write_bytes(png(seen))
        assert (read(root, "bun/test/both").mask == (mask > 0)).all()  # type: ignore[attr-defined]


def test_a_point_of_which_only_one_number_is_0_was_measured(root: Path) -> None:
    path = root / "bun/train/good/xyz/000.tiff"
    stored = tifffile.imread(path)
    stored[30, 30] = 0, 0, 0.5
    stored[31, 31] = 0
    path.write_bytes(tiff(stored))
    measured = read(root).measured  # type: ignore[attr-defined]
    assert measured[30, 30]
    assert not measured[31, 31]


def test_prepared_files_say_where_the_part_is(root: Path) -> None:
    whole = read(root)
    small = prepare(whole)  # type: ignore[arg-type]
    assert small.rgb is not None
    assert small.xyz is not None
    (root / "bun/train/good/rgb/000.png").write_bytes(png(small.rgb))
    (root / "bun/train/good/xyz/000.tiff").write_bytes(tiff(np.nan_to_num(small.xyz)))
    again = read(root)
    assert (again.thing == small.thing).all()  # type: ignore[attr-defined]
    grey = np.full_like(small.rgb, 40)
    (root / "bun/train/good/rgb/000.png").write_bytes(png(grey))
    assert read(root).thing is None, "there is colour where there are no points"  # type: ignore[attr-defined]
    (root / "bun/train/good/rgb/000.png").write_bytes(png(0 * grey))
    (root / "bun/train/good/xyz/000.tiff").write_bytes(tiff(np.nan_to_num(whole.xyz)))  # type: ignore[attr-defined]
    assert read(root).thing is None, "there is a tray"  # type: ignore[attr-defined]


@pytest.mark.parametrize(("view", "end"), [("rgb", "png"), ("xyz", "tiff")])
def test_one_scan_that_lacks_a_file_says_which_and_the_others_are_read(root: Path, view: str, end: str) -> None:
    (root / f"bun/train/good/{view}/001.{end}").unlink()
    first, second, third = open_samples(f"mvtec3d:{root}").chosen("bun", "train")
    first.read()
    with pytest.raises(InputError, match=f"bun/train/good/001: .*/{view} has no file of that name"):
        second.read()
    # Files go together by name: in order of place, the third's points would be the second's.
    assert np.array_equal(third.read().xyz, part("bun", number=2, size=64).xyz, equal_nan=True)  # type: ignore[arg-type]


def test_a_lost_mask_is_noticed_and_none_at_all_is_not_asked_for(root: Path) -> None:
    (root / "bun/test/good/gt/001.png").unlink()
    first, second = open_samples(f"mvtec3d:{root}/bun/test/good").scans
    assert not first.read().mask.any()  # type: ignore[union-attr]
    with pytest.raises(InputError, match="gt has no file of that name"):
        second.read()
    shutil.rmtree(root / "bun/test/both/gt")
    assert read(root, "bun/test/both").mask is None  # type: ignore[attr-defined]
    shutil.rmtree(root / "bun/test/good/gt")
    sample = open_samples(f"mvtec3d:{root}/bun/test/good").scans[0].read()
    assert sample.defect == GOOD
    assert not sample.mask.any()  # type: ignore[union-attr]


def spoil_size(root: Path) -> None:
    (root / "bun/train/good/rgb/000.png").write_bytes(png(np.zeros((64, 60, 3), np.uint8)))


def spoil_depth(root: Path) -> None:
    (root / "bun/train/good/xyz/000.tiff").write_bytes(tiff(np.zeros((64, 64, 3), np.float32)))


def spoil_depth_by_nan(root: Path) -> None:
    (root / "bun/train/good/xyz/000.tiff").write_bytes(tiff(np.full((64, 64, 3), np.nan, np.float32)))


def spoil_shape(root: Path) -> None:
    tifffile.imwrite(root / "bun/train/good/xyz/000.tiff", np.ones((64, 64), np.float32))


def spoil_kind(root: Path) -> None:
    tifffile.imwrite(root / "bun/train/good/xyz/000.tiff", np.ones((64, 64, 3), np.uint8))


def spoil_tiff(root: Path) -> None:
    (root / "bun/train/good/xyz/000.tiff").write_bytes(b"II*\0 no")


def spoil_tiff_end(root: Path) -> None:
    path = root / "bun/train/good/xyz/000.tiff"
    path.write_bytes(path.read_bytes()[:5000])


def spoil_picture(root: Path) -> None:
    path = root / "bun/train/good/rgb/000.png"
    path.write_bytes(path.read_bytes()[:300])


def spoil_picture_depth(root: Path) -> None:
    (root / "bun/train/good/rgb/000.png").write_bytes(png(np.full((64, 64), 999, np.uint16)))


def spoil_name(root: Path) -> None:
    shutil.copy(root / "bun/train/good/rgb/000.png", root / "bun/train/good/rgb/000.bmp")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_size, "sizes differ .*rgb 60x64, xyz 64x64"), (spoil_depth, "measured nowhere"),
        (spoil_depth_by_nan, "measured nowhere"), (spoil_shape, "floating numbers of height"),
        (spoil_kind, "floating numbers"), (spoil_tiff, "as TIFF"), (spoil_tiff_end, "as TIFF"),
        (spoil_picture, "000.png"), (spoil_picture_depth, "8 bits a channel"), (spoil_name, "keep one of them"),
    ],
)  # fmt: skip
def test_whatever_is_wrong_with_a_scan_is_one_sentence_and_the_others_are_read(root: Path, spoil, said: str) -> None:  # type: ignore[no-untyped-def]
    spoil(root)
    first, *others = open_samples(f"mvtec3d:{root}").chosen("bun", "train")
    with pytest.raises(InputError, match=said) as caught:
        first.read()
    assert "\n" not in str(caught.value)
    assert "000" in str(caught.value)
    for scan in others:
        scan.read()


def test_a_file_that_went_away_after_it_was_listed_is_said(root: Path) -> None:
    scan = open_samples(f"mvtec3d:{root}").chosen("bun", "train")[0]
    shutil.rmtree(root)
    with pytest.raises(InputError, match="cannot read"):
        scan.read()


@pytest.mark.parametrize(
    ("source", "error", "said"),
    [
        ("bun", UsageError, "KIND:PATH"), ("mvtec3d:", UsageError, "KIND:PATH"),
        ("mvtec4d:x", UsageError, "did you mean 'mvtec3d'"), ("mvtec3d:nowhere", InputError, "nowhere is not a folder"),
        ("mvtec3d:.", InputError, "holds no scan; mvtec3d is"),
    ],
)  # fmt: skip
def test_what_is_no_source_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, error: type[Exception], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=said):
        open_samples(source)
