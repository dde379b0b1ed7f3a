from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from mimica.anomaly.parts.part import part
from mimica.anomaly.pictures import png
from mimica.anomaly.samples import Sample
from mimica.anomaly.scans.sources import open_samples
from mimica.errors import InputError

W, H = 64, 48
SIZES = "comment width 64\ncomment height 48\n"


@pytest.fixture(scope="module")
def drawn() -> Sample:
    return part("tablet", split="test", defect="both", size=W)


def rows(sample: Sample) -> list[tuple[float, float, float, int, int, int]]:
    assert sample.xyz is not None
    assert sample.rgb is not None
    flat = zip(sample.xyz.reshape(-1, 3).tolist(), sample.rgb.reshape(-1, 3).tolist(), strict=True)
    return [(*point, *colour) for point, colour in flat]


def ply(sample: Sample, *, binary: bool, told: str = SIZES, scale: float = 1.0) -> bytes:
    names = "".join(f"property float {name}\n" for name in "xyz")
    names += "".join(f"property uchar {name}\n" for name in ("red", "green", "blue"))
    form = "binary_little_endian" if binary else "ascii"
    faces = "element face 0\nproperty list uchar int vertex_indices\n"
    head = f"ply\nformat {form} 1.0\n{told}element vertex {W * H}\n{names}{faces}end_header\n"
    table = [(*(scale * v for v in row[:3]), *row[3:]) for row in rows(sample)]
    if binary:
        return head.encode() + b"".join(struct.pack("<fffBBB", *row) for row in table)
    return (head + "".join(" ".join(repr(v) for v in row) + "\n" for row in table)).encode()


def pcd(sample: Sample, *, binary: bool, kind: str = "F", height: int = H, form: str = "") -> bytes:
    head = (
        f"# .PCD v0.7\nVERSION 0.7\nFIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F {kind}\nCOUNT 1 1 1 1\n"
        f"WIDTH {W * H // height}\nHEIGHT {height}\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {W * H}\n"
        f"DATA {form or ('binary' if binary else 'ascii')}\n"
    )
    packed = [(*row[:3], row[3] << 16 | row[4] << 8 | row[5]) for row in rows(sample)]
    if binary:
        return head.encode() + b"".join(struct.pack("<fffI", *row) for row in packed)
    if kind == "F":
        packed = [(*row[:3], struct.unpack("<f", struct.pack("<I", row[3]))[0]) for row in packed]
    return (head + "".join(" ".join(repr(v) for v in row) + "\n" for row in packed)).encode()


def read(path: Path, data: bytes, option: str = "") -> Sample:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return open_samples(f"{path.suffix[1:]}:{path.parent}{option}").scans[0].read()


def same(one: Sample, other: Sample) -> None:
    assert one.size == other.size
    assert (one.rgb == other.rgb).all()
    assert (one.measured == other.measured).all()
    assert one.xyz is not None
    assert other.xyz is not None
    assert one.xyz[one.measured] == pytest.approx(other.xyz[one.measured], abs=1e-6)


@pytest.mark.parametrize("binary", [True, False])
def test_a_ply_is_the_picture_that_its_comments_say(tmp_path: Path, drawn: Sample, binary: bool) -> None:
    same(read(tmp_path / "a.ply", ply(drawn, binary=binary)), drawn)


def test_a_ply_as_range_scanners_write_it_has_a_size_too(tmp_path: Path, drawn: Sample) -> None:
    told = "obj_info num_cols 64\nobj_info num_rows 48\n"
    same(read(tmp_path / "a.ply", ply(drawn, binary=True, told=told)), drawn)


def test_the_size_of_a_ply_may_be_given_and_its_unit(tmp_path: Path, drawn: Sample) -> None:
    data = ply(drawn, binary=True, told="", scale=1000)
    same(read(tmp_path / "a.ply", data, "@64x48,mm"), drawn)
    with pytest.raises(InputError, match="nobody says how wide its picture is"):
        read(tmp_path / "a.ply", data)
    with pytest.raises(InputError, match="if they are in millimetres, add @mm"):
        read(tmp_path / "a.ply", data, "@64x48")
    with pytest.raises(InputError, match="3072 points, and a picture of 64x64 has 4096"):
        read(tmp_path / "a.ply", data, "@64x64")


@pytest.mark.parametrize("kind", ["F", "U"])
@pytest.mark.parametrize("binary", [True, False])
def test_a_pcd_is_the_picture_that_its_header_says(tmp_path: Path, drawn: Sample, binary: bool, kind: str) -> None:
    same(read(tmp_path / "a.pcd", pcd(drawn, binary=binary, kind=kind)), drawn)


@pytest.mark.filterwarnings("error")
def test_where_nothing_was_measured_text_may_say_nan_of_the_colour_too(tmp_path: Path) -> None:
    head = "VERSION 0.7\nFIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F U\nCOUNT 1 1 1 1\nWIDTH 1\nHEIGHT 2\nDATA ascii\n"
    sample = read(tmp_path / "a.pcd", f"{head}0 0 1 65793\nnan nan nan nan\n".encode())
    assert sample.rgb is not None
    assert sample.rgb[:, 0].tolist() == [[1, 1, 1], [0, 0, 0]]


def test_a_pcd_without_order_is_refused_unless_its_size_is_given(tmp_path: Path, drawn: Sample) -> None:
    data = pcd(drawn, binary=True, height=1)
    with pytest.raises(InputError, match="list of 3072 points"):
        read(tmp_path / "a.pcd", data)
    same(read(tmp_path / "a.pcd", data, "@64x48"), drawn)


def test_a_single_file_may_be_named(tmp_path: Path, drawn: Sample) -> None:
    (tmp_path / "mine").mkdir()
    for name in ("a", "b"):
        (tmp_path / "mine" / f"{name}.ply").write_bytes(ply(drawn, binary=True))
    source = open_samples(f"ply:{tmp_path}/mine/b.ply")
    assert [scan.name for scan in source.scans] == ["mine/b"]
    same(source.scans[0].read(), drawn)


def test_in_a_tree_pictures_and_masks_of_the_same_name_go_with_a_cloud(tmp_path: Path, drawn: Sample) -> None:
    leaf = tmp_path / "cup/test/crack"
    for view in ("rgb", "gt"):
        (leaf / view).mkdir(parents=True)
    (tmp_path / "cup/train").mkdir()
    (leaf / "rgb/a.png").write_bytes(png(np.full((H, W, 3), 9, np.uint8)))
    assert drawn.mask is not None
    (leaf / "gt/a.png").write_bytes(png(drawn.mask.astype(np.uint8) * 255))
    (leaf / "xyz").mkdir()
    (leaf / "xyz/a.ply").write_bytes(ply(drawn, binary=True))
    (scan,) = open_samples(f"ply:{tmp_path}").scans
    sample = scan.read()
    assert (scan.name, scan.defect) == ("cup/test/crack/a", "crack")
    assert (sample.rgb == 9).all()  # type: ignore[union-attr]
    assert (sample.mask == drawn.mask).all()


def test_a_cloud_without_colours_is_shape_alone(tmp_path: Path, drawn: Sample) -> None:
    data = ply(drawn, binary=False).replace(b"uchar red", b"uchar a").replace(b"uchar green", b"uchar b")
    assert read(tmp_path / "a.ply", data).rgb is None


def test_colours_as_fractions_are_colours_and_nan_among_them_is_said(tmp_path: Path) -> None:
    head = "ply\nformat ascii 1.0\ncomment width 2\ncomment height 1\nelement vertex 2\n"
    head += "".join(f"property float {name}\n" for name in ("x", "y", "z", "red", "green", "blue")) + "end_header\n"
    sample = read(tmp_path / "a.ply", f"{head}0 0 1 0 0.5 1\nnan nan nan nan nan nan\n".encode())
    assert sample.rgb is not None
    assert sample.rgb[0, 0].tolist() == [0, 128, 255]
    assert sample.measured.tolist() == [[True, False]]
    with pytest.raises(InputError, match="colours are not finite"):
        read(tmp_path / "a.ply", f"{head}0 0 1 0 0.5 1\n0 0 1 nan 0 0\n".encode())


def test_nothing_but_places_at_the_origin_is_nothing_measured(tmp_path: Path) -> None:
    head = "ply\nformat ascii 1.0\ncomment width 2\ncomment height 1\nelement vertex 2\n"
    head += "".join(f"property double {name}\n" for name in "xyz") + "end_header\n"
    with pytest.raises(InputError, match="measured nowhere"):
        read(tmp_path / "a.ply", f"{head}0 0 0\nnan nan nan\n".encode())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"ply\n", b"plz\n", "no PLY header"), (b"end_header", b"end", "no PLY header"),
        (b"binary_little_endian", b"binary_big_endian", "its format is binary_big_endian"),
        (b"float z", b"float w", "points without z"), (b"uchar red", b"colour red", "cannot be read as PLY"),
        (b"vertex 3072", b"vertex 9999", "does not hold the 9999 points"),
        (b"vertex 3072", b"vertex many", "cannot be read as PLY"),
    ],
)  # fmt: skip
def test_a_ply_that_cannot_be_read_says_why(tmp_path: Path, drawn: Sample, old: bytes, new: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read(tmp_path / "a.ply", ply(drawn, binary=True).replace(old, new, 1))
    assert "a.ply" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"DATA", b"DETA", "no PCD header"), (b"SIZE 4 4 4 4", b"SIZE 4 4 4", "cannot be understood"),
        (b"TYPE F", b"TYPE Q", "cannot be understood"), (b"WIDTH 64", b"WIDTH 640", "does not hold the 30720 points"),
        (b"DATA binary", b"DATA binary_compressed", "without compression"), (b"x y z rgb", b"x y w rgb", "without z"),
    ],
)  # fmt: skip
def test_a_pcd_that_cannot_be_read_says_why(tmp_path: Path, drawn: Sample, old: bytes, new: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read(tmp_path / "a.pcd", pcd(drawn, binary=True).replace(old, new, 1))
    assert "a.pcd" in str(caught.value)


@pytest.mark.parametrize("keep", [40, 2000])
@pytest.mark.parametrize("binary", [True, False])
def test_half_a_file_is_said(tmp_path: Path, drawn: Sample, binary: bool, keep: int) -> None:
    for data, name in ((ply(drawn, binary=binary), "a.ply"), (pcd(drawn, binary=binary), "b.pcd")):
        with pytest.raises(InputError, match=name):
            read(tmp_path / name[0] / name, data[:keep])
