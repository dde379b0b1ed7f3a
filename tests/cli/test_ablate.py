from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mimica.cli import DONE, FAILED, USAGE
from tiny_sets import draw_dfew, publish_small

Run = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.usefixtures("minilm")


@pytest.fixture
def asked(tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Two variants on two folds of a set that looks like DFEW, an epoch each."""
    publish_small(monkeypatch)
    data = draw_dfew(tmp_path / "dfew")
    return [
        "ablate", "duse-heads", "--data", f"dfew:{data}", "--recipe", "duse_vit_b32",
        "--encoder", tiny_clip, "--only", 2,
        "--epochs", 1, "--batch", 2, "--folds", 1, 2, "--out", tmp_path / "out",
    ]  # fmt: skip


def test_a_table_is_printed_beside_the_papers_and_kept(mimica: Run, asked: list[object], tmp_path: Path) -> None:
    code, shown, errors = mimica(*asked)
    assert code == DONE, errors
    assert "2, fold 1, seed 0: UAR 0." in shown
    assert "64.37/74.92" in shown
    assert "theirs, not ours" in shown
    facts = json.loads((tmp_path / "out" / "ablation.json").read_text())
    assert [row["name"] for row in facts["rows"]] == ["2", "4"]
    assert [len(row["uar"]) for row in facts["rows"]] == [2, 2]
    assert mimica(*asked)[0] == DONE


def test_what_is_not_there_is_refused_with_what_is(mimica: Run, asked: list[object], tmp_path: Path) -> None:
    for place, wrong, said in (
        (1, "duse-head", "duse-heads"), (asked.index("--only") + 1, 3, "2, 4, 6"),
        (asked.index("--recipe") + 1, "duse", "duse_compact"),
    ):  # fmt: skip
        code, _, errors = mimica(*asked[:place], wrong, *asked[place + 1 :])
        assert code == USAGE
        assert said in errors
    assert not (tmp_path / "out").exists()


def test_data_without_a_test_part_is_asked_for_one(mimica: Run, asked: list[object], tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    for name in ("happiness", "anger"):
        (folder / name).mkdir(parents=True)
        (folder / name / "a.jpg").write_bytes(next(tmp_path.rglob("*.jpg")).read_bytes())
    where = asked.index("--data") + 1
    code, _, errors = mimica(
        *asked[:where], f"folder:{folder}", *asked[where + 1 : asked.index("--folds")], *asked[-2:]
    )
    assert code in (USAGE, FAILED)
    assert "name other data with --test" in errors


def test_arms_of_generated_clips_are_held_to_each_other(
    mimica: Run, asked: list[object], tmp_path: Path, tiny_clip: Path
) -> None:
    from PIL import Image

    from mimica.data.clipset import load

    data = str(asked[asked.index("--data") + 1])
    for fold in (1, 2):
        learned = load(data, fold=fold, size=8, hold=0.1).names
        folder = tmp_path / f"made-{fold}"
        folder.mkdir()
        Image.new("RGB", (8, 8), (9,) * 3).save(folder / "0.png")
        (folder / "clips.csv").write_text(f"path,label,made_from\n0.png,disgust,{learned[0]}\n")
    where = asked.index("--only")
    typed = [asked[0], "generated", *asked[2:where], "--only", "generated", *asked[where + 2 :]]
    code, _, errors = mimica(*typed)
    assert code == USAGE
    assert "the ablation generated needs generated clips" in " ".join(errors.split())
    code, shown, errors = mimica(*typed, "--generated", f"table:{tmp_path}/made-{{fold}}/clips.csv")
    assert code == DONE, errors
    assert "generated + class-balanced" in shown
    facts = json.loads((tmp_path / "out" / "ablation.json").read_text())
    assert [of["generated"]["classes"]["disgust"] for of in facts["data"]] == [1, 1]
    code, _, errors = mimica(*typed, "--generated", f"table:{tmp_path}/made-1/clips.csv", "--out", tmp_path / "other")
    assert (code, "which is none of the clips of" in " ".join(errors.split())) == (USAGE, True)
