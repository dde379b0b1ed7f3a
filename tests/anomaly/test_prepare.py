from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from mimica.anomaly import prepare as module
from mimica.anomaly.parts.part import part, taken
from mimica.anomaly.parts.settings import CATEGORIES
from mimica.anomaly.parts.view import sampled
from mimica.anomaly.prepare import PrepareSettings, part_of, plane_of, prepare, prepared, squared
from mimica.anomaly.samples import GOOD, Sample
from mimica.anomaly.scans.sources import open_samples
from mimica.errors import InputError, UsageError
from tiny_parts import tree


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_plane_is_that_on_which_the_part_was_drawn(category: str) -> None:
    sample, shot = part(category, size=96), taken(category, number=0, split="train", defect=GOOD, size=96, seed=0)
    assert sample.xyz is not None
    plane = plane_of(sample.xyz)
    assert plane is not None
    normal = shot.camera.axes()[2]
    assert np.degrees(np.arccos(np.clip(plane.normal @ normal, -1, 1))) < 0.15
    assert float(plane.above(np.array([0, 0, shot.camera.distance / 1000]))) == pytest.approx(0, abs=2e-4)
    assert float(plane.above(np.zeros(3))) > 0.3


@pytest.mark.parametrize("category", CATEGORIES)
def test_what_is_kept_is_the_part(category: str) -> None:
    sample, shot = part(category, size=96), taken(category, number=0, split="train", defect=GOOD, size=96, seed=0)
    truly = sampled(shot.solid.part.astype(float), shot.view.cells) > 0.5
    found = part_of(sample)
    assert (found & ~truly).sum() <= 0.03 * truly.sum()
    assert (truly & sample.measured & ~found).sum() < 0.06 * truly.sum()


def test_a_scratch_in_the_depth_does_not_part_the_part() -> None:
    sample = part("block", size=96)
    assert sample.xyz is not None
    xyz = sample.xyz.copy()
    middle = int(np.argwhere(part_of(sample))[:, 1].mean())
    xyz[:, middle : middle + 2] = np.nan
    found = part_of(dataclasses.replace(sample, xyz=xyz))
    assert (part_of(sample) & ~found).sum() == part_of(sample)[:, middle : middle + 2].sum()


def test_the_plane_is_found_though_a_third_of_the_border_is_of_something_else() -> None:
    sample = part("bun", size=96)
    assert sample.xyz is not None
    xyz = sample.xyz.copy()
    xyz[:, :10, 2] -= 0.15
    clean, found = plane_of(sample.xyz), plane_of(xyz)
    assert clean is not None
    assert found is not None
    assert clean.normal @ found.normal > np.cos(np.radians(0.2))


def test_what_lies_beside_the_part_goes_unless_one_asks_for_it() -> None:
    sample = part("bun", split="test", defect="contamination", size=96)
    assert sample.mask is not None
    crumbs = sample.mask & sample.measured
    assert not (part_of(sample) & crumbs).any()
    plane = plane_of(sample.xyz)  # type: ignore[arg-type]
    tall = crumbs & (plane.above(sample.xyz) > 0.002)  # type: ignore[arg-type, union-attr]
    assert part_of(sample, PrepareSettings(largest=False, tray=0.002))[tall].all()


def test_prepared_is_black_and_not_measured_but_for_the_part() -> None:
    sample = part("nut", size=96)
    small = prepare(sample)
    thing = part_of(sample)
    assert (small.thing == thing).all()
    assert (small.measured == thing).all()
    assert np.array_equal(small.xyz[thing], sample.xyz[thing])  # type: ignore[index]
    assert (small.rgb[thing] == sample.rgb[thing]).all()  # type: ignore[index]
    assert (small.rgb[sample.measured & ~thing] == 0).all()  # type: ignore[index]


def test_a_hole_in_the_depth_leaves_no_hole_in_the_colour() -> None:
    sample = part("bun", size=96)
    xyz = sample.xyz.copy()  # type: ignore[union-attr]
    middle = np.argwhere(part_of(sample)).mean(0).astype(int)
    hole = np.s_[middle[0] - 4 : middle[0] + 4, middle[1] - 4 : middle[1] + 4]
    xyz[hole] = np.nan
    small = prepare(dataclasses.replace(sample, xyz=xyz))
    assert (small.rgb[hole] == sample.rgb[hole]).all()  # type: ignore[index]
    assert not small.measured[hole].any()


def test_what_is_not_square_is_padded_to_the_middle_of_a_square() -> None:
    sample = part("tablet", split="test", defect="both", size=96)
    square = squared(sample)
    assert square.size == (96, 96)
    for view, beside in (("rgb", 0), ("mask", 0), ("xyz", np.nan)):
        there, whole = getattr(sample, view), getattr(square, view)
        assert np.array_equal(whole[12:84], there, equal_nan=view == "xyz")
        assert np.array_equal(whole[:12], np.full_like(whole[:12], beside), equal_nan=view == "xyz")
    assert squared(square) is square


def test_what_was_given_is_not_changed() -> None:
    sample = part("bun", size=96)
    before = sample.rgb.copy(), sample.xyz.copy()  # type: ignore[union-attr]
    prepare(sample)
    assert (sample.rgb == before[0]).all()
    assert np.array_equal(sample.xyz, before[1], equal_nan=True)  # type: ignore[arg-type]


def test_where_a_sample_says_where_the_part_is_it_is_believed() -> None:
    sample = part("bun", size=96)
    thing = np.zeros(sample.size, bool)
    thing[40:50, 40:50] = True
    assert (part_of(dataclasses.replace(sample, thing=thing)) == thing).all()


def test_without_depth_all_is_the_part_and_without_a_border_all_that_was_measured() -> None:
    sample = part("bun", size=96)
    assert part_of(dataclasses.replace(sample, xyz=None)).all()
    xyz = sample.xyz.copy()  # type: ignore[union-attr]
    xyz[:12], xyz[-12:], xyz[:, :12], xyz[:, -12:] = (np.nan,) * 4
    bare = dataclasses.replace(sample, xyz=xyz)
    assert plane_of(xyz) is None
    assert (part_of(bare) == bare.measured).all()


def test_an_empty_tray_is_refused() -> None:
    u, v = np.meshgrid(np.arange(64), np.arange(64))
    xyz = np.stack([u / 2000, v / 2000, np.full(u.shape, 0.5)], -1).astype(np.float32)
    with pytest.raises(InputError, match=r"flat: no part stands out of the tray by more than 5 mm"):
        prepare(Sample(name="flat", xyz=xyz))


def test_points_that_are_one_place_have_no_plane() -> None:
    assert plane_of(np.ones((64, 64, 3), np.float32)) is None


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="rounds must be more than 0"):
        PrepareSettings(rounds=0)


def test_the_same_points_give_the_same_plane() -> None:
    xyz = part("hook", size=160).xyz
    assert xyz is not None
    one, other = plane_of(xyz), plane_of(xyz.copy())
    assert one is not None
    assert other is not None
    assert one.normal.tobytes() == other.normal.tobytes()


def below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_kept_is_found_again_and_no_file_of_the_source_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tree(tmp_path / "root", categories=("tablet",))
    before = below(root)
    source = open_samples(f"mvtec3d:{root}")
    first = [scan.read() for scan in prepared(source, tmp_path / "kept").scans]
    assert below(root) == before
    assert len(below(tmp_path / "kept")) == len(source.scans)
    monkeypatch.setattr(module, "prepare", None)
    for scan, sample in zip(prepared(source, tmp_path / "kept").scans, first, strict=True):
        again = scan.read()
        assert (again.name, again.defect) == (sample.name, sample.defect)
        for view in ("rgb", "xyz", "mask", "thing"):
            one, other = getattr(sample, view), getattr(again, view)
            assert one.dtype == other.dtype
            assert np.array_equal(one, other, equal_nan=view == "xyz")


def test_other_bytes_other_settings_and_another_version_are_prepared_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, kept = tree(tmp_path / "root", categories=("bun",), train=2, test=0, each=0), tmp_path / "kept"

    def number(settings: PrepareSettings | None = None) -> int:
        prepared(open_samples(f"mvtec3d:{root}"), kept, settings).scans[0].read()
        return len(below(kept))

    assert [number(), number(), number(PrepareSettings(tray=0.006))] == [1, 1, 2]
    path = root / "bun/train/good/xyz/000.tiff"
    data = bytearray(path.read_bytes())
    data[-7] ^= 1
    path.write_bytes(data)
    assert number() == 3
    monkeypatch.setattr(module, "VERSION", 999)
    assert number() == 4


def test_what_is_kept_and_no_longer_whole_is_prepared_anew(tmp_path: Path) -> None:
    root, kept = tree(tmp_path / "root", categories=("bun",), train=1, test=0, each=0), tmp_path / "kept"
    scan = prepared(open_samples(f"mvtec3d:{root}"), kept).scans[0]
    first = scan.read()
    (path,) = kept.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    assert np.array_equal(scan.read().rgb, first.rgb)  # type: ignore[arg-type]
    assert path.read_bytes() == whole


def test_a_bad_scan_stays_one_sentence_when_it_is_prepared(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", categories=("bun",), train=2, test=0, each=0)
    (root / "bun/train/good/xyz/000.tiff").unlink()
    first, second = prepared(open_samples(f"mvtec3d:{root}"), tmp_path / "kept").scans
    with pytest.raises(InputError, match="xyz has no file of that name"):
        first.read()
    second.read()


def test_a_place_where_nothing_can_be_kept_is_said(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", categories=("bun",), train=1, test=0, each=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="keep prepared parts in another place"):
        prepared(open_samples(f"mvtec3d:{root}"), tmp_path / "file" / "inside").scans[0].read()
