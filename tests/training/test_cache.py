"""What a cache is filled with, how large it is said to be, and that a killed run makes only what is missing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mimica.clips import ClipBatch
from mimica.data.augment import Augmentation
from mimica.data.clipset import ClipSet
from mimica.data.stored import digest_of
from mimica.encoders.cache import Cache
from mimica.encoders.towers import DualEncoder
from mimica.errors import CheckpointError, UsageError
from mimica.recognition.ous.model import Ous
from mimica.training import cache as making
from mimica.training.batches import Batches
from mimica.training.cache import fill, network_of, numbers_of, size_of
from tiny_scenes import clips, recipe

pytestmark = pytest.mark.usefixtures("minilm")
HERE = Path(__file__).parent
STRONG = Augmentation(crop=(0.5, 1.0), brightness=0.4)


def digests(of: ClipSet) -> list[str]:
    return [digest_of(of, i) for i in range(len(of))]


def as_batch(network: Ous, face: Any, scene: Any) -> ClipBatch:
    """One clip as the tower wants it, whether its pictures are uint8 [T, S, S, 3] or floats [T, 3, S, S]."""
    views = [v if isinstance(v, torch.Tensor) else torch.from_numpy(v).permute(0, 3, 1, 2) / 255 for v in (face, scene)]
    faces, scenes = (network.vision.normalise(view)[None] for view in views)
    return ClipBatch(face=faces, scene=scenes, valid=torch.ones(faces.shape[:2], dtype=torch.bool))


@pytest.mark.parametrize("name", ["ous", "ous-paper", "ous-repo"])
def test_a_clip_is_kept_as_the_network_encodes_every_frame_that_test_reads(
    tmp_path: Path, tiny_dual: DualEncoder, name: str
) -> None:
    how, given = recipe(name), clips(7)
    cache, network = fill(tmp_path / "cache", how, tiny_dual, given, precision="fp32"), None
    network = network_of(how, tiny_dual, given)
    for i, digest in enumerate(digests(given)):
        assert given.scenes is not None
        with torch.inference_mode():
            seen = network.encode(as_batch(network, given.frames[i], given.scenes[i]))
        row = cache.row(None, digest)
        assert row.keys() == {"faces", "scenes"} | ({"early"} if network.polarity is not None else set())
        for part, found in row.items():
            assert torch.allclose(found, getattr(seen, part)[0], atol=1e-4), part


def test_a_view_is_what_training_would_draw_of_the_clip_in_the_epoch_of_its_number(
    tmp_path: Path, tiny_dual: DualEncoder
) -> None:
    how, given = (
        replace(recipe(), augmentation=STRONG, sampling="segment", loop=replace(recipe().loop, seed=4)),
        clips(5),
    )
    cache = fill(tmp_path / "cache", how, tiny_dual, given, precision="fp32", views=2)
    network, there = network_of(how, tiny_dual, given), digests(given)
    drawn = Batches(
        given, batch=1, frames=3, seed=4, augmentation=STRONG, sampling="segment", numbers=numbers_of(there)
    )
    for view in range(2):
        for i, digest in enumerate(there):
            shown = drawn.views(np.array([i]), view)
            with torch.inference_mode():
                seen = network.encode(as_batch(network, shown["face"][0], shown["scene"][0]))
            assert torch.allclose(cache.row(view, digest)["faces"], seen.faces[0], atol=1e-4)
            assert torch.allclose(cache.row(view, digest)["scenes"], seen.scenes[0], atol=1e-4)


def test_views_differ_from_one_another_and_from_the_clip_as_it_is_and_come_again_the_same(
    tmp_path: Path, tiny_dual: DualEncoder
) -> None:
    how, given = replace(recipe(), augmentation=STRONG), clips(6)
    one = fill(tmp_path / "one", how, tiny_dual, given, precision="fp32", views=2)
    backwards = given.taken(range(len(given))[::-1])
    other = fill(tmp_path / "other", how, tiny_dual, backwards, precision="fp32", views=2)
    seeded = replace(how, loop=replace(how.loop, seed=1))
    third = fill(tmp_path / "third", seeded, tiny_dual, given, precision="fp32", views=1)
    for digest in digests(given):
        first, second = one.row(0, digest)["faces"], one.row(1, digest)["faces"]
        assert not torch.allclose(first, second, atol=1e-3)
        assert not torch.allclose(first, one.row(None, digest)["faces"][:1], atol=1e-3)
        assert torch.allclose(first, other.row(0, digest)["faces"], atol=1e-5), "whichever clips it is among"
        assert not torch.allclose(first, third.row(0, digest)["faces"], atol=1e-3)


def test_views_that_are_asked_for_later_are_added_to_what_is_there(tmp_path: Path, tiny_dual: DualEncoder) -> None:
    how, given = replace(recipe(), augmentation=STRONG), clips(5)
    at_once = fill(tmp_path / "once", how, tiny_dual, given, views=2)
    fill(tmp_path / "later", how, tiny_dual, given)
    before = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "later").glob("*.safetensors")}
    fill(tmp_path / "later", how, tiny_dual, given, views=2)
    files = {file.name: file.read_bytes() for file in (tmp_path / "later").iterdir()}
    assert files == {file.name: file.read_bytes() for file in at_once.path.iterdir()}
    assert all((tmp_path / "later" / name).stat().st_mtime_ns == then for name, then in before.items())


def test_clips_that_are_new_or_changed_are_added_and_no_other_is_seen_again(
    tmp_path: Path, tiny_dual: DualEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, told = clips(6), list[tuple[int, int]]()
    fill(tmp_path / "cache", recipe(), tiny_dual, given.taken(range(4)))
    assert given.scenes is not None
    given.scenes[1][0, 0, 0, 0] ^= 1  # type: ignore[index]
    seen = list[int]()
    encode = Ous.encode
    monkeypatch.setattr(Ous, "encode", lambda self, batch: seen.append(len(batch.valid)) or encode(self, batch))
    cache = fill(tmp_path / "cache", recipe(), tiny_dual, given, progress=lambda *done: told.append(done))
    assert sum(seen) == 3, "two new ones, and the one whose scene is another"
    assert told[0] == (3, 6)
    assert told[-1] == (6, 6)
    assert all(cache.holds(None, digest) for digest in digests(given))


def test_equal_clips_are_encoded_once(tmp_path: Path, tiny_dual: DualEncoder) -> None:
    told = list[tuple[int, int]]()
    fill(tmp_path / "cache", recipe(), tiny_dual, clips(5).taken([0, 1, 0, 2, 1]), progress=lambda *d: told.append(d))
    assert told[-1] == (3, 3)


def test_the_size_that_is_predicted_is_what_full_clips_take(tmp_path: Path, tiny_dual: DualEncoder) -> None:
    how, given = replace(recipe(), sampling="segment", augmentation=STRONG), clips(20)
    for precision in ("fp16", "fp32"):
        cache = fill(tmp_path / precision, how, tiny_dual, given, precision=precision, views=1)
        size = size_of(how, network_of(how, tiny_dual, given), precision=precision, views=1)
        rows = [cache.row(view, digest) for view in (None, 0) for digest in digests(given)]
        assert sum(part.nbytes for row in rows for part in row.values()) == 20 * size.clip
        there = sum(file.stat().st_size for file in cache.path.glob("*.safetensors"))
        assert 0 < there - 20 * size.clip < 250 * 40, "and a line for each clip in each view"


def test_a_disk_without_room_is_told_of_before_the_work(
    tmp_path: Path, tiny_dual: DualEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("Usage", (), {"free": 10})())
    monkeypatch.setattr(Ous, "encode", None)
    with pytest.raises(
        UsageError, match=r"needs 0.0 GB more at most and its disk has 0.0 GB left; choose another --out"
    ):
        fill(tmp_path / "cache", recipe(), tiny_dual, clips(5))


@pytest.mark.parametrize("name", ["duse", "linear-probe", "zero-shot"])
def test_a_method_whose_frames_have_no_frozen_part_is_refused(tiny_dual: DualEncoder, name: str) -> None:
    from mimica.training.recipes import recipe_of

    with pytest.raises(UsageError, match=f"{name} has no features that could be kept; a cache is for a method that"):
        network_of(recipe_of(name), tiny_dual, clips(3))


def test_clips_without_scenes_are_refused(tmp_path: Path, tiny_dual: DualEncoder) -> None:
    with pytest.raises(UsageError, match="ous reads the scene beside each face, and the clips of noise have none"):
        fill(tmp_path / "cache", recipe(), tiny_dual, replace(clips(3), scenes=None))


def test_another_encoder_or_recipe_does_not_go_on_with_a_cache(tmp_path: Path, tiny_dual: DualEncoder) -> None:
    fill(tmp_path / "cache", recipe(), tiny_dual, clips(3), views=1)
    for encoder, how, said in (
        (replace(tiny_dual, identity="0" * 64), recipe(), "another encoder"),
        (tiny_dual, replace(recipe(), sampling="last"), "another sampling"),
        (tiny_dual, replace(recipe(), augmentation=STRONG), "another augmentation"),
        (tiny_dual, recipe("ous-repo"), "another first layers"),
    ):
        with pytest.raises(CheckpointError, match=f"was made with {said}.*; give the same again to go on with it"):
            fill(tmp_path / "cache", how, encoder, clips(3), views=1)


def test_a_shard_that_cannot_be_written_leaves_those_before_it(
    tmp_path: Path, tiny_dual: DualEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "SHARD", 2)
    monkeypatch.setattr(making, "_TOGETHER", 2)
    add, shards = Cache.add, list[int]()

    def failing(self: Cache, *what: Any) -> None:
        shards.append(1)
        if len(shards) == 2:
            raise CheckpointError("cannot write: no space left")
        add(self, *what)

    with monkeypatch.context() as patch:
        patch.setattr(Cache, "add", failing)
        with pytest.raises(CheckpointError, match="no space left"):
            fill(tmp_path / "cache", recipe(), tiny_dual, clips(6))
    there = Cache.opened(tmp_path / "cache")
    assert [there.holds(None, digest) for digest in digests(clips(6))] == [True, True, False, False, False, False]
    whole = fill(tmp_path / "whole", recipe(), tiny_dual, clips(6))
    fill(tmp_path / "cache", recipe(), tiny_dual, clips(6))
    names = [sorted(file.name for file in folder.iterdir()) for folder in (whole.path, there.path)]
    assert names[0] == names[1]


# Killed by SIGKILL, which no program can catch, at moments drawn by a seed


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What became of all runs; one process loads the libraries and forks the others."""
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")
    path = os.pathsep.join([str(HERE.parent), *sys.path])
    done = subprocess.run(
        [sys.executable, str(HERE / "killed_caches.py"), str(tmp_path_factory.mktemp("killed"))],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_caches_that_were_killed_and_gone_on_with_are_to_the_byte_one_left_alone(told: dict[str, Any]) -> None:
    assert len(told["runs"]) == 8
    assert len(told["whole"]["files"]) == 1 + 2 * 4
    for run in told["runs"]:
        killed, last = run["ends"]
        assert killed["signal"] == signal.SIGKILL
        assert last["files"] == told["whole"]["files"], run["moment"]


def test_a_killed_cache_holds_whole_shards_and_only_what_is_missing_is_made(told: dict[str, Any]) -> None:
    for run in told["runs"]:
        killed, last = run["ends"]
        kept = {name for name in killed["files"] if name.endswith(".safetensors")}
        assert all(killed["files"][name] == told["whole"]["files"][name] for name in kept), run["moment"]
        # Seven clips in two views are shards of 2, 2, 2 and 1 twice; the last of each view holds one.
        assert 14 - 2 * len(kept) <= last["shown"] <= 14 - 2 * len(kept) + 2, run["moment"]
    assert len({len(run["ends"][0]["files"]) for run in told["runs"]}) > 2, "moments early and late"
    assert told["again"]["shown"] == 0
