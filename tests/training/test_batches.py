from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mimica.data.augment import Augmentation
from mimica.data.clipset import ClipSet, Item
from mimica.data.files import load_files
from mimica.data.sampling import draws as sampling_draws
from mimica.data.sampling import places
from mimica.errors import InputError, UsageError
from mimica.labels import EXPRESSIONS
from mimica.training.batches import Batches

STILL = Augmentation(angle=0, scale=0, jitter=0, flip=0, gamma=0, blur=0, erase=0, motion=0)


def clips(count: list[int], T: int = 1, G: int = 1) -> ClipSet:
    """`count[c]` clips of class c; clip i has the shade i, and its frame t the shade i + t."""
    labels = np.repeat(np.arange(len(count)), count)
    frames = [np.full((T, 8, 8, G), i, np.uint8) + np.arange(T, dtype=np.uint8)[:, None, None, None] for i in labels]
    frames = [f + np.uint8(i - labels[i]) for i, f in enumerate(frames)]
    return ClipSet(frames=frames, labels=labels, names=[str(i) for i in range(len(labels))])


def epoch(data: Batches, number: int = 0) -> dict[str, torch.Tensor]:
    parts = list(data.batches(number))
    return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}


def chosen(batch: dict[str, torch.Tensor]) -> list[int]:
    """Which clip each entry is, by its shade."""
    return (batch["face"][:, 0, 0, 4, 4] * 255).round().int().tolist()


@pytest.mark.parametrize("G", [1, 3])
def test_a_batch_is_what_the_loop_and_the_towers_want(G: int) -> None:
    batch = next(Batches(clips([5, 5], G=G), batch=4, frames=3).batches(0))
    assert batch["face"].shape == (4, 3, 3, 8, 8)
    assert batch["valid"].shape == (4, 3)
    assert batch["label"].shape == batch["draw"].shape == (4,)
    assert batch["label"].dtype == torch.int64
    assert batch["valid"].dtype == torch.bool
    assert 0 <= batch["face"].min() <= batch["face"].max() <= 1 + 1e-5


def test_labels_go_with_their_faces() -> None:
    data = clips([9, 4, 7])
    batch = epoch(Batches(data, batch=5, balance=1.0, augmentation=STILL))
    assert batch["label"].tolist() == data.labels[chosen(batch)].tolist()


def test_an_epoch_without_balance_has_every_clip_once() -> None:
    batch = epoch(Batches(clips([9, 2, 5]), batch=4, balance=0.0, augmentation=STILL))
    assert sorted(chosen(batch)) == list(range(16))


def test_with_full_balance_every_class_comes_equally_often() -> None:
    data = Batches(clips([90, 6, 30]), batch=6, balance=1.0, augmentation=STILL)
    assert data.steps == 21
    assert epoch(data)["label"].bincount().tolist() == pytest.approx([42, 42, 42], abs=1)


@pytest.mark.parametrize("balance", [0.0, 0.25, 0.5, 1.0])
def test_classes_are_drawn_in_proportion_to_their_count_to_the_power_of_what_balance_leaves(balance: float) -> None:
    count = np.array([900, 60, 300])
    batch = epoch(Batches(clips(count.tolist()), batch=60, balance=balance, augmentation=STILL))
    wanted = count ** (1 - balance)
    assert (batch["label"].bincount() / 1260).tolist() == pytest.approx((wanted / wanted.sum()).tolist(), abs=0.01)


def test_a_class_that_is_absent_from_the_data_does_no_harm() -> None:
    assert epoch(Batches(clips([6, 0, 6]), batch=4, balance=1.0))["label"].bincount().tolist() == [6, 0, 6]


@pytest.mark.parametrize(
    ("per_epoch", "batch", "steps"), [(None, 5, 4), (30, 5, 6), (7, 5, 1), (2, 5, 1), (None, 50, 1)]
)
def test_an_epoch_has_as_many_whole_batches_as_were_asked_for(per_epoch: int | None, batch: int, steps: int) -> None:
    data = Batches(clips([12, 8]), batch=batch, per_epoch=per_epoch)
    assert data.steps == steps
    assert [len(part["label"]) for part in data.batches(0)] == [batch] * steps


@pytest.mark.parametrize("seed", [0, 2**22, 2**31])
def test_epochs_and_seeds_differ_and_the_same_ones_are_the_same(seed: int) -> None:
    def faces(seed: int, number: int) -> torch.Tensor:
        return epoch(Batches(clips([9, 9]), batch=6, seed=seed), number)["face"]

    assert torch.equal(faces(seed, 1), faces(seed, 1))
    assert not torch.equal(faces(seed, 1), faces(seed, 2))
    assert not torch.equal(faces(seed, 1), faces(seed + 1, 1))


@pytest.mark.parametrize("first", [0, 1, 3, 4, 5])
def test_the_batches_from_any_one_on_are_those_of_the_whole_epoch_and_no_other_is_computed(
    first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Batches(clips([9, 9]), batch=4, frames=2)
    whole = list(data.batches(2))
    computed: list[int] = []
    batch = Batches._batch

    def counted(self: Batches, chosen: np.ndarray, *rest: Any) -> dict[str, torch.Tensor]:
        computed.append(len(chosen))
        return batch(self, chosen, *rest)

    monkeypatch.setattr(Batches, "_batch", counted)
    rest = list(data.batches(2, first))
    assert len(computed) == len(rest) == max(0, 4 - first)
    for one, other in zip(rest, whole[first:], strict=True):
        assert all(torch.equal(one[key], other[key]) for key in other)


@pytest.mark.parametrize("seed", [0, 2**22, 2**31])
def test_order_differs_from_epoch_to_epoch(seed: int) -> None:
    data = Batches(clips([20, 20]), batch=8, seed=seed, augmentation=STILL)
    assert chosen(epoch(data, 0)) != chosen(epoch(data, 1))


def test_what_happens_to_a_clip_does_not_depend_on_how_an_epoch_is_split_into_batches() -> None:
    data = clips([12, 12])
    whole, split = (epoch(Batches(data, batch=b, frames=3, balance=0.0), 5) for b in (24, 4))
    for key in ("face", "valid", "label", "draw"):
        assert torch.equal(whole[key], split[key]) or torch.allclose(whole[key], split[key], atol=1e-6)


def test_what_happens_to_a_clip_does_not_depend_on_where_it_comes_in_an_epoch() -> None:
    data = Batches(clips([6, 6]), batch=4)
    first, turned = (data._batch(np.array(order), np.zeros(4, int), 3) for order in ([1, 5, 8, 2], [2, 8, 5, 1]))
    for key, value in first.items():
        assert torch.allclose(value.double(), turned[key].flip(0).double(), atol=1e-6)


def test_a_clip_that_comes_twice_in_an_epoch_is_drawn_anew() -> None:
    batch = epoch(Batches(clips([1, 1]), batch=8, balance=0.0, per_epoch=8))
    of_first = batch["face"][batch["label"] == 0]
    assert len(of_first) == 4
    assert len(batch["draw"].unique()) == 8


def test_a_still_is_repeated_and_a_clip_is_thinned_to_the_frames_asked_for() -> None:
    data = (Batches(clips([1, 0], T=T), batch=1, frames=4, augmentation=STILL) for T in (1, 3, 8))
    still, short, long = (epoch(one)["face"][0, :, 0, 4, 4] for one in data)
    assert (still * 255).round().tolist() == [0, 0, 0, 0]
    assert (short * 255).round().tolist() == [0, 1, 2, 2]
    assert (long * 255).round().tolist() == [0, 2, 4, 6]


def test_clips_of_all_lengths_are_learned_from_and_their_leading_frames_are_valid() -> None:
    valid = epoch(Batches(clips([400, 400]), batch=80, frames=8))["valid"]
    lengths = valid.sum(1)
    assert (valid == (torch.arange(8) < lengths[:, None])).all()
    assert set(lengths.tolist()) == set(range(1, 9))
    assert (lengths == 8).float().mean() > 0.25


# Which frames


@pytest.mark.parametrize("sampling", ["segment", "tsn8x2", "stride", "stride:2", "uniform", "last"])
def test_frames_of_a_clip_are_those_of_the_sampling_by_draws_of_seed_epoch_and_clip(sampling: str) -> None:
    data = clips([6, 6], T=40, G=3)
    for i, frames in enumerate(data.frames):
        frames[..., 1] = 10 * i  # type: ignore[index]
    how = {"frames": 8, "balance": 0.0, "seed": 5, "sampling": sampling, "augmentation": STILL}
    batch = epoch(Batches(data, batch=4, **how), 3)  # type: ignore[arg-type]
    shades = (batch["face"][:, :, :2, 4, 4] * 255).round().int().numpy()
    order = shades[:, 0, 1] // 10
    assert sorted(order) == list(range(12))
    u = sampling_draws(5, 3, order, 8)
    for i, read, v in zip(order, shades[..., 0], u, strict=True):
        assert (read - data.frames[i][0, 0, 0, 0] == places(sampling, 40, 8, v)).all()


def test_without_a_sampling_frames_are_evenly_spread_as_ever() -> None:
    data = clips([3, 3], T=20)
    plain, named = (epoch(Batches(data, batch=2, frames=6, **how)) for how in ({}, {"sampling": "uniform"}))  # type: ignore[arg-type]
    for key, value in plain.items():
        assert torch.equal(value, named[key])


def test_a_sampling_by_chance_differs_from_epoch_to_epoch_and_leaves_all_other_draws_as_they_are() -> None:
    def batches(sampling: str, number: int) -> dict[str, torch.Tensor]:
        return epoch(Batches(clips([9, 9], T=40), batch=6, frames=4, sampling=sampling), number)

    assert not torch.equal(batches("segment", 0)["face"], batches("segment", 1)["face"])
    for key in ("valid", "label", "draw"):
        assert torch.equal(batches("segment", 0)[key], batches("uniform", 0)[key])


def test_a_sampling_that_does_not_exist_is_met_with_the_choices() -> None:
    with pytest.raises(UsageError, match="unknown sampling 'segmented'; did you mean 'segment'"):
        Batches(clips([2, 2]), batch=2, sampling="segmented")


# Scenes beside faces


def scenes_beside(data: ClipSet, T: int) -> ClipSet:
    """The same clips, each with a scene of T frames whose frame t has the shade 100 + t."""
    scene = np.full((T, 8, 8, 3), 100, np.uint8) + np.arange(T, dtype=np.uint8)[:, None, None, None]
    scene[..., :4, :] += 50  # the left half
    return replace(data, scenes=[scene] * len(data))


def test_without_scenes_a_batch_has_none() -> None:
    assert "scene" not in next(Batches(clips([2, 2]), batch=2).batches(0))


@pytest.mark.parametrize("sampling", ["segment", "uniform"])
def test_scenes_are_of_the_same_frames_and_mirrored_as_their_faces_are(sampling: str) -> None:
    data = scenes_beside(clips([8, 8], T=30, G=3), 30)
    for face in data.frames:
        face[..., :4, :] += 50
    how = {"frames": 4, "balance": 0.0, "sampling": sampling, "augmentation": replace(STILL, flip=0.5)}
    batch = epoch(Batches(data, batch=4, **how))  # type: ignore[arg-type]
    assert batch["scene"].shape == batch["face"].shape
    face, scene = ((batch[view][:, :, 0, 4] * 255).round().int() for view in ("face", "scene"))
    assert (face - face[:, :1] == scene - scene[:, :1]).all()
    mirrored = face[:, 0, 0] < face[:, 0, 7]
    assert (mirrored == (scene[:, 0, 0] < scene[:, 0, 7])).all()
    assert 0 < mirrored.sum() < 16


def test_scenes_of_another_number_of_frames_are_read_at_the_same_shares_of_the_clip() -> None:
    batch = epoch(Batches(scenes_beside(clips([1, 0], T=10), 20), batch=1, frames=5, augmentation=STILL))
    assert (batch["face"][0, :, 0, 4, 4] * 255).round().int().tolist() == [0, 2, 4, 6, 8]
    assert (batch["scene"][0, :, 0, 4, 7] * 255).round().int().tolist() == [100, 104, 108, 112, 116]


def test_what_happens_to_a_face_alone_does_not_happen_to_its_scene() -> None:
    data = scenes_beside(clips([4, 4], T=6, G=3), 6)
    plain, covered = (
        epoch(Batches(data, batch=4, frames=3, augmentation=replace(STILL, cover=cover))) for cover in (0.0, 1.0)
    )
    assert torch.equal(plain["scene"], covered["scene"])
    assert not torch.equal(plain["face"], covered["face"])


# Ahead, and from files


@pytest.mark.parametrize("ahead", [1, 2, 5])
@pytest.mark.parametrize("first", [0, 3])
def test_batches_that_are_prepared_ahead_are_the_same_to_the_byte_and_in_the_same_order(ahead: int, first: int) -> None:
    how = {"batch": 4, "frames": 3, "sampling": "segment", "augmentation": Augmentation(blur=0.5, cover=0.5)}
    data = scenes_beside(clips([12, 12], T=9), 9)
    one, other = (list(Batches(data, ahead=n, **how).batches(1, first)) for n in (0, ahead))  # type: ignore[arg-type]
    assert len(one) == len(other) == 6 - first
    for a, b in zip(one, other, strict=True):
        assert a.keys() == b.keys()
        assert all(torch.equal(a[key], b[key]) for key in a)


def test_threads_that_prepare_batches_end_with_the_consumer() -> None:
    before = threading.active_count()
    rest = Batches(clips([40, 40]), batch=4, ahead=3).batches(0)
    next(rest)
    assert before < threading.active_count() <= before + 3
    del rest
    assert threading.active_count() == before


@pytest.fixture
def folders(tmp_path: Path) -> list[Item]:
    """Six clips of nine pictures each."""
    random = np.random.default_rng(0)
    for clip in range(6):
        (tmp_path / f"{clip}").mkdir()
        for t in range(9):
            picture = Image.fromarray(random.integers(0, 256, (16, 16, 3), dtype=np.uint8))
            picture.save(tmp_path / f"{clip}" / f"{t}.png")
    return [Item(path=tmp_path / f"{clip}", label=clip % 2) for clip in range(6)]


@pytest.mark.parametrize("ahead", [0, 2])
def test_clips_in_files_give_the_very_batches_of_clips_in_memory(folders: list[Item], ahead: int) -> None:
    one, other = (
        load_files(folders, size=8, frames=None, space=EXPRESSIONS, origin="test", stored=stored)
        for stored in (False, True)
    )
    batches = (Batches(data, batch=2, frames=4, sampling="segment", ahead=ahead) for data in (one, other))
    memory, files = (epoch(data, 2) for data in batches)
    assert all(torch.equal(memory[key], files[key]) for key in memory)


@pytest.mark.parametrize("ahead", [0, 2])
def test_a_clip_that_breaks_in_the_middle_of_training_is_a_sentence_that_names_it(
    folders: list[Item], ahead: int
) -> None:
    data = load_files(folders, size=8, frames=None, space=EXPRESSIONS, origin="test", stored=True)
    batches = Batches(data, batch=1, frames=9, balance=0.0, sampling="segment", ahead=ahead).batches(0)
    got = [next(batches), next(batches)]
    for t in range(9):
        (folders[3].path / f"{t}.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=rf"^{folders[3].path}.*[0-8]\.png is not a picture that can be read; mend"):
        got += batches
    assert len(got) < 6
