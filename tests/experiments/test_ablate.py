from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mimica.data.augment import Augmentation
from mimica.data.clipset import ClipSet, manifest
from mimica.data.generated import Generated
from mimica.encoders.towers import DualEncoder
from mimica.errors import UsageError
from mimica.experiments import ablate as room
from mimica.experiments.ablate import Ablation, Split, ablate
from mimica.experiments.grids import Grid, Variant, grid, with_options
from mimica.experiments.write import latex, write_ablation
from mimica.labels import EXPRESSIONS
from mimica.metrics.classification import confusion, uar, war
from mimica.recognition.duse.config import DuseConfig
from mimica.training.loop import LoopConfig
from mimica.training.recipes import Training

pytestmark = pytest.mark.usefixtures("minilm")
RECIPE = Training(
    model=DuseConfig(depth=1, tokens=2, heads=2), encoder="tiny", frames=2, longest=2,
    loop=LoopConfig(epochs=4, batch=7, lr=1e-2), augmentation=Augmentation(flip=0.0, blur=0.0, erase=0.0),
)  # fmt: skip
GRID = Grid(
    name="two", where="table 0", reference="DuSE", printed_with="a tower", note="so it is",
    variants=(
        Variant(name="DuSE", recipe=RECIPE, printed={"dfew": (50.0, 60.0)}),
        Variant(name="linear probe & more", recipe=with_options(RECIPE, method="linear-probe")),
    ),
)  # fmt: skip


def clips(name: str, each: int, seed: int, groups: int = 0) -> ClipSet:
    """Every class is a pattern of its own, in so much noise that it is sometimes missed."""
    patterns = np.random.default_rng(9).uniform(40, 215, (7, 6, 6)).repeat(8, 1).repeat(8, 2)[..., None]
    random = np.random.default_rng(seed)
    labels = np.arange(7 * each) % 7
    frames = [np.clip(patterns[c] + random.normal(0, 40, (2, 48, 48, 3)), 0, 255).astype(np.uint8) for c in labels]
    names = [f"{name}/{i}" for i in range(len(labels))]
    stated = manifest(name, names, labels, EXPRESSIONS)
    together = [f"g{i % groups}" for i in range(len(labels))] if groups else None
    return ClipSet(frames=frames, labels=labels, names=names, manifest=stated, groups=together)


def splits(folds: tuple[int, ...] = (1, 2)) -> list[Split]:
    return [Split(fold=f, train=clips(f"train {f}", 1, f), test=clips(f"test {f}", 2, 10 + f)) for f in folds]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ablation")


def half_right(network: Any, clips: ClipSet, **_: Any) -> np.ndarray:
    """Logits of what guesses about every second clip, and each network others."""
    random = np.random.default_rng(int(sum(float(w.abs().sum()) for w in network.parameters()) * 1e4) + len(clips))
    return np.asarray(np.eye(7)[clips.labels] + random.normal(0, 0.6, (len(clips), 7)))


@pytest.fixture(scope="module")
def done(out: Path, tiny_dual: DualEncoder, tiny_text_folder: Path) -> Ablation:
    from mimica import assets

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assets, "find", {"minilm": tiny_text_folder}.__getitem__)
        patch.setattr(room, "logits_of_set", half_right)
        return ablate(GRID, tiny_dual, splits(), seeds=(0, 1), out=out)


def guesses(out: Path, variant: str, fold: int, seed: int) -> np.ndarray:
    return np.array(
        json.loads((out / variant / f"fold-{fold}" / f"seed-{seed}" / "guesses.json").read_text())["guesses"]
    )


def test_figures_are_those_of_what_each_run_took_its_test_clips_for(done: Ablation, out: Path) -> None:
    assert len({*done.rows[0].uar.ravel(), *done.rows[1].uar.ravel()}) > 3
    for row, folder in zip(done.rows, ("duse", "linear-probe-more"), strict=True):
        for f, split in enumerate(splits()):
            for seed in (0, 1):
                table = confusion(split.test.labels, guesses(out, folder, split.fold or 0, seed), 7)
                assert row.uar[f, seed] == uar(table)
                assert row.war[f, seed] == war(table)


def test_the_reference_is_ahead_by_the_difference_of_all_folds_together(done: Ablation, out: Path) -> None:
    truth = np.concatenate([split.test.labels for split in splits()])
    gaps = []
    for seed in (0, 1):
        ours, theirs = (
            np.concatenate([guesses(out, v, f, seed) for f in (1, 2)]) for v in ("duse", "linear-probe-more")
        )
        gaps.append(uar(confusion(truth, ours, 7)) - uar(confusion(truth, theirs, 7)))
    reference, other = done.rows
    assert reference.ahead is None
    assert other.ahead is not None
    assert other.ahead.value == pytest.approx(np.mean(gaps))
    assert other.ahead.low <= other.ahead.value <= other.ahead.high


def test_started_again_it_trains_and_reads_nothing(
    done: Ablation, out: Path, tiny_dual: DualEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("it was all there")

    monkeypatch.setattr(room, "train_recogniser", never)
    monkeypatch.setattr(room, "logits_of_set", never)
    heard = []
    again = ablate(GRID, tiny_dual, splits(), seeds=(0, 1), out=out, told=lambda name, uar, war: heard.append(name))
    assert [row.uar.tolist() for row in again.rows] == [row.uar.tolist() for row in done.rows]
    assert heard[:3] == ["DuSE, fold 1, seed 0", "DuSE, fold 1, seed 1", "linear probe & more, fold 1, seed 0"]


def test_other_test_clips_are_read_anew(
    out: Path, done: Ablation, tiny_dual: DualEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "logits_of_set", half_right)
    other = [replace(split, test=clips("others", 3, 40 + (split.fold or 0))) for split in splits()]
    again = ablate(GRID, tiny_dual, other, seeds=(0, 1), out=out)
    assert [row.uar.tolist() for row in again.rows] != [row.uar.tolist() for row in done.rows]
    assert len(guesses(out, "duse", 1, 0)) == 21
    ablate(GRID, tiny_dual, splits(), seeds=(0, 1), out=out)  # as it was, for the others


def test_a_run_with_other_settings_is_refused_and_stays(done: Ablation, out: Path, tiny_dual: DualEncoder) -> None:
    longer = replace(RECIPE, loop=replace(RECIPE.loop, epochs=2))
    changed = replace(GRID, variants=(replace(GRID.variants[0], recipe=longer),))
    before = sorted((path, path.stat().st_mtime_ns) for path in out.rglob("*"))
    with pytest.raises(UsageError, match=r"duse-compact-tiny\.safetensors was trained with another recipe; choose"):
        ablate(changed, tiny_dual, splits(), seeds=(0,), out=out)
    with pytest.raises(UsageError, match="was trained with another data"):
        ablate(GRID, tiny_dual, [replace(splits()[0], train=clips("train 9", 1, 9))], seeds=(0,), out=out)
    assert sorted((path, path.stat().st_mtime_ns) for path in out.rglob("*")) == before


def test_a_model_is_measured_as_its_recipe_has_it_read(
    tiny_dual: DualEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def noted(network: Any, clips: ClipSet, **how: Any) -> np.ndarray:
        seen.append(how)
        return half_right(network, clips)

    monkeypatch.setattr(room, "logits_of_set", noted)
    spread = replace(RECIPE, sampling="segment", mirrored=True)
    grid = replace(GRID, variants=(replace(GRID.variants[0], recipe=spread),))
    ablate(grid, tiny_dual, splits((1,)), seeds=(0,), out=tmp_path)
    assert seen == [{"sampling": "segment", "frames": 2, "mirrored": True}]


def test_clips_that_are_learned_from_are_not_measured_on(tiny_dual: DualEncoder, tmp_path: Path) -> None:
    same = clips("same", 1, 0)
    with pytest.raises(UsageError, match="7 clips are learned from and measured on, such as same/0"):
        ablate(GRID, tiny_dual, [Split(train=same, test=same)], seeds=(0,), out=tmp_path)
    assert not list(tmp_path.iterdir())


# With generated clips


def generated(each: int = 1) -> Generated:
    return Generated(clips=clips("generated", each, 5))


def test_variants_with_a_share_learn_from_generated_clips_and_the_others_do_not(
    tiny_dual: DualEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "logits_of_set", half_right)
    whole = grid("generated", replace(RECIPE, loop=replace(RECIPE.loop, epochs=1)))
    split = replace(splits((1,))[0], fold=None, train=clips("train", 2, 0), generated=generated())
    told = ablate(whole, tiny_dual, [split], seeds=(0, 1), out=tmp_path)
    facts = {path.parts[-3]: json.loads(path.read_text()) for path in tmp_path.rglob("seed-1/results.json")}
    assert {name for name, of in facts.items() if "generated" in of} == {"generated", "generated-class-balanced"}
    assert sum(facts["generated"]["generated_used"]["times"].values()) > 0
    assert told.facts()["data"][0]["generated"] == generated().facts()
    assert [row.ahead is None for row in told.rows] == [False] * 4 + [True]
    assert (
        ablate(whole, tiny_dual, [split], seeds=(0, 1), out=tmp_path).rows[3].uar.tolist() == told.rows[3].uar.tolist()
    )
    other = replace(split, generated=generated(2))
    with pytest.raises(UsageError, match="was trained with another table or mixture of generated clips; choose"):
        ablate(whole, tiny_dual, [other], seeds=(0,), out=tmp_path)


def test_what_one_arm_cannot_do_is_said_before_the_first_is_trained(tiny_dual: DualEncoder, tmp_path: Path) -> None:
    split = splits((1,))[0]
    with pytest.raises(UsageError, match="the ablation generated needs generated clips; name them with --generated"):
        ablate(grid("generated", RECIPE), tiny_dual, [split], seeds=(0,), out=tmp_path)
    plateau = replace(RECIPE, loop=replace(RECIPE.loop, schedule="plateau"))
    with pytest.raises(UsageError, match="the schedule plateau ends where"):
        ablate(grid("generated", plateau), tiny_dual, [replace(split, generated=generated())], seeds=(0,), out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_without_the_reference_nothing_is_trained(tiny_dual: DualEncoder, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has to be among the variants"):
        ablate(replace(GRID, variants=GRID.variants[1:]), tiny_dual, splits(), seeds=(0,), out=tmp_path)


def test_intervals_are_over_groups_where_the_data_names_them(
    tiny_dual: DualEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def noted(*given: Any, groups: np.ndarray, **how: Any) -> Any:
        seen.append(groups)
        return paired(*given, groups=groups, **how)

    paired = room.paired_difference
    monkeypatch.setattr(room, "paired_difference", noted)
    for groups in (3, 0):
        split = Split(train=clips("train", 1, 0), test=clips("test", 2, 1, groups=groups))
        ablate(GRID, tiny_dual, [split], seeds=(0,), out=tmp_path)
    assert [len(set(groups)) for groups in seen] == [3, 14]


def test_the_folder_gets_json_and_latex(done: Ablation, tmp_path: Path) -> None:
    told, rows = (path.read_text() for path in write_ablation(tmp_path, done))
    facts: Mapping[str, Any] = json.loads(told)
    assert facts["rows"][0]["printed_percent_uar_war"] == {"dfew": [50.0, 60.0]}
    assert [split["fold"] for split in facts["data"]] == [1, 2]
    assert facts["seeds"] == [0, 1]
    assert facts["rows"][1]["uar"] == done.rows[1].uar.tolist()
    assert r"linear probe \& more & " in rows


def test_the_best_figure_of_each_column_is_bold() -> None:
    def row(name: str, uar: float, war: float) -> room.Row:
        return room.Row(name=name, uar=np.array([[uar]]), war=np.array([[war]]), ahead=None, printed={})

    told = latex(Ablation(grid=GRID, rows=(row("a", 0.5, 0.61), row("b", 0.25, 0.7))))
    assert told.splitlines()[1:] == [r"a & \textbf{50.00} & 61.00 \\", r"b & 25.00 & \textbf{70.00} \\"]
