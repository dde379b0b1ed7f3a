from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mimica.errors import InputError, UsageError
from mimica.facs import PRIOR_CORES
from mimica.generation import making
from mimica.generation.augment import Augmented
from mimica.generation.making import Maker, Wanted, prototype
from mimica.generation.provenance import read_provenance
from tiny_loop import World

pytestmark = pytest.mark.usefixtures("stand_ins")
FEAR, ANGER = Wanted(label="fear", number=3), Wanted(label="anger", number=1)


def maker(world: World, out: Path) -> Maker:
    return world.ready(out).maker


def noise(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """The noise of each call of the sampler from now on."""
    heard, real = list[torch.Tensor](), making.sample

    def listening(policy: Any, condition: Any, first: torch.Tensor, **how: Any) -> torch.Tensor:
        heard.append(first.clone())
        return real(policy, condition, first, **how)

    monkeypatch.setattr(making, "sample", listening)
    return heard


def test_noise_plan_still_and_words_of_a_clip_do_not_depend_on_those_beside_it(
    tiny_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = noise(monkeypatch)
    alone = maker(tiny_world, tmp_path / "a")([FEAR])
    beside = maker(tiny_world, tmp_path / "b")([ANGER, Wanted(label="fear", number=4), FEAR])
    assert torch.equal(heard[0][0], heard[1][2])
    assert not torch.equal(heard[1][1], heard[1][2])
    one, other = alone[0].record, beside[2].record
    for name in ("plan", "prompt", "still_sha256", "person", "made_from", "seed"):
        assert getattr(one, name) == getattr(other, name)
    assert alone[0].frames.astype(int) == pytest.approx(beside[2].frames.astype(int), abs=1)


def test_another_seed_is_another_plan_still_or_noise(
    tiny_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, own = noise(monkeypatch), maker(tiny_world, tmp_path / "a")
    own([FEAR])
    other = replace(own, out=tmp_path / "b", seed=1)
    other([FEAR])
    assert not torch.equal(heard[0], heard[1])
    assert own.planned(FEAR) != other.planned(FEAR)


def test_what_is_made_is_what_is_read(tiny_world: World, tmp_path: Path) -> None:
    own = maker(tiny_world, tmp_path)
    (made,) = own([FEAR])
    assert made.frames.shape == (9, 16, 16, 3)
    assert made.frames.dtype == np.uint8
    assert made.planned.shape == made.measured.shape == (9, 17)
    assert made.planned == pytest.approx(own.planned(FEAR).curves(), abs=2e-3)
    (again,) = own([FEAR])
    assert np.array_equal(made.frames, again.frames)
    assert (made.record, made.wanted) == (again.record, again.wanted)


def test_a_record_states_all_that_a_clip_came_of(tiny_world: World, tmp_path: Path) -> None:
    own = maker(tiny_world, tmp_path)
    (made,) = own([Wanted(label="fear", number=2, round=1)])
    record, still = made.record, own.pool.still("fear", 2, 0)
    assert (record.label, record.round, record.steps, record.seed) == ("fear", 1, 2, 0)
    assert (record.still_sha256, record.still_part) == (still.sha256, "train")
    assert record.made_from[0] == own.pool.named(still.place)
    assert record.generator == json.loads(json.dumps(own.state))
    assert record.sampling["guidance"]["weight"] == 2.0
    assert len(record.probabilities) == 7
    assert sum(record.probabilities) == pytest.approx(1, abs=1e-5)
    assert record.passed
    assert record.seconds > 0
    assert record == read_provenance(own.folder(made.wanted).with_suffix(".json"))
    assert {"units", "identity", "consistency", "probability", "nearest", "reward_units"} <= record.scores.keys()


def test_without_knowledge_a_plan_is_the_prototype_at_full_strength(tiny_world: World, tmp_path: Path) -> None:
    own = maker(tiny_world, tmp_path)
    plain = replace(own, aligned=False).planned(FEAR)
    assert dict(plain.strengths) == dict.fromkeys(PRIOR_CORES["fear"], 1.0)
    assert dict(own.planned(FEAR).strengths) != dict(plain.strengths)
    assert set(plain.motions) == set(plain.strengths)
    neutral = own.planned(Wanted(label="neutral", number=0))
    assert prototype(neutral).strengths == neutral.strengths


SHORT = [MemoryError(), torch.OutOfMemoryError("CUDA out of memory"),
         RuntimeError("DefaultCPUAllocator: can't allocate memory")]  # fmt: skip


@pytest.mark.parametrize("error", SHORT, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["sampler", "inspector"])
def test_memory_that_runs_out_is_a_sentence_that_names_a_smaller_batch(
    error: Exception, where: str, tiny_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*_: Any, **__: Any) -> Any:
        raise error

    own = maker(tiny_world, tmp_path)
    own([ANGER])
    if where == "sampler":
        monkeypatch.setattr(making, "sample", short)
    else:
        own = replace(own, inspector=short)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"^2 clips of 9 frames need more memory.*--batch 1; clips that are finished"):
        own([ANGER, FEAR, Wanted(label="fear", number=4)])
    with pytest.raises(UsageError, match="--batch 1, of fewer --frames"):
        own([FEAR])
    assert sorted(path.name for path in (tmp_path / "clips").iterdir()) == [
        "anger-0001", "anger-0001.json", "anger-0001.mp4",
    ]  # fmt: skip


def test_another_error_of_a_generator_is_not_taken_for_memory(
    tiny_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(making, "sample", broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        maker(tiny_world, tmp_path)([FEAR])


def test_a_full_disk_is_a_sentence_and_the_clips_before_it_are_kept(
    tiny_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = making.save_frames, list[Path]()

    def full(folder: Path, *given: Any) -> None:
        calls.append(folder)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(folder, *given)

    monkeypatch.setattr(making, "save_frames", full)
    own = maker(tiny_world, tmp_path)
    with pytest.raises(InputError, match=r"cannot write .*fear-0003: No space left on device; make room"):
        own([ANGER, FEAR])
    assert own.folder(ANGER).with_suffix(".json").is_file()
    assert not own.folder(FEAR).exists()
    assert [one.record.label for one in own([ANGER, FEAR])] == ["anger", "fear"]
    assert len(calls) == 3


def test_a_disk_that_is_full_at_the_video_is_no_other_case(
    tiny_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise UsageError("cannot write clips/fear-0003.mp4: No space left on device")

    own = maker(tiny_world, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(making, "film", full)
        with pytest.raises(InputError, match=r"^cannot write clips/fear-0003\.mp4: No space left on device; make room"):
            own([FEAR])
    assert not own.folder(FEAR).with_suffix(".json").exists()
    assert own([FEAR])


def test_clips_of_a_whole_loop_were_made_from_other_people_than_are_measured_on(
    whole_loop: tuple[Path, Augmented],
) -> None:
    pool = whole_loop[1].pool
    for one in whole_loop[1].made:
        assert one.record.person not in pool.barred.people
        assert not set(one.record.exemplars) & pool.barred.people
        assert one.record.still_sha256 not in pool.barred.digests
