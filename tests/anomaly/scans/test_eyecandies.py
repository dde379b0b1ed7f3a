from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from mimica.anomaly.parts.folder import tiff, write_parts
from mimica.anomaly.pictures import png
from mimica.anomaly.samples import GOOD
from mimica.anomaly.scans.eyecandies import removed
from mimica.anomaly.scans.sources import open_samples
from mimica.errors import InputError
from oracles import eyecandies as oracle
from tiny_parts import settings


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweets") / "tree"
    return write_parts(folder, settings(defects=("colour", "shape", "both")), layout="eyecandies").parent


@pytest.fixture(scope="module")
def tree(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same parts as published works prepare them, by the slow oracle."""
    folder = tmp_path_factory.mktemp("prepared")
    for split, number, stem, defect in (("train", "000", "train/good", 0), ("test_public", "04", "test/bad", 1)):
        start = raw / f"Bun/{split}/data/{number}_"
        grey = np.asarray(Image.open(f"{start}depth.png"))
        limits = yaml.safe_load(Path(f"{start}info_depth.yaml").read_text())["normalization"]
        points = oracle.world(grey, limits["min"], limits["max"], np.loadtxt(f"{start}pose.txt"))
        stored, gone = oracle.prepared(points, *grey.shape)
        np.save(folder / f"gone{defect}.npy", gone)
        mask = np.asarray(Image.open(f"{start}mask.png"))
        views = {
            "rgb": Path(f"{start}image_4.png").read_bytes(),
            "xyz": tiff(stored),
            "gt": png(np.stack([mask] * 3, -1)),
        }
        for kind, data in views.items():
            path = folder / "tree/Bun" / stem / kind / f"000.{'tiff' if kind == 'xyz' else 'png'}"
            path.parent.mkdir(parents=True)
            path.write_bytes(data)
    return folder / "tree"


def test_splits_and_kinds_are_those_of_the_files(raw: Path) -> None:
    source = open_samples(f"eyecandies:{raw}")
    assert source.categories == ("Bun", "Tablet")
    assert source.splits == ("train", "test")
    told = [scan.defect for scan in source.chosen("Bun", "test")]
    assert told[:3] == [GOOD, GOOD, "colors"]
    assert told[3] in ("bumps", "dents")
    assert told[4] == "combined"
    assert [scan.name for scan in source.chosen("Bun", "train")] == ["Bun/train/000", "Bun/train/001"]


def test_points_are_metres_in_the_frame_of_the_camera(raw: Path) -> None:
    sample = open_samples(f"eyecandies:{raw}").chosen("Bun", "train")[0].read()
    start = raw / "Bun/train/data/000_"
    limits = yaml.safe_load(Path(f"{start}info_depth.yaml").read_text())["normalization"]
    pose, grey = np.loadtxt(f"{start}pose.txt"), np.asarray(Image.open(f"{start}depth.png"))
    points = oracle.world(grey, limits["min"], limits["max"], pose)
    expected = 0.1 * (points @ pose[:3, :3].T + pose[:3, 3])
    assert sample.xyz is not None
    assert sample.xyz.reshape(-1, 3) == pytest.approx(expected, abs=1e-6)
    assert 0.1 < float(sample.xyz[..., 2].mean()) < 0.2


def test_the_picture_is_that_under_the_light_from_the_left(raw: Path) -> None:
    sample = open_samples(f"eyecandies:{raw}").chosen("Bun", "train")[0].read()
    assert (sample.rgb == np.asarray(Image.open(raw / "Bun/train/data/000_image_4.png"))).all()


def test_a_mask_comes_with_what_is_defective_and_an_empty_one_with_what_is_good(raw: Path) -> None:
    for scan in open_samples(f"eyecandies:{raw}").chosen("Bun"):
        mask = scan.read().mask
        assert mask is not None
        assert mask.any() == (scan.defect != GOOD)


def test_where_nobody_says_what_is_good_nothing_is_said(raw: Path, tmp_path: Path) -> None:
    for split in ("test_private", "train"):
        (tmp_path / f"Bun/{split}/data").mkdir(parents=True)
        for item in ("image_4.png", "depth.png", "info_depth.yaml"):
            data = (raw / f"Bun/test_public/data/02_{item}").read_bytes()
            (tmp_path / f"Bun/{split}/data/002_{item}").write_bytes(data)
    hidden, train = open_samples(f"eyecandies:{tmp_path}").scans
    assert (hidden.split, hidden.defect, hidden.read().mask) == ("test", None, None)
    assert (train.split, train.defect) == ("train", GOOD)


def test_of_a_prepared_tree_what_was_taken_away_is_not_measured(tree: Path) -> None:
    source = open_samples(f"eyecandies:{tree}")
    assert [scan.defect for scan in source.scans] == ["bad", GOOD]
    for scan, number in zip(source.scans, (1, 0), strict=True):
        sample, gone = scan.read(), np.load(tree.parent / f"gone{number}.npy")
        assert 0.4 < gone.mean() < 0.9
        assert (sample.measured == ~gone).all()
        assert sample.thing is not None
        assert (sample.thing == ~gone).all()


def test_raw_and_prepared_points_are_the_same_but_for_where_one_looks_from(raw: Path, tree: Path) -> None:
    one = open_samples(f"eyecandies:{raw}").chosen("Bun", "train")[0].read()
    other = open_samples(f"eyecandies:{tree}").chosen("Bun", "train")[0].read()
    assert one.xyz is not None
    assert other.xyz is not None
    there = np.flatnonzero(other.measured)[::37]
    a, b = one.xyz.reshape(-1, 3)[there], other.xyz.reshape(-1, 3)[there]
    a, b = a - a.mean(0), b - b.mean(0)
    assert a @ a.T == pytest.approx(b @ b.T, abs=1e-7)
    # Not seen in a mirror, either.
    assert np.sign(np.linalg.det(a[:3])) == np.sign(np.linalg.det(b[:3]))


def test_a_column_of_the_part_whose_x_is_0_stays() -> None:
    stored = np.ones((4, 5, 3))
    stored[..., 2] = np.arange(20).reshape(4, 5)
    stored[:, 2, 0] = 0
    assert not removed(stored).any()
    stored[0, :2] = 0, -0.4, 0.1
    assert removed(stored).sum() == 2


@pytest.mark.parametrize("item", ["image_4.png", "depth.png", "info_depth.yaml"])
def test_a_sweet_that_lacks_a_file_says_which_and_the_others_are_read(raw: Path, item: str) -> None:
    path = raw / f"Bun/train/data/000_{item}"
    data = path.read_bytes()
    path.unlink()
    try:
        first, second = open_samples(f"eyecandies:{raw}").chosen("Bun", "train")
        with pytest.raises(InputError, match=f"000_{item} is missing"):
            first.read()
        second.read()
    finally:
        path.write_bytes(data)


def test_depth_without_its_limits_is_refused(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "Bun/train/data").mkdir(parents=True)
    for item in ("image_4.png", "depth.png"):
        (tmp_path / f"Bun/train/data/000_{item}").write_bytes((raw / f"Bun/train/data/000_{item}").read_bytes())
    for text in ("normalization: {min: 1}", "[", "far"):
        (tmp_path / "Bun/train/data/000_info_depth.yaml").write_text(text)
        with pytest.raises(InputError, match=r"info_depth\.yaml"):
            open_samples(f"eyecandies:{tmp_path}").scans[0].read()
