from __future__ import annotations

import csv
import errno
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mimica.cli.train import Train
from mimica.generation import making
from mimica.generation.augment import Augmented
from mimica.generation.diffusion.backends import open_tuned
from mimica.generation.diffusion.settings import Sampling
from mimica.generation.knowledge import hidden
from mimica.generation.loop_settings import TuningSettings
from mimica.generation.provenance import read_provenance
from mimica.generation.quality import MEASURED, Quality
from mimica.generation.reinforce.adapter import Adapter
from mimica.generation.tuned import TunedFor
from mimica.labels import EXPRESSIONS
from tiny_loop import Rows, World, altered

Run = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.usefixtures("stand_ins")
ALL = ("--consistency=-100", "--probability", 0, "--identity=-1", "--nearest", 1)


def ask_table(world: World, *more: object) -> tuple[object, ...]:
    small = ("--model", world.model, "--steps", 2, "--size", 4, "--rounds", 1, "--hold", 0.3)
    return ("--data", world.spec, "--out", "o", *small, *ALL, *more)


def ask(world: World, *more: object) -> tuple[object, ...]:
    return ask_table(world, "--no-train", *more)


def test_the_whole_loop_says_what_lacked_what_is_kept_and_where_it_lies(
    mimica: Run, tiny_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = mimica("augment", *ask(tiny_world))
    assert (code, err) == (0, "")
    assert any(line.startswith("leakage audit:") and line.endswith("files, frames") for line in out.splitlines())
    told = json.loads(Path("o/loop.json").read_text())
    assert "leakage audit: nothing of validation or test" in out
    assert "round 1: kept" in out
    for name, real, wanted in zip(told["classes"], told["counts"], told["wanted"], strict=True):
        (line,) = [line for line in out.splitlines() if line.startswith(f"{name} ")]
        own = [clip for clip in told["clips"] if clip["label"] == name]
        assert line.split()[1:5] == [str(n) for n in (real, wanted, len(own), sum(clip["kept"] for clip in own))]
    assert [line for line in out.splitlines() if line.startswith("o/")] == [
        "o/loop.json", "o/report.html", "o/generated.csv",
    ]  # fmt: skip
    assert f"mimica train duse_compact --data {tiny_world.spec} --generated table:o/generated.csv --out DIR" in out
    assert Path("o/report.html").read_text().count("fear") > 1


def test_without_a_verb_it_is_the_loop_and_the_same_again_makes_nothing(
    mimica: Run, tiny_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mimica("augment", *ask(tiny_world))[0] == 0
    before = {path: path.read_bytes() for path in Path("o").rglob("*") if path.is_file()}
    monkeypatch.setattr(making, "sample", None)
    assert mimica("augment", "loop", *ask(tiny_world))[0] == 0
    changed = {path.name for path, data in before.items() if path.read_bytes() != data}
    assert changed <= {"loop.json", "report.html"}, "these say how long reading took"


def test_where_nothing_lacks_nothing_is_made_and_that_is_said(mimica: Run, tiny_world: World) -> None:
    code, out, err = mimica("augment", *ask(tiny_world, "--classes", "happiness", "disgust"))
    assert (code, err) == (0, "")
    assert "no class lacks clips that could be made for it" in out
    assert json.loads(Path("o/loop.json").read_text())["rounds"] == []
    assert len(Path("o/generated.csv").read_text().splitlines()) == 1
    assert Path("o/report.html").is_file()


def test_help_is_that_of_all_steps(mimica: Run) -> None:
    code, out, _ = mimica("augment", "--help")
    assert code == 0
    assert all(verb in out for verb in ("plan", "prompt", "loop", "filter", "audit", "table", "demo", "judge"))


def without_curves(rows: Rows) -> Rows:
    return [{name: value for name, value in row.items() if not name.startswith("AU")} for row in rows]


def by_folds(rows: Rows) -> Rows:
    return [{**row, "part": "", "fold": str(i % 2 + 1)} for i, row in enumerate(rows)]


def without_parts(rows: Rows) -> Rows:
    return [row for row in rows if row["part"] == "train"]


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--classes", "fearr"), 2, "unknown class 'fearr'; did you mean 'fear'"),
        (("--classes", "fearr", "--model", "nowhere.safetensors"), 2, "unknown class 'fearr'"),
        (("--model", "nowhere.safetensors"), 1, "there is no nowhere.safetensors; train it (mimica augment train"),
        (("--seed", "-1"), 2, "seed must be from 0"),
        (("--frames", "3"), 2, "frames must be 4 or more, got 3"),
        (("--batch", "0"), 2, "batch must be 1 or more, got 0"),
        (("--data", "table:nowhere.csv"), 1, "there is no nowhere.csv"),
        (("--data", "folder:."), 2, "holds no unit curves; give table:FILE"),
        (("--server", "http://127.0.0.1:9"), 2, "give both --server and --language-model"),
        (("--adapter", "nowhere.safetensors"), 1, "there is no nowhere.json"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_nothing_is_written(
    flags: tuple[str, ...], code: int, said: str, mimica: Run, tiny_world: World
) -> None:
    found, _, err = mimica("augment", *ask(tiny_world, *flags))
    assert said in err
    assert (found, err.count("\n")) == (code, 1)
    assert not Path("o").exists()


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (without_curves, 1, "has no unit curves, columns AU1, AU2"),
        (without_parts, 2, "has nothing to validate with"),
        (by_folds, 2, "is parted by folds, and clips are made for a part; write"),
    ],
)
def test_data_that_cannot_be_augmented_is_one_sentence(
    change: Any, code: int, said: str, mimica: Run, tiny_world: World, tmp_path: Path
) -> None:
    spec = altered(tiny_world, tmp_path, change)
    found, _, err = mimica("augment", *ask(tiny_world, "--data", spec))
    assert said in err
    assert (found, err.count("\n")) == (code, 1)


def test_data_of_other_classes_is_one_sentence(mimica: Run, tiny_world: World, tmp_path: Path) -> None:
    spec = altered(tiny_world, tmp_path, lambda rows: [row for row in rows if row["label"] in ("fear", "anger")])
    facts = EXPRESSIONS.only(["anger", "fear"]).facts()
    (tmp_path / "data" / "label_space.json").write_text(json.dumps(facts))
    code, _, err = mimica("augment", *ask(tiny_world, "--data", spec))
    assert "has the classes anger, fear; the judges of generated clips know happiness, sadness" in err
    assert (code, err.count("\n")) == (2, 1)


def test_a_full_disk_is_one_sentence_and_the_next_run_goes_on(
    mimica: Run, tiny_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = making.save_frames, list[int]()

    def full(*given: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*given)

    monkeypatch.setattr(making, "save_frames", full)
    code, _, err = mimica("augment", *ask(tiny_world))
    assert (code, err.count("\n")) == (1, 1)
    assert "No space left on device; make room, or choose another place with --out" in err
    (first,) = Path("o/clips").glob("*.json")
    made = first.stat().st_mtime_ns
    assert mimica("augment", *ask(tiny_world))[0] == 0
    assert first.stat().st_mtime_ns == made
    assert len(calls) == 1 + len(list(Path("o/clips").glob("*.json")))


def test_too_little_memory_names_a_flag_with_which_it_goes_on(
    mimica: Run, tiny_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = making.sample

    def short(policy: Any, condition: Any, noise: Any, **how: Any) -> Any:
        if len(noise) > 1:
            raise MemoryError
        return real(policy, condition, noise, **how)

    monkeypatch.setattr(making, "sample", short)
    code, _, err = mimica("augment", *ask(tiny_world))
    assert (code, err.count("\n")) == (2, 1)
    flag, value = err[err.index("--batch") :].split(";")[0].split()
    assert mimica("augment", *ask(tiny_world, flag, value))[0] == 0


def test_clips_are_judged_again_and_each_reason_is_counted(mimica: Run, looped: Path) -> None:
    code, out, err = mimica("augment", "filter", looped, "--probability", 1)
    assert (code, err) == (0, "")
    clips = len(json.loads((looped / "loop.json").read_text())["clips"])
    assert f"0 of {clips} clips are kept" in out
    assert f"{clips:5d}  recognisers give its class" in out
    code, out, _ = mimica("augment", "filter", looped, *ALL)
    assert out.splitlines() == [f"{clips} of {clips} clips are kept"]
    code, _, err = mimica("augment", "filter", "nowhere")
    assert (code, err.count("\n")) == (1, 1)
    assert "cannot read nowhere/loop.json" in err
    assert mimica("augment", "filter", looped, "--own", 0.5)[0] == 2


def test_an_audit_that_finds_a_leak_names_it_and_fails(
    mimica: Run, looped: Path, whole_loop: tuple[Path, Augmented], tiny_world: World
) -> None:
    code, out, _ = mimica("augment", "audit", looped, "--data", tiny_world.spec)
    assert (code, "nothing of validation or test" in out) == (0, True)
    record = looped / "clips" / "fear-0000.json"
    person = hidden((whole_loop[1].pool.held.groups or ())[0])
    replace(read_provenance(record), person=person).write(record)
    code, out, err = mimica("augment", "audit", looped, "--data", tiny_world.spec)
    assert (code, err) == (1, "")
    assert f"clips/fear-0000: its still shows {person}, who is held back" in out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--arms", "nothing"), "unknown arm 'nothing'"),
        (("--arms", "none", "full"), "a verdict needs the arms class-balanced sampling and full"),
        (("--tail", "feer"), "unknown class 'feer'; did you mean 'fear'"),
    ],
)
def test_a_table_that_cannot_be_made_is_refused_before_the_loop(
    flags: tuple[str, ...], said: str, mimica: Run, tiny_world: World
) -> None:
    code, _, err = mimica("augment", "table", *ask_table(tiny_world, *flags))
    assert said in err
    assert (code, err.count("\n")) == (2, 1)
    assert not Path("o").exists()


def test_a_table_needs_a_part_to_test_on(mimica: Run, tiny_world: World, tmp_path: Path) -> None:
    def validated(rows: Rows) -> Rows:
        return [{**row, "part": "validation" if row["part"] == "test" else "train"} for row in rows]

    code, _, err = mimica(
        "augment", "table", *ask_table(tiny_world, "--data", altered(tiny_world, tmp_path, validated))
    )
    assert "has no clip of the part test, which every arm is measured on" in err
    assert (code, err.count("\n")) == (2, 1)


def test_in_the_end_a_recogniser_is_trained_on_real_and_kept_clips(
    mimica: Run, tiny_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Train] = []
    monkeypatch.setattr(Train, "run", lambda self: asked.append(self) or 0)
    assert mimica("augment", *ask(tiny_world, "--train", "--recipe", "duse_compact"))[0] == 0
    (one,) = asked
    assert (one.data, one.generated, one.recipe) == (tiny_world.spec, "table:o/generated.csv", "duse_compact")
    assert (one.out, one.hold, one.resume) == (Path("o/recogniser"), 0.3, False)


def begun(spec: str, out: Path, settings: TuningSettings, *, sampling: Sampling, **how: Any) -> TunedFor:
    """A tuning that changes nothing: an adapter as it begins."""
    policy = open_tuned(sampling)
    before = policy.state()
    Adapter(policy.network, policy.lora_targets, rank=2, alpha=2).save(out / "adapter.safetensors", generator=before)
    known = {name: np.ones(2) for name in MEASURED}
    same = Quality(**known, diversity=1.0, seconds=0.1)
    return TunedFor(adapter=out / "adapter.safetensors", people=("a", "b"), stopped=None, before=same, after=same)


@pytest.mark.usefixtures("minilm")
def test_a_demonstration_goes_from_drawing_to_a_verdict_and_goes_on(
    mimica: Run, tiny_world: World, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mimica.experiments import augmented
    from mimica.generation import long_tail, tuned
    from mimica.generation.loop_settings import AugmentSettings
    from mimica.recognition.duse.config import DuseConfig
    from mimica.training import recipes

    recipe = replace(
        recipes.duse_compact(), model=DuseConfig(depth=1, tokens=2, heads=2), encoder=str(tiny_encoder), frames=2,
        longest=2,
    )  # fmt: skip
    quick = replace(
        augmented._QUICK, train=36, test=14, per_epoch=14, batch=7,
        loop=AugmentSettings(rounds=1, size=2, batch=2, hold=0.3),
    )  # fmt: skip
    monkeypatch.setattr(augmented, "_QUICK", quick)
    monkeypatch.setattr(tuned, "tune_for", begun)
    monkeypatch.setattr(long_tail, "SIZE", 16)
    monkeypatch.setattr(recipes, "duse_compact", lambda: recipe)
    shutil.copytree(Path(tiny_world.spec.removeprefix("table:")).parent, "o/data")
    given = ("augment", "demo", "--out", "o", "--quick", "--model", tiny_world.model, "--steps", 2)
    code, out, err = mimica(*given)
    assert (code, err) == (0, "")
    told = json.loads(Path("o/table.json").read_text())
    assert [one["name"] for one in told["arms"]] == ["none", "class-balanced sampling", "full"]
    assert told["reference"] == "class-balanced sampling"
    assert set(told["tail"]) <= {"fear", "surprise"}, "of the classes that have clips"
    assert told["sentence"] in out
    assert "generated clips" in Path("o/report.html").read_text().lower()
    assert list(csv.DictReader(Path("o/generated.csv").read_text().splitlines()))
    trained = {path: path.stat().st_mtime_ns for path in Path("o/arms").rglob("*.safetensors")}
    assert len({path.parent for path in trained}) == 3
    assert mimica(*given)[0] == 0
    assert {path: path.stat().st_mtime_ns for path in trained} == trained
    assert json.loads(Path("o/table.json").read_text()) == told
