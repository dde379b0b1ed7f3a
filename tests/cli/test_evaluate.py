"""`mimica evaluate` on pictures that suffered, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drawn import photo
from mimica.cli import DONE, USAGE

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    root = tmp_path / "faces"
    for i, name in enumerate(("fear", "anger")):
        (root / name).mkdir(parents=True)
        for j in range(2):
            image = np.random.default_rng(2 * i + j).integers(0, 256, (48, 48, 3), dtype=np.uint8)
            photo(root / name / f"{j}.png", image)
    return root


def test_each_degradation_has_a_row_and_its_figures(mimica: Run, faces: Path, tiny_model: Path) -> None:
    code, out, err = mimica(
        "evaluate", f"folder:{faces}", "--model", tiny_model, "--faces", "none",
        "--degrade", "blur", "covered", "--json", "figures.json",
    )  # fmt: skip
    assert code == DONE, err
    assert [line.split()[0] for line in out.splitlines() if line.startswith(("blur", "covered"))] == ["blur", "covered"]
    facts = json.loads(Path("figures.json").read_text())
    assert list(facts["degraded"]) == ["blur", "covered"]
    assert facts["degraded"]["blur"]["n"] == facts["n"] == 4
    assert facts["degraded"]["blur"]["meaning"].startswith("Gaussian blur")
    assert "kept" in facts["degraded"]["covered"]
    assert {part["by"] for part in facts["slices"]} == {"quality", "brightness"}


def test_an_unknown_degradation_is_refused_before_anything_is_read(mimica: Run, faces: Path) -> None:
    code, _, err = mimica("evaluate", f"folder:{faces}", "--faces", "none", "--degrade", "fog")
    assert code == USAGE
    assert "fog" in err
    assert "covered" in err


def test_degradations_are_refused_where_faces_have_yet_to_be_found(mimica: Run, faces: Path) -> None:
    code, _, err = mimica("evaluate", f"folder:{faces}", "--degrade", "blur")
    assert code == USAGE
    assert "--faces none" in err


def test_the_groups_of_a_table_have_figures_of_their_own(mimica: Run, faces: Path, tiny_model: Path) -> None:
    table = faces / "table.csv"
    table.write_text("path,label,group\nfear/0.png,fear,young\nanger/0.png,anger,old\nanger/1.png,anger,old\n")
    code, out, err = mimica(
        "evaluate", f"table:{table}", "--model", tiny_model, "--faces", "none", "--json", "figures.json"
    )
    assert code == DONE, err
    groups = [part for part in json.loads(Path("figures.json").read_text())["slices"] if part["by"] == "group"]
    assert {part["value"]: part["n"] for part in groups} == {"young": 1, "old": 2}
    assert "young" in out


def test_figures_that_are_kept_stand_in_the_models_facts_and_on_its_pages(
    mimica: Run, faces: Path, tiny_model: Path, tmp_path: Path
) -> None:
    model = tmp_path / tiny_model.name
    for ending in (".safetensors", ".json"):
        model.with_suffix(ending).write_bytes(tiny_model.with_suffix(ending).read_bytes())
    told = ("--model", model, "--faces", "none")
    assert mimica("evaluate", f"folder:{faces}", *told, "--degrade", "blur", "--keep")[0] == DONE
    kept = json.loads(model.with_suffix(".json").read_text())["held_out"]
    assert (kept["data"], kept["n"]) == ("faces", 4)
    assert kept["degraded"].keys() == {"blur"}
    assert kept["risk_coverage"][-1]["coverage"] == 1.0
    assert mimica("predict", faces / "fear" / "0.png", *told, "--out", "read", "--format", "html")[0] == DONE
    page = Path("read/0.html").read_text()
    assert "How far to trust the model" in page
    assert '"figure-coverage"' in page


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_picture_of_how_far_to_trust_is_drawn(mimica: Run, faces: Path, tiny_model: Path, ending: str) -> None:
    told = ("--model", tiny_model, "--faces", "none", "--picture", f"new/trust.{ending}")
    code, _, err = mimica("evaluate", f"folder:{faces}", *told)
    assert code == DONE, err
    drawn = Path(f"new/trust.{ending}").read_bytes()
    assert drawn.startswith(b"\x89PNG" if ending == "png" else b"<?xml")
    assert mimica("evaluate", f"folder:{faces}", *told)[0] == DONE
    assert Path(f"new/trust.{ending}").read_bytes() == drawn


def test_a_picture_of_another_kind_is_refused_before_anything_is_read(mimica: Run, faces: Path) -> None:
    code, _, err = mimica("evaluate", f"folder:{faces}", "--model", "nothing", "--picture", "trust.gif")
    assert code == USAGE
    assert ".png, .svg, .pdf" in err
