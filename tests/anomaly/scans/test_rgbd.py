from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mimica.anomaly.parts.part import part
from mimica.anomaly.pictures import png
from mimica.anomaly.samples import GOOD
from mimica.anomaly.scans.sources import open_samples
from mimica.errors import InputError

CAMERA = {"fx": 90.0, "fy": 80.0, "cx": 31.5, "cy": 20.25, "depth_scale": 0.0001}


def write(folder: Path, number: int = 0, *, gt: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """A drawn part as colour and depth in tenths of millimetres; 0 where there is none."""
    sample = part("tablet", number=number, split="test", defect="both", size=64)
    assert sample.rgb is not None
    assert sample.xyz is not None
    assert sample.mask is not None
    grey = np.nan_to_num(np.round(sample.xyz[..., 2] / CAMERA["depth_scale"])).astype(np.uint16)
    views = {"rgb": sample.rgb, "depth": grey, **({"gt": sample.mask.astype(np.uint8) * 255} if gt else {})}
    for view, image in views.items():
        (folder / view).mkdir(parents=True, exist_ok=True)
        (folder / view / f"{number:02d}.png").write_bytes(png(image))
    return sample.rgb, grey


def test_a_point_is_where_the_pinhole_says(tmp_path: Path) -> None:
    rgb, grey = write(tmp_path)
    (tmp_path / "intrinsics.json").write_text(json.dumps(CAMERA))
    (scan,) = open_samples(f"rgbd:{tmp_path}").scans
    sample = scan.read()
    assert (sample.rgb == rgb).all()
    assert (sample.measured == (grey > 0)).all()
    assert sample.xyz is not None
    for v, u in np.argwhere(grey)[::211]:
        x, y, z = sample.xyz[v, u]
        assert z == pytest.approx(grey[v, u] * 0.0001, abs=1e-6)
        assert (x / z * 90 + 31.5, y / z * 80 + 20.25) == pytest.approx((u, v), abs=1e-3)


def test_a_folder_without_splits_says_nothing_of_defects(tmp_path: Path) -> None:
    write(tmp_path / "mine")
    write(tmp_path / "mine", 1)
    (tmp_path / "intrinsics.json").write_text(json.dumps(CAMERA))
    source = open_samples(f"rgbd:{tmp_path}/mine")
    assert (source.categories, source.splits) == (("mine",), ())
    assert [(scan.name, scan.defect, scan.read().mask) for scan in source.scans] == [
        ("mine/00", None, None), ("mine/01", None, None),
    ]  # fmt: skip


def test_in_a_tree_the_nearest_camera_counts(tmp_path: Path) -> None:
    write(tmp_path / "cup/train/good")
    write(tmp_path / "cup/test/crack", gt=True)
    (tmp_path / "intrinsics.json").write_text(json.dumps(CAMERA))
    (tmp_path / "cup/test/intrinsics.json").write_text(json.dumps(CAMERA | {"depth_scale": 0.001}))
    source = open_samples(f"rgbd:{tmp_path}")
    crack, good = source.scans
    assert (crack.defect, good.defect, source.splits) == ("crack", GOOD, ("train", "test"))
    ratio = np.nanmedian(crack.read().xyz) / np.nanmedian(good.read().xyz)  # type: ignore[arg-type]
    assert float(ratio) == pytest.approx(10, rel=0.01)
    assert crack.read().mask.any()  # type: ignore[union-attr]
    assert not good.read().mask.any()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "told",
    [
        {"intrinsic_matrix": [90, 0, 0, 0, 80, 0, 31.5, 20.25, 1], "depth_scale": 0.0001},
        {"fx": 90, "fy": 80, "ppx": 31.5, "ppy": 20.25, "depth_scale": 0.0001},
    ],
)
def test_cameras_as_others_write_them_are_the_same(tmp_path: Path, told: dict[str, object]) -> None:
    for name, camera in (("a", CAMERA), ("b", told)):
        write(tmp_path / name)
        (tmp_path / name / "intrinsics.json").write_text(json.dumps(camera))
    one, other = (open_samples(f"rgbd:{tmp_path / name}").scans[0].read().xyz for name in "ab")
    assert np.array_equal(one, other, equal_nan=True)  # type: ignore[arg-type]


def test_a_step_of_depth_is_a_millimetre_where_nobody_says(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "intrinsics.json").write_text(json.dumps({k: v for k, v in CAMERA.items() if k != "depth_scale"}))
    sample = open_samples(f"rgbd:{tmp_path}").scans[0].read()
    assert 4 < float(np.nanmedian(sample.xyz[..., 2])) < 6  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no intrinsics.json"), ("{", "does not hold fx"), ('{"fx": 1}', "does not hold fx"),
        ('{"fx": 0, "fy": 1, "cx": 1, "cy": 1}', "more than 0"), ("[1, 2]", "does not hold fx"),
        ('{"fx": 1, "fy": 1, "cx": NaN, "cy": 1}', "more than 0"),
    ],
)  # fmt: skip
def test_a_camera_that_is_not_told_is_asked_for(tmp_path: Path, text: str | None, said: str) -> None:
    write(tmp_path)
    if text:
        (tmp_path / "intrinsics.json").write_text(text)
    with pytest.raises(InputError, match=said):
        open_samples(f"rgbd:{tmp_path}").scans[0].read()


@pytest.mark.parametrize("grey", [np.full((48, 64), 9, np.uint8), np.full((48, 64, 3), 9, np.uint8)])
def test_depth_of_8_bits_is_no_depth(tmp_path: Path, grey: np.ndarray) -> None:
    write(tmp_path)
    (tmp_path / "intrinsics.json").write_text(json.dumps(CAMERA))
    (tmp_path / "depth/00.png").write_bytes(png(grey))
    with pytest.raises(InputError, match="save it as 16-bit PNG"):
        open_samples(f"rgbd:{tmp_path}").scans[0].read()


def test_no_depth_at_all_and_a_lost_file_are_said(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, 1)
    (tmp_path / "intrinsics.json").write_text(json.dumps(CAMERA))
    (tmp_path / "depth/00.png").write_bytes(png(np.zeros((48, 64), np.uint16)))
    (tmp_path / "rgb/01.png").unlink()
    first, second = open_samples(f"rgbd:{tmp_path}").scans
    with pytest.raises(InputError, match="00: depth was measured nowhere"):
        first.read()
    with pytest.raises(InputError, match=r"01: .*rgb has no file of that name"):
        second.read()
