from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from mimica.anomaly.parts.folder import ABOUT, SHEET, write_parts
from mimica.anomaly.parts.part import part
from mimica.errors import InputError, UsageError
from tiny_parts import settings


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_parts(tmp_path_factory.mktemp("parts") / "tree", settings(validation=1)).parent


@pytest.fixture(scope="module")
def sweets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweets") / "tree"
    return write_parts(folder, settings(validation=1), layout="eyecandies").parent


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_tree_is_that_of_mvtec_3d_ad(drawn: Path) -> None:
    counts = {"train/good": 2, "validation/good": 1, "test/good": 2, "test/both": 1, "test/missing": 1}
    views = [("rgb", "png"), ("xyz", "tiff"), ("gt", "png")]
    paths = [
        f"{folder}/{view}/{i:03d}.{end}"
        for folder, count in counts.items() for i in range(count) for view, end in views[: 3 if "test" in folder else 2]
    ]  # fmt: skip
    expected = {f"{category}/{path}" for category in ("bun", "tablet") for path in paths}
    assert below(drawn) == expected | {ABOUT, SHEET}


def test_points_are_float32_metres_with_zeros_where_nothing_was_measured(drawn: Path) -> None:
    stored = tifffile.imread(drawn / "tablet/test/both/xyz/000.tiff")
    sample = part("tablet", split="test", defect="both", size=64)
    assert (stored.dtype, stored.shape) == (np.float32, (48, 64, 3))
    assert (stored[~sample.measured] == 0).all()
    assert (stored[sample.measured] == sample.xyz[sample.measured]).all()  # type: ignore[index]


def test_masks_are_0_or_255_and_of_good_parts_empty(drawn: Path) -> None:
    bad = np.asarray(Image.open(drawn / "bun/test/both/gt/000.png"))
    assert bad.dtype == np.uint8
    assert set(np.unique(bad)) == {0, 255}
    assert not np.asarray(Image.open(drawn / "bun/test/good/gt/001.png")).any()


def test_the_first_good_picture_to_measure_on_has_an_alpha_channel(drawn: Path) -> None:
    assert Image.open(drawn / "bun/test/good/rgb/000.png").mode == "RGBA"
    assert Image.open(drawn / "bun/test/good/rgb/001.png").mode == "RGB"
    assert Image.open(drawn / "bun/train/good/rgb/000.png").mode == "RGB"


def test_a_sweet_has_its_seventeen_files(sweets: Path) -> None:
    items = [f"image_{i}.png" for i in range(6)] + [
        f"{kind}_mask.png" for kind in ("bumps", "dents", "colors", "normals")
    ]
    items += ["mask.png", "depth.png", "info_depth.yaml", "normals.png", "pose.txt", "obj_params.yaml", "metadata.yaml"]
    assert len(items) == 17
    stems = ["train/data/000", "train/data/001", "val/data/00", *(f"test_public/data/{i:02d}" for i in range(4))]
    expected = {f"{category}/{stem}_{item}" for category in ("Bun", "Tablet") for stem in stems for item in items}
    assert below(sweets) == expected | {ABOUT, SHEET}


def test_a_sweet_is_square_with_16_bits_of_depth_and_a_pose_that_turns_and_moves(sweets: Path) -> None:
    start = sweets / "Tablet/train/data"
    depth = np.asarray(Image.open(start / "000_depth.png"))
    assert (depth.dtype, depth.shape) == (np.uint16, (64, 64))
    assert (depth.min(), depth.max()) == (0, 65535)
    pose = np.loadtxt(start / "000_pose.txt")
    assert pose[:3, :3] @ pose[:3, :3].T == pytest.approx(np.eye(3))
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)


def test_the_masks_of_a_sweet_tell_colour_from_shape(sweets: Path) -> None:
    def shown(kind: str) -> int:
        return int((np.asarray(Image.open(sweets / f"Bun/test_public/data/02_{kind}mask.png")) > 0).sum())

    assert shown("") == shown("colors_") > 0
    assert sorted([shown("bumps_"), shown("dents_")]) == [0, shown("")]
    assert shown("normals_") == 0


def test_lights_differ_and_the_part_does_not(sweets: Path) -> None:
    lit = [np.asarray(Image.open(sweets / f"Bun/train/data/000_image_{i}.png")).astype(float) for i in range(6)]
    left, right = lit[4], lit[2]
    half = left.shape[1] // 2
    assert left[:, :half].mean() - left[:, half:].mean() > right[:, :half].mean() - right[:, half:].mean() + 3


def test_a_second_call_draws_nothing_again_and_gives_what_is_missing(drawn: Path) -> None:
    kept, lost = drawn / "bun/train/good/xyz/000.tiff", drawn / "bun/train/good/xyz/001.tiff"
    time, before = kept.stat().st_mtime_ns, lost.read_bytes()
    lost.unlink()
    told: list[tuple[int, int]] = []
    write_parts(drawn, settings(validation=1), progress=lambda done, total: told.append((done, total)))
    assert lost.read_bytes() == before
    assert kept.stat().st_mtime_ns == time
    assert told[-1] == (14, 14)


def test_other_settings_and_other_folders_are_refused(drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="seed 0, not 1"):
        write_parts(drawn, settings(validation=1, seed=1))
    with pytest.raises(UsageError, match="layout mvtec3d, not eyecandies"):
        write_parts(drawn, settings(validation=1), layout="eyecandies")
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="not of this command"):
        write_parts(tmp_path, settings())
    (tmp_path / "letter.txt").rename(tmp_path / ABOUT)
    with pytest.raises(UsageError, match="not what this command writes"):
        write_parts(tmp_path, settings())


def test_a_place_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="choose another place with --out"):
        write_parts(tmp_path / "file" / "inside", settings())


def test_about_says_that_it_is_synthetic_and_how_it_was_drawn(drawn: Path) -> None:
    about = json.loads((drawn / ABOUT).read_text())
    assert about["synthetic"] is True
    assert about["categories"] == ["bun", "tablet"]
    assert (about["size"], about["seed"]) == (64, 0)


def test_the_sheet_shows_each_category_in_colour_and_by_shape(drawn: Path) -> None:
    sheet = Image.open(drawn / SHEET)
    assert sheet.size == (84 + 4 * 128, 44 + 4 * 128)
