from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from mimica.cli import DONE, FAILED, USAGE

Run = Callable[..., tuple[int, str, str]]
TINY = ("--size", 64, "--train", 1, "--test", 1, "--each", 1, "--defects", "both", "shape")


def test_parts_are_drawn_and_their_sheet_and_source_named(mimica: Run) -> None:
    code, out, err = mimica("anomaly", "parts", "--out", "drawn", "--categories", "bun", "tablet", *TINY)
    assert (code, err) == (DONE, "")
    sheet, said = out.splitlines()
    assert Path(sheet).is_file()
    assert said == "8 drawn parts, to be read as mvtec3d:drawn"
    assert Image.open("drawn/tablet/test/shape/rgb/000.png").size == (64, 48)
    assert np.asarray(Image.open("drawn/bun/test/both/gt/000.png")).any()


def test_parts_lie_as_eyecandies_if_one_asks(mimica: Run) -> None:
    code, out, _ = mimica("anomaly", "parts", "--out", "drawn", "--layout", "eyecandies", "--categories", "bun", *TINY)
    assert code == DONE
    assert "eyecandies:drawn" in out
    assert len(list(Path("drawn/Bun/train/data").iterdir())) == 17
    assert mimica("anomaly", "check", "eyecandies:drawn")[0] == DONE


def test_parts_that_cannot_be_are_refused(mimica: Run) -> None:
    code, _, err = mimica("anomaly", "parts", "--out", "drawn", "--categories", "bum")
    assert code == USAGE
    assert "did you mean 'bun'" in err
    assert not Path("drawn").exists()


def test_check_counts_scans_and_names_what_is_wrong(mimica: Run) -> None:
    mimica("anomaly", "parts", "--out", "drawn", "--categories", "bun", "tablet", *TINY)
    code, out, err = mimica("anomaly", "check", "mvtec3d:drawn")
    assert (code, err) == (DONE, "")
    rows = [line.split() for line in out.splitlines()]
    assert ["tablet", "test", "shape", "1", "1", "1", "64x48"] in rows
    assert ["bun", "train", "good", "1", "1", "1", "64x64"] in rows
    assert out.endswith("nothing is wrong\n")
    Path("drawn/bun/train/good/xyz/000.tiff").unlink()
    Path("drawn/bun/test/both/rgb/000.png").write_bytes(b"")
    code, out, err = mimica("anomaly", "check", "mvtec3d:drawn")
    assert (code, err) == (FAILED, "")
    assert "wrong: bun/train/good/000: " in out
    assert "wrong: cannot read " in out
    assert out.endswith("2 scans cannot be read\n")
    assert ["tablet", "test", "shape", "1", "1", "1", "64x48"] in [line.split() for line in out.splitlines()]


def test_what_is_no_source_is_answered(mimica: Run) -> None:
    code, _, err = mimica("anomaly", "check", "mvtec3:drawn")
    assert code == USAGE
    assert "did you mean 'mvtec3d'" in err
