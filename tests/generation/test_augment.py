"""The loop of tiny nets on drawn clips: what it leaves, what it goes on with, what it refuses."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mimica.data.clipset import load
from mimica.data.generated import load_generated
from mimica.errors import InputError, UsageError
from mimica.generation import augment as room
from mimica.generation import making
from mimica.generation.augment import Augmented, shrunk
from mimica.generation.provenance import Provenance, read_provenance
from oracles import allocation as slow
from tiny_loop import KEPT, SETTINGS, SIZE, World, fewer
from tiny_runs import Killed


def said(out: Path) -> dict[str, Any]:
    """What loop.json says, but for how long real clips took to read."""
    told: dict[str, Any] = json.loads((out / "loop.json").read_text())
    told["cost"].pop("reading real clips")
    return told


def without_seconds(told: dict[str, Any]) -> dict[str, Any]:
    for one in (*told["rounds"], *told["clips"]):
        one.pop("seconds")
    return {**told, "cost": None}


def test_a_loop_leaves_clips_with_records_a_table_and_what_it_did(whole_loop: tuple[Path, Augmented]) -> None:
    out, found = whole_loop
    told = said(out)
    assert len(found.rounds) == 2
    assert [sum(one["asked"]) for one in told["rounds"]] == [4, len(found.made) - 4]
    for clip in told["clips"]:
        path = out / clip["clip"]
        assert path.is_file()
        record = read_provenance(path.with_suffix(".json"))
        assert record.synthetic
        assert (record.label, record.round, record.kept) == (clip["label"], clip["round"], True)
        assert len(list(path.with_suffix("").glob("frame_*.png"))) == 9
    rows = list(csv.DictReader((out / "generated.csv").read_text().splitlines()))
    assert [out / row["path"] for row in rows] == [(out / clip["clip"]).with_suffix("") for clip in told["clips"]]
    assert told["audit"]["leaks"] == []
    assert told["what"].startswith("a synthetic clip")


@pytest.mark.usefixtures("stand_ins")
def test_the_same_loop_again_makes_nothing_and_leaves_the_same_bytes(
    looped: Path, tiny_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> Any:
        raise AssertionError("it was all there")

    for name in ("sample", "save_frames", "film"):
        monkeypatch.setattr(making, name, never)
    before = {path: path.read_bytes() for path in looped.rglob("*") if path.is_file()}
    told = said(looped)
    tiny_world.loop(looped)
    assert {path for path in looped.rglob("*") if path.is_file()} == before.keys()
    assert {path.name for path, data in before.items() if path.read_bytes() != data} <= {"loop.json"}
    assert said(looped) == told, "seconds are those that clips took when they were made"


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize(
    ("where", "what", "at"),
    [
        (making, "sample", 2), (making, "save_frames", 1), (making, "save_frames", 5), (making, "film", 2),
        (Provenance, "write", 3), (room, "write", 2), (room, "put", 5),
    ],
)  # fmt: skip
def test_a_loop_that_is_killed_goes_on_and_comes_to_the_same(
    where: Any, what: str, at: int, whole_loop: tuple[Path, Augmented], tiny_world: World, tmp_path: Path
) -> None:
    out, calls = tmp_path / "killed", list[int]()
    with pytest.MonkeyPatch.context() as patch:
        real = getattr(where, what)

        def deadly(*given: Any, **how: Any) -> Any:
            calls.append(1)
            if len(calls) == at:
                raise Killed
            return real(*given, **how)

        patch.setattr(where, what, deadly)
        with pytest.raises(Killed):
            tiny_world.loop(out)
    finished = {path: path.stat().st_mtime_ns for path in out.glob("clips/*.json")}
    if (where, what, at) == (making, "save_frames", 5):
        assert len(finished) == 4
    tiny_world.loop(out)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished, "nothing finished is made again"
    assert (out / "generated.csv").read_bytes() == (whole_loop[0] / "generated.csv").read_bytes()
    assert without_seconds(said(out)) == without_seconds(said(whole_loop[0]))
    assert not [path for path in out.rglob(".*") if path.name.endswith(".part")]


@pytest.mark.usefixtures("stand_ins")
def test_what_a_folder_says_is_not_taken_back_while_the_loop_goes_on_in_it(
    looped: Path, tiny_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: (looped / name).read_bytes() for name in ("loop.json", "generated.csv")}
    (looped / "clips" / "fear-0000" / "frame_0000.png").unlink()

    def deadly(*_: Any, **__: Any) -> Any:
        raise Killed

    monkeypatch.setattr(making, "sample", deadly)
    with pytest.raises(Killed):
        tiny_world.loop(looped)
    assert {name: (looped / name).read_bytes() for name in before} == before


@pytest.mark.usefixtures("stand_ins")
def test_a_clip_that_was_changed_on_disk_is_made_again(looped: Path, tiny_world: World) -> None:
    picture = looped / "clips" / "fear-0000" / "frame_0001.png"
    whole = picture.read_bytes()
    picture.write_bytes((looped / "clips" / "fear-0000" / "frame_0002.png").read_bytes())
    tiny_world.loop(looped)
    assert picture.read_bytes() == whole


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"settings": replace(SETTINGS, size=5)}, "size 4, not 5"),
        ({"settings": replace(SETTINGS, frames=13)}, "frames 9, not 13"),
        ({"filtering": replace(KEPT, probability=0.5)}, "probability 0.0, not 0.5"),
        ({"classes": ("fear",)}, r"classes \[\], not \['fear'\]"),
        ({"sampling": {"steps": 3}}, "sampling steps 2, not 3"),
        ({"sampling": {"guidance": 1.0}}, "guidance weight 2.0, not 1.0"),
        ({"sampling": {"seed": 1}}, "seed 0, not 1"),
    ],
)
def test_a_loop_with_other_settings_is_refused_by_name_and_nothing_changes(
    changed: dict[str, Any], named: str, looped: Path, tiny_world: World
) -> None:
    if "sampling" in changed:
        changed = {"sampling": replace(tiny_world.sampling, **changed["sampling"])}
    before = {path: path.read_bytes() for path in looped.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match=rf"is of a loop with {named}\. Give the same again"):
        tiny_world.loop(looped, **changed)
    assert {path: path.read_bytes() for path in looped.rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("stand_ins")
def test_other_data_and_another_generator_are_refused_by_name(
    looped: Path, whole_loop: tuple[Path, Augmented], tiny_world: World, tmp_path: Path
) -> None:
    from tiny_generator import tiny_generator

    tiny_generator(seed=7).save(tmp_path / "other.safetensors")
    with pytest.raises(UsageError, match="of a loop with another generator"):
        tiny_world.loop(looped, sampling=replace(tiny_world.sampling, model=str(tmp_path / "other.safetensors")))
    with pytest.raises(UsageError, match="of a loop with another data"):
        fewer(tiny_world, tmp_path, whole_loop[1].pool.named(0)).loop(looped)


@pytest.mark.usefixtures("stand_ins")
def test_more_rounds_and_other_batches_go_on_with_the_same_loop(
    whole_loop: tuple[Path, Augmented], tiny_world: World, tmp_path: Path
) -> None:
    out = tmp_path / "o"
    first = tiny_world.loop(out, replace(SETTINGS, rounds=1, batch=1))
    assert len(first.rounds) == 1
    times = {path: path.stat().st_mtime_ns for path in out.glob("clips/*.json")}
    again = tiny_world.loop(out, SETTINGS)
    assert len(again.rounds) == 2
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert [one.wanted for one in again.made] == [one.wanted for one in whole_loop[1].made]


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"stated": 3, "clips": []}'])
def test_a_folder_with_another_loop_json_is_refused(text: str, tmp_path: Path, tiny_world: World) -> None:
    (tmp_path / "loop.json").write_text(text)
    with pytest.raises(InputError, match=r"loop\.json is not what mimica augment writes; choose another place"):
        tiny_world.loop(tmp_path)
    assert (tmp_path / "loop.json").read_text() == text


@pytest.mark.usefixtures("stand_ins")
def test_an_unknown_class_is_refused_before_anything_is_written(tmp_path: Path, tiny_world: World) -> None:
    with pytest.raises(UsageError, match="unknown class 'fearr'; did you mean 'fear'"):
        tiny_world.loop(tmp_path / "o", classes=("fearr",))
    assert not (tmp_path / "o").exists()


@pytest.mark.usefixtures("stand_ins")
def test_only_the_classes_that_are_named_are_made(tmp_path: Path, tiny_world: World) -> None:
    found = tiny_world.loop(tmp_path / "o", replace(SETTINGS, rounds=1), classes=("fear",))
    assert {one.wanted.label for one in found.made} == {"fear"}
    assert found.made


def test_kept_clips_are_taken_to_train_with_and_their_soft_labels_sum_to_one(
    whole_loop: tuple[Path, Augmented], tiny_world: World
) -> None:
    out, found = whole_loop
    real = load(tiny_world.spec, part="train", size=SIZE, frames=4, hold=SETTINGS.hold)
    made = load_generated(
        f"table:{out / 'generated.csv'}", real, data=tiny_world.spec, hold=SETTINGS.hold, size=SIZE, frames=4
    )
    assert len(made.clips) == len(found.kept)
    assert made.shares is not None
    for one, shares in zip(found.made, made.shares, strict=True):
        assert sum(one.record.soft_label) == pytest.approx(1, abs=1e-5)
        assert shares == pytest.approx(np.array(one.record.soft_label), abs=1e-5)
        assert shares[found.pool.train.space.index(one.wanted.label)] >= 0.7


def test_a_table_with_a_clip_made_from_one_held_out_is_refused(
    looped: Path, whole_loop: tuple[Path, Augmented], tiny_world: World
) -> None:
    real = load(tiny_world.spec, part="train", size=SIZE, frames=4, hold=SETTINGS.hold)
    root = Path(tiny_world.spec.removeprefix("table:")).parent
    held = Path(whole_loop[1].pool.held.names[0]).relative_to(root)
    rows = list(csv.reader((looped / "generated.csv").read_text().splitlines()))
    rows[1][3] = str(held)
    with (looped / "generated.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    with pytest.raises(UsageError, match="which is none of the clips of"):
        load_generated(
            f"table:{looped / 'generated.csv'}", real, data=tiny_world.spec, hold=SETTINGS.hold, size=SIZE, frames=4
        )


def test_records_name_clips_as_the_table_does_and_no_folder_of_this_machine(whole_loop: tuple[Path, Augmented]) -> None:
    table = Path(whole_loop[1].pool.spec.removeprefix("table:")).read_text()
    listed = {row["path"] for row in csv.DictReader(table.splitlines())}
    for one in whole_loop[1].made:
        assert set(one.record.made_from) <= listed
    assert str(whole_loop[0]) not in "".join(path.read_text() for path in whole_loop[0].glob("clips/*.json"))


@pytest.mark.usefixtures("stand_ins")
def test_allocation_is_told_recall_that_few_clips_do_not_decide(
    looped: Path, tiny_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, real = list[Any](), room.allocate

    def heard(names: Any, counts: Any, recall: Any, size: int, **how: Any) -> Any:
        told.append((recall, [one.recall for one in how["rounds"]]))
        return real(names, counts, recall, size, **how)

    monkeypatch.setattr(room, "allocate", heard)
    found = tiny_world.loop(looped)
    clips = np.bincount(found.pool.held.labels, minlength=7).tolist()
    for heard_of, raw in ((told[0][0], found.recall), (told[2][1][1], found.rounds[1].recall)):
        right = [0 if n == 0 else round(share * n) for share, n in zip(raw, clips, strict=True)]
        assert heard_of == pytest.approx([slow.shrunk(r, n) for r, n in zip(right, clips, strict=True)])
    assert said(looped)["recall"] == [None if np.isnan(v) else v for v in found.recall], "raw in what is written"


@pytest.mark.parametrize(("right", "clips"), [(0, 0), (0, 1), (1, 1), (3, 7), (20, 20)])
def test_recall_is_shrunk_as_its_oracle_says(right: int, clips: int) -> None:
    recall = right / clips if clips else np.nan
    assert shrunk([recall], [clips])[0] == pytest.approx(slow.shrunk(right, clips))
