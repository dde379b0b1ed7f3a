"""Clips of a loop judged again, and audited with leaks planted."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mimica.data.clipset import load
from mimica.data.pictures import digest_of_folder, read_frames, save_frames
from mimica.errors import InputError, UsageError
from mimica.generation import making
from mimica.generation.augment import Augmented
from mimica.generation.knowledge import hidden
from mimica.generation.loop_settings import FilterSettings
from mimica.generation.pool import digest
from mimica.generation.provenance import Provenance, read_provenance
from mimica.generation.refilter import audited, read_loop, refilter
from tiny_loop import KEPT, SETTINGS, World, fewer
from tiny_runs import Killed

NONE = FilterSettings(probability=1.0)


def rows(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((out / "generated.csv").read_text().splitlines()))


def consistent(out: Path) -> None:
    """Table, records and loop.json say the same of every clip."""
    told = json.loads((out / "loop.json").read_text())
    records = {clip["clip"]: read_provenance((out / clip["clip"]).with_suffix(".json")) for clip in told["clips"]}
    for clip in told["clips"]:
        record = records[clip["clip"]]
        assert (record.kept, list(record.reasons)) == (clip["kept"], clip["reasons"])
    kept = [record for record in records.values() if record.kept]
    assert [row["path"] for row in rows(out)] == [record.clip for record in kept]
    for row, record in zip(rows(out), kept, strict=True):
        assert [float(row[name]) for name in told["classes"]] == pytest.approx(list(record.soft_label), abs=1e-6)
    for number, one in enumerate(told["rounds"]):
        own = [clip for clip in told["clips"] if clip["round"] == number]
        assert one["accepted"] == [sum(c["kept"] for c in own if c["label"] == name) for name in told["classes"]]
        assert sum(one["asked"]) == len(own)


def test_bounds_that_keep_none_and_then_all_are_written_everywhere(
    looped: Path, whole_loop: tuple[Path, Augmented]
) -> None:
    clips = len(whole_loop[1].made)
    kept, judged, reasons = refilter(looped, NONE)
    assert (kept, judged) == (0, clips)
    assert reasons["recognisers give its class"] == clips
    assert rows(looped) == []
    consistent(looped)
    assert refilter(looped, KEPT) == (clips, clips, {})
    consistent(looped)
    assert (looped / "generated.csv").read_bytes() == (whole_loop[0] / "generated.csv").read_bytes()
    assert json.loads((looped / "loop.json").read_text()) == json.loads((whole_loop[0] / "loop.json").read_text())


def test_bounds_in_between_keep_those_that_are_within(looped: Path, whole_loop: tuple[Path, Augmented]) -> None:
    found = sorted(float(one.record.scores["identity"] or 0) for one in whole_loop[1].made)
    middle = found[len(found) // 2]
    kept, _, _ = refilter(looped, replace(KEPT, identity=middle))
    assert kept == sum(value >= middle for value in found)
    assert 0 < kept < len(found)
    consistent(looped)


@pytest.mark.usefixtures("stand_ins")
def test_the_loop_goes_on_with_the_bounds_that_clips_were_judged_by_again(
    looped: Path, whole_loop: tuple[Path, Augmented], tiny_world: World
) -> None:
    refilter(looped, NONE)
    with pytest.raises(UsageError, match=r"probability 1\.0, not 0\.0"):
        tiny_world.loop(looped)
    found = tiny_world.loop(looped, filtering=NONE)
    assert not found.kept
    assert {one.wanted for one in found.made} >= {one.wanted for one in whole_loop[1].made[:4]}
    assert all(one.record.label == one.wanted.label for one in found.made)
    consistent(looped)
    assert refilter(looped, NONE)[0] == 0
    consistent(looped)


@pytest.mark.usefixtures("stand_ins")
def test_clips_judged_again_by_the_same_bounds_are_judged_alike(tmp_path: Path, tiny_world: World) -> None:
    seen = tiny_world.loop(tmp_path / "all", replace(SETTINGS, rounds=1)).made
    exact = float(np.median([one.record.scores["consistency"] or 0.0 for one in seen]))
    bounds = replace(KEPT, consistency=exact)
    tiny_world.loop(tmp_path / "o", replace(SETTINGS, rounds=1), filtering=bounds)
    before = {path: path.read_bytes() for path in (tmp_path / "o").rglob("*") if path.is_file()}
    refilter(tmp_path / "o", bounds)
    assert {path for path, data in before.items() if path.read_bytes() != data} == set()


def test_a_folder_that_lies_elsewhere_than_its_data_is_judged_too(looped: Path) -> None:
    told = json.loads((looped / "loop.json").read_text())
    told["data"]["spec"] = "table:nowhere/clips.csv"
    (looped / "loop.json").write_text(json.dumps(told))
    before = rows(looped)
    refilter(looped, KEPT)
    assert rows(looped) == before


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"clips": [], "rounds": []}', '{"clips": 1, "rounds": []}'])
def test_what_is_no_loop_is_refused_by_name(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*loop\.json: No such file.*mimica augment --data"):
        read_loop(tmp_path)
    (tmp_path / "loop.json").write_text(text)
    with pytest.raises(InputError, match=r"loop\.json is not what mimica augment writes"):
        read_loop(tmp_path)


def test_a_record_that_is_gone_or_damaged_is_named_and_nothing_is_changed(looped: Path) -> None:
    record = looped / "clips" / "fear-0000.json"
    record.write_text("{")
    before = {path: path.read_bytes() for path in looped.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=r"fear-0000\.json"):
        refilter(looped, NONE)
    assert {path: path.read_bytes() for path in looped.rglob("*") if path.is_file()} == before
    record.unlink()
    with pytest.raises(InputError, match=r"fear-0000\.json: .*No such file"):
        refilter(looped, NONE)


@pytest.mark.usefixtures("stand_ins")
def test_a_loop_is_found_clean_by_people_pictures_files_and_likeness(looped: Path, tiny_world: World) -> None:
    found = audited(looped, tiny_world.spec)
    assert found.leaks == ()
    assert found.ways == ("people", "pictures", "part", "files", "frames", "likeness")
    assert "nothing of validation or test" in found.sentence()


def changed(record: Path, **facts: Any) -> None:
    replace(read_provenance(record), **facts).write(record)


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("part", ["held", "test"])
def test_stills_of_people_held_out_are_found(
    part: str, looped: Path, whole_loop: tuple[Path, Augmented], tiny_world: World
) -> None:
    pool = whole_loop[1].pool
    clips = pool.held if part == "held" else load(tiny_world.spec, part="test", size=16, frames=None)
    assert clips.groups is not None
    changed(looped / "clips" / "fear-0000.json", person=hidden(clips.groups[0]))
    changed(looped / "clips" / "fear-0001.json", still_sha256=digest(np.asarray(clips.frames[1][3])))
    found = audited(looped, tiny_world.spec)
    assert [leak.clip for leak in found.leaks] == ["clips/fear-0000", "clips/fear-0001"]
    assert "its still shows" in found.leaks[0].what
    assert "its still is held back" in found.leaks[1].what


@pytest.mark.usefixtures("stand_ins")
def test_a_file_that_was_changed_or_is_gone_is_found(looped: Path, tiny_world: World) -> None:
    first, second = (looped / "clips" / f"fear-000{i}" for i in range(2))
    (first / "frame_0000.png").write_bytes((first / "frame_0001.png").read_bytes())
    found = audited(looped, tiny_world.spec)
    assert [(leak.clip, leak.what) for leak in found.leaks] == [("clips/fear-0000", "its file is not the one recorded")]
    shutil.rmtree(second)
    found = audited(looped, tiny_world.spec)
    assert ("clips/fear-0001", "its file is not there") in [(leak.clip, leak.what) for leak in found.leaks]
    assert not found.clean


@pytest.mark.usefixtures("stand_ins")
def test_a_clip_of_validation_that_was_copied_in_is_found_by_likeness(
    looped: Path, whole_loop: tuple[Path, Augmented], tiny_world: World
) -> None:
    folder = looped / "clips" / "fear-0000"
    save_frames(folder, np.asarray(whole_loop[1].pool.held.frames[2][:]), "a clip")
    changed(folder.with_suffix(".json"), sha256=digest_of_folder(folder))
    *frames, leak = audited(looped, tiny_world.spec).leaks
    assert leak.clip == "clips/fear-0000"
    assert leak.what.startswith("it is like clip 2 held back, cosine 1.0")
    assert [one.what.split(",")[0] for one in frames] == [f"its frame {t} is a picture held back" for t in range(9)]


@pytest.mark.usefixtures("stand_ins")
def test_one_picture_of_a_test_clip_in_a_generated_clip_is_found(looped: Path, tiny_world: World) -> None:
    folder = looped / "clips" / "fear-0000"
    frames = read_frames(folder)
    frames[4] = load(tiny_world.spec, part="test", size=16, frames=None).frames[3][5]
    save_frames(folder, frames, "a clip")
    changed(folder.with_suffix(".json"), sha256=digest_of_folder(folder))
    (leak,) = audited(looped, tiny_world.spec).leaks
    assert leak.clip == "clips/fear-0000"
    assert leak.what.startswith("its frame 4 is a picture held back, sha256 ")


@pytest.mark.usefixtures("stand_ins")
def test_judging_again_that_was_stopped_halfway_is_undone_by_the_loop_and_done_by_the_same_again(
    looped: Path, whole_loop: tuple[Path, Augmented], tiny_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = Provenance.write, list[int]()

    def deadly(*given: Any) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise Killed
        real(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Provenance, "write", deadly)
        with pytest.raises(Killed):
            refilter(looped, NONE)
    tiny_world.loop(looped)
    consistent(looped)
    assert (looped / "generated.csv").read_bytes() == (whole_loop[0] / "generated.csv").read_bytes()
    assert refilter(looped, NONE)[0] == 0
    consistent(looped)


@pytest.mark.usefixtures("stand_ins")
def test_a_picture_that_cannot_be_read_is_named(looped: Path, tiny_world: World) -> None:
    (looped / "clips" / "fear-0000" / "frame_0002.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"cannot read the pictures of .*fear-0000"):
        audited(looped, tiny_world.spec)


@pytest.mark.usefixtures("stand_ins")
def test_an_audit_against_other_data_is_refused(
    looped: Path, whole_loop: tuple[Path, Augmented], tiny_world: World, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"looped was not made from table:.*fewer.*; name that with --data"):
        audited(looped, fewer(tiny_world, tmp_path, whole_loop[1].pool.named(0)).spec)


@pytest.mark.usefixtures("stand_ins")
def test_a_loop_with_nothing_made_has_nothing_to_judge(
    tiny_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deadly(*_: Any, **__: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(making, "sample", deadly)
    with pytest.raises(UsageError, match="need more memory"):
        tiny_world.loop(tmp_path)
    with pytest.raises(InputError, match="holds no clip to judge; run the loop first"):
        refilter(tmp_path, NONE)
    assert audited(tmp_path, tiny_world.spec).clean
