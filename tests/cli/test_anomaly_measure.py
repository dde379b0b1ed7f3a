"""How well defects are found, and what each part of the method brings, on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from mimica.cli import DONE, FAILED, USAGE
from tiny_parts import tree

Run = Callable[..., tuple[int, str, str]]
SMALL = ("--options", "side=112", "cells=14", "augmentations=1")


def test_figures_are_printed_and_kept_beside_the_baseline(tmp_path: Path, mimica: Run) -> None:
    tree(tmp_path / "drawn")
    command = ("anomaly", "evaluate", "mvtec3d:drawn", "--shots", 1, 2, "--seeds", 2, "--baseline", *SMALL)
    code, out, err = mimica(*command, "--json", "figures.json")
    assert (code, err) == (DONE, "")
    found = json.loads(Path("figures.json").read_text())["results"]
    assert set(found) == {"default", "nearest neighbours"}
    mean = found["default"]["2"]["mean"]
    assert {"i_auroc", "i_ap", "p_auroc", "p_ap", "aupro30", "aupro10", "aupro05", "aupro01"} < set(mean)
    assert set(found["default"]["2"]["categories"]) == {"bun", "tablet"}
    assert set(found["default"]["2"]["defects"]) == {"both", "missing"}
    assert set(found["default"]["2"]["categories"]["bun"]["defects"]) == {"both", "missing"}
    assert len(mean["seeds"]) == 2
    assert f"{100 * mean['i_auroc']:.1f}±{100 * mean['std']['i_auroc']:.1f}" in out
    assert "theirs, not ours" not in out
    Path("drawn").rename("gone")
    Path("gone").rename("drawn")
    again = mimica(*command, "--json", "figures.json")
    assert again == (DONE, out, "")


def test_published_figures_stand_beside_categories_of_that_data_set(tmp_path: Path, mimica: Run) -> None:
    tree(tmp_path / "drawn", categories=("bun",)).joinpath("bun").rename(tmp_path / "drawn/bagel")
    code, out, _ = mimica("anomaly", "evaluate", "mvtec3d:drawn", "--shots", 1, "--seeds", 1, *SMALL)
    assert code == DONE
    assert "printed of MVTec 3D-AD; theirs, not ours" in out
    assert "theirs are means over all categories; 9 were not measured here" in out


def test_a_part_that_cannot_be_read_is_told_of_and_the_others_measured(tmp_path: Path, mimica: Run) -> None:
    tree(tmp_path / "drawn", categories=("bun",)).joinpath("bun/test/good/xyz/000.tiff").unlink()
    code, out, err = mimica("anomaly", "evaluate", "mvtec3d:drawn", "--shots", 1, "--seeds", 1, *SMALL)
    assert (code, err) == (FAILED, "")
    assert "left out: bun/test/good/000: " in out
    assert "default" in out


def test_each_module_off_alone_is_a_row(tmp_path: Path, mimica: Run) -> None:
    tree(tmp_path / "drawn", categories=("bun",))
    command = ("anomaly", "ablate", "mvtec3d:drawn", "--shots", 1, "--seeds", 1, "--json", "ablation.json", *SMALL)
    code, out, err = mimica(*command)
    assert (code, err) == (DONE, "")
    found = json.loads(Path("ablation.json").read_text())["results"]
    for name in ("default", "without structure memory", "without guided search", "without messages", "reference"):
        assert name in found
        assert name in out
    assert len({json.dumps(one["1"]["mean"]) for one in found.values()}) > 3


def test_what_cannot_be_measured_is_refused_in_one_sentence(tmp_path: Path, mimica: Run) -> None:
    tree(tmp_path / "drawn", categories=("bun",))
    for arguments, exit_code, said in (
        (("mvtec3d:drawn",), USAGE, "has 2 good parts of bun to learn from, not 4"),
        (("mvtec3d:drawn", "--seeds", 0), USAGE, "seeds must be 1 or more"),
        (("mvtec3d:drawn", "--categories", "bum"), USAGE, "did you mean 'bun'"),
        (("mvtec3d:drawn/bun/train",), FAILED, "has not both good and defective parts of"),
        (("mvtec:drawn/bun/train/good/rgb",), FAILED, "has not both good and defective parts of"),
    ):
        for verb in ("evaluate", "ablate"):
            code, _, err = mimica("anomaly", verb, *arguments, "--json", "figures.json")
            assert (code, err.count("\n")) == (exit_code, 1), err
            assert said in err
    Path("figures.json").write_text("{}")
    code, _, err = mimica("anomaly", "evaluate", "mvtec3d:drawn", "--json", "figures.json")
    assert code == USAGE
    assert "figures.json is not what this command writes" in err
