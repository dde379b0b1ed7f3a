"""A bank from a few good parts and what it says of others, on the command line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimica.anomaly.scans.ply import read_ply
from mimica.cli import DONE, FAILED, USAGE
from tiny_parts import tree

Run = Callable[..., tuple[int, str, str]]
SMALL = ("--options", "side=112", "cells=14", "augmentations=1", "plane_distance=0.004")


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    return tree(tmp_path / "drawn", categories=("bun",))


@pytest.fixture
def bank(drawn: Path, mimica: Run) -> str:
    assert mimica("anomaly", "fit", "mvtec3d:drawn/bun", "--shots", 2, "--out", "bank", *SMALL)[0] == DONE
    return "bank"


def rows(folder: str) -> list[dict[str, str]]:
    with (Path(folder) / "scores.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_bank_says_what_it_holds_and_its_threshold(drawn: Path, mimica: Run) -> None:
    code, out, err = mimica("anomaly", "fit", "mvtec3d:drawn", "--shots", 2, "--out", "banks/bun", *SMALL)
    assert (code, err) == (DONE, "")
    path, shots, rgb, xyz, threshold = out.splitlines()
    assert Path(path).is_file()
    assert shots == "2 good parts by seed 0: bun/train/good/000, bun/train/good/001"
    assert rgb == "rgb: 39 nodes of 40 colour features"
    assert xyz == "xyz: 39 nodes of 27 normals features"
    assert threshold.startswith("threshold ")
    assert threshold.endswith(": 5 % of good parts are expected to score higher")


def test_the_same_command_makes_the_same_bank(drawn: Path, mimica: Run) -> None:
    for out in ("one", "two"):
        mimica("anomaly", "fit", "mvtec3d:drawn/bun", "--shots", 1, "--seed", 1, "--out", out, *SMALL)
    assert Path("one.safetensors").read_bytes() == Path("two.safetensors").read_bytes()
    assert json.loads(Path("one.json").read_text())["shots"] == json.loads(Path("two.json").read_text())["shots"]


def test_point_mae_s_options_are_flags_and_a_bank_states_them(drawn: Path, mimica: Run) -> None:
    import torch

    from mimica.anomaly.features.pointmae_net import PointMaeEncoder, PointMaeShape

    small = PointMaeShape(width=64, depth=3, heads=1, taps=(0, 1, 2))
    torch.save({"base_model": PointMaeEncoder(small).state_dict()}, "pretrain.pth")
    command = ("anomaly", "fit", "mvtec3d:drawn/bun", "--shots", 1, "--out", "bank", "--rgb", "none")
    pointmae = ("--xyz", "pointmae", "--xyz-weights", "pretrain.pth")
    flags = ("--bn-stats", "running", "--unit-cloud", "--groups", 16)
    assert mimica(*command, *pointmae, *flags, *SMALL)[0] == DONE
    stated = json.loads(Path("bank.json").read_text())["features"]["xyz"]
    assert stated["options"] == {"bn_stats": "running", "unit_cloud": True, "groups": 16}
    code, _, err = mimica(*command, "--xyz", "normals", "--groups", 16, *SMALL)
    assert code == USAGE
    assert "groups" in err
    assert len(err.splitlines()) == 1


def test_a_bank_that_cannot_be_made_is_refused_in_one_sentence(tmp_path: Path, mimica: Run) -> None:
    tree(tmp_path / "drawn")
    for arguments, exit_code, said in (
        (("mvtec3d:drawn", "--shots", 1), USAGE, "holds several categories"),
        (("mvtec3d:drawn/bun", "--shots", 3), USAGE, "has 2 good parts of bun to learn from, not 3"),
        (("mvtec3d:drawn/bun", "--shots", 0), USAGE, "shots must be 1 or more, got 0"),
        (("mvtec3d:drawn/bun", "--rgb", "none", "--xyz", "none"), USAGE, "both modalities are left out"),
        (("mvtec3d:drawn/bun", "--rgb", "dino"), USAGE, "dino needs weights"),
        (("mvtec3d:nowhere",), FAILED, "nowhere is not a folder"),
        (("mvtec3d:drawn/bun", "--options", "edge=8"), USAGE, "did you mean 'edges'"),
        (("mvtec3d:drawn/bun", "--shots", 1, "--options", "edges=800"), FAILED, "800 hyperedges"),
        (("mvtec:drawn/bun/train/good/rgb", "--shots", 1), FAILED, "has no depth"),
    ):
        code, _, err = mimica("anomaly", "fit", *arguments, "--out", "bank")
        assert code == exit_code, err
        assert said in err
        assert err.count("\n") == 1
    assert not Path("bank.safetensors").exists()


def test_every_part_gets_a_row_a_heat_map_points_and_a_place_on_the_page(bank: str, mimica: Run) -> None:
    code, out, err = mimica("anomaly", "score", bank, "mvtec3d:drawn/bun", "--out", "scored")
    assert (code, err) == (DONE, "")
    assert out.splitlines()[0].startswith("4 parts judged, ")
    found = rows("scored")
    assert [row["defect"] for row in found] == ["both", "good", "good", "missing"]
    page = Path("scored/index.html").read_text()
    for row in found:
        assert row["verdict"] == ("defective" if float(row["false_alarm"]) < 0.05 else "good")
        assert float(row["score"]) > 0
        heat = np.asarray(Image.open(f"scored/heat/{row['part']}.png"))
        seen = np.asarray(Image.open(f"scored/seen/{row['part']}.png"))
        assert heat.shape == seen.shape == (64, 64, 3)
        assert f"heat/{row['part']}.png" in page
        points = read_ply(Path(f"scored/points/{row['part']}.ply"), size=_size(row["part"]))
        assert points.rgb is not None
        assert 0.3 < float(points.xyz[..., 2].mean()) < 0.7
    worst = max(found, key=lambda row: float(row["score"]))
    assert worst["defect"] != "good"
    assert page.index(worst["part"]) == min(page.index(row["part"]) for row in found)


def _size(part: str) -> tuple[int, int]:
    head = Path(f"scored/points/{part}.ply").read_bytes()[:300].decode("ascii", "replace")
    return int(head.split("element vertex ")[1].split()[0]), 1


def test_a_bad_scan_does_not_stop_the_others_and_is_tried_again(bank: str, mimica: Run) -> None:
    lost = Path("drawn/bun/test/good/xyz/000.tiff")
    whole = lost.read_bytes()
    lost.unlink()
    code, out, err = mimica("anomaly", "score", bank, "mvtec3d:drawn/bun", "--out", "scored")
    assert (code, err) == (FAILED, "")
    assert "3 parts judged, " in out
    assert "not judged: bun/test/good/000: " in out
    bad = rows("scored")[1]
    assert (bad["verdict"], bad["score"]) == ("failed", "")
    assert "no file of that name" in bad["error"]
    assert bad["error"].split(";")[0].split(": ")[0] in Path("scored/index.html").read_text()
    lost.write_bytes(whole)
    code, out, _ = mimica("anomaly", "score", bank, "mvtec3d:drawn/bun", "--out", "scored")
    assert code == DONE
    assert "4 parts judged (3 of them before)" in out
    assert rows("scored")[1]["verdict"] == "good"


def test_what_is_done_is_not_done_again_unless_it_changed(bank: str, mimica: Run) -> None:
    mimica("anomaly", "score", bank, "mvtec3d:drawn/bun", "--out", "scored")
    before = Path("scored/scores.csv").read_bytes()
    with Path("scored/scores.jsonl").open("a") as file:
        file.write('{"row": {"part": "bun/te')  # torn, as where the machine stopped
    _, out, _ = mimica("anomaly", "score", bank, "mvtec3d:drawn/bun", "--out", "scored")
    assert "(4 of them before)" in out
    assert Path("scored/scores.csv").read_bytes() == before
    good = Path("drawn/bun/test/good/rgb")
    (good / "001.png").write_bytes((good / "000.png").read_bytes())
    _, out, _ = mimica("anomaly", "score", bank, "mvtec3d:drawn/bun", "--out", "scored")
    assert "(3 of them before)" in out
    _, out, _ = mimica("anomaly", "score", bank, "mvtec3d:drawn/bun", "--out", "scored")
    assert "(4 of them before)" in out


def test_scores_do_not_depend_on_what_is_scored_beside(bank: str, mimica: Run) -> None:
    mimica("anomaly", "score", bank, "mvtec3d:drawn/bun", "--out", "all")
    both = [f"mvtec3d:drawn/bun/test/{defect}" for defect in ("missing", "both")]
    mimica("anomaly", "score", bank, *both, "--out", "turned")
    assert [row["defect"] for row in rows("turned")] == ["missing", "both"]
    every = {row["part"]: row for row in rows("all")}
    for row in rows("turned"):
        assert row == every[row["part"]]
        for kind in (f"heat/{row['part']}.png", f"points/{row['part']}.ply"):
            assert Path("all", kind).read_bytes() == Path("turned", kind).read_bytes()


def test_folders_of_another_bank_or_of_something_else_are_refused(bank: str, mimica: Run) -> None:
    mimica("anomaly", "score", bank, "mvtec3d:drawn/bun", "--out", "scored")
    mimica("anomaly", "fit", "mvtec3d:drawn/bun", "--shots", 1, "--out", "other", *SMALL)
    code, _, err = mimica("anomaly", "score", "other", "mvtec3d:drawn/bun", "--out", "scored")
    assert code == USAGE
    assert "scored holds parts that another bank judged" in err
    code, _, err = mimica("anomaly", "score", bank, "mvtec3d:drawn/bun", "--out", "drawn")
    assert code == USAGE
    assert "drawn holds something that is not of this command" in err


def test_banks_that_are_missing_damaged_or_of_other_features_are_refused(bank: str, mimica: Run) -> None:
    code, _, err = mimica("anomaly", "score", "nobank", "mvtec3d:drawn/bun", "--out", "scored")
    assert (code, err.count("\n")) == (FAILED, 1)
    assert "nobank" in err
    stated = json.loads(Path("bank.json").read_text())
    stated["features"]["rgb"]["version"] = 0
    Path("bank.json").write_text(json.dumps(stated))
    code, _, err = mimica("anomaly", "score", bank, "mvtec3d:drawn/bun", "--out", "scored")
    assert code == FAILED
    assert "made with other colour features" in err
    Path("bank.safetensors").write_bytes(Path("bank.safetensors").read_bytes()[:-9])
    code, _, err = mimica("anomaly", "score", bank, "mvtec3d:drawn/bun", "--out", "scored")
    assert (code, err.count("\n")) == (FAILED, 1)
    assert "is not the file that bank.json describes" in err
    assert not Path("scored").exists()


def test_pictures_and_what_is_no_picture_are_told_apart(drawn: Path, mimica: Run) -> None:
    mimica("anomaly", "fit", "mvtec:drawn/bun/train/good/rgb", "--xyz", "none", "--shots", 2, "--out", "colour", *SMALL)
    code, out, _ = mimica("anomaly", "score", "colour", "drawn/bun/test/both/rgb/000.png", "--out", "scored")
    assert code == DONE
    assert out.startswith("1 part judged, ")
    assert not Path("scored/points").exists()
    code, _, err = mimica("anomaly", "score", "colour", "colour.json", "--out", "scored")
    assert code == USAGE
    assert "colour.json is no picture and no PLY or PCD" in err


BAD = {
    "rgb and xyz of other sizes": ("sizes differ", lambda f: _resize(f / "rgb/000.png")),
    "depth nowhere": ("depth was measured nowhere", lambda f: _points(f, 0.0)),
    "a flat plate": ("shows no part", lambda f: _flat(f)),
    "not a number": ("depth was measured nowhere", lambda f: _points(f, float("nan"))),
    "an empty picture": ("cannot read", lambda f: (f / "rgb/000.png").write_bytes(b"")),
}


@pytest.mark.parametrize("name", BAD)
def test_each_kind_of_bad_part_is_one_sentence_of_the_table(bank: str, mimica: Run, name: str) -> None:
    said, spoil = BAD[name]
    spoil(Path("drawn/bun/test/both"))
    code, out, err = mimica("anomaly", "score", bank, "mvtec3d:drawn/bun", "--out", "scored")
    assert (code, err) == (FAILED, "")
    assert said in rows("scored")[0]["error"]
    assert [row["verdict"] for row in rows("scored")[1:]].count("failed") == 0
    assert out.count("not judged: ") == 1


def _resize(path: Path) -> None:
    Image.open(path).resize((60, 64)).save(path)


def _points(folder: Path, value: float) -> None:
    import tifffile

    tifffile.imwrite(folder / "xyz/000.tiff", np.full((64, 64, 3), value, np.float32), photometric="rgb")


def _flat(folder: Path) -> None:
    import tifffile

    v, u = np.mgrid[:64, :64].astype(np.float32) / 640 + 0.001
    tifffile.imwrite(folder / "xyz/000.tiff", np.stack([u, v, np.full_like(u, 0.5)], -1), photometric="rgb")
