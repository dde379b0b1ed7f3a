from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mimica.data.clipset import load
from mimica.errors import InputError, UsageError
from mimica.generation.augment import Augmented
from mimica.generation.knowledge import hidden
from mimica.generation.pool import Pool, barred, digest, measured_on, read_pool, resampled, tensor_of
from tiny_loop import SIZE, Rows, World, altered


@pytest.fixture(scope="module")
def pool(whole_loop: tuple[Path, Augmented]) -> Pool:
    return whole_loop[1].pool


def test_clips_to_learn_from_and_to_validate_with_share_nobody(pool: Pool) -> None:
    assert pool.train.groups is not None
    assert pool.held.groups is not None
    assert not set(pool.train.groups) & set(pool.held.groups)
    assert pool.people == tuple(pool.train.groups)
    assert len(pool.curves) == len(pool.train) == sum(pool.counts)
    names = [row["path"] for row in csv.DictReader(Path(pool.spec.removeprefix("table:")).read_text().splitlines())]
    rows = [pool.named(i) for i in range(len(pool.train))]
    assert set(rows) < set(names)


def test_what_is_barred_is_everyone_and_every_picture_that_is_measured_on(pool: Pool) -> None:
    test = load(pool.spec, part="test", size=SIZE, frames=None)
    assert test.groups is not None
    assert {hidden(one) for one in test.groups} < pool.barred.people
    assert {hidden(one) for one in pool.held.groups or ()} < pool.barred.people
    assert digest(np.asarray(test.frames[3][4])) in pool.barred.digests
    assert digest(np.asarray(pool.held.frames[0][0])) in pool.barred.digests
    assert digest(np.asarray(pool.train.frames[0][0])) not in pool.barred.digests
    assert barred(measured_on(pool.spec, pool.held, SIZE)) == pool.barred


def test_no_part_but_train_is_left_to_make_clips_from(pool: Pool, tmp_path: Path) -> None:
    def calibrated(rows: Rows) -> Rows:
        tested = [i for i, row in enumerate(rows) if row["part"] == "test"]
        other = dict.fromkeys(tested[::3], "validation") | dict.fromkeys(tested[1::3], "calibration")
        return [row | ({"part": other[i]} if i in other else {}) for i, row in enumerate(rows)]

    world = World(spec=pool.spec, model=tmp_path)
    spec = altered(world, tmp_path, calibrated)
    parts = [of.manifest["origin"] for of in measured_on(spec, pool.held, SIZE)[1:]]
    assert [str(part).split()[-1] for part in parts] == ["calibration", "test"]


def test_a_digest_is_of_pixels_and_shape() -> None:
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert digest(picture) == digest(np.asfortranarray(picture))
    assert len({digest(picture), digest(picture.reshape(2, 8, 3)), digest(picture + 1)}) == 3


@pytest.mark.parametrize("label", ["fear", "happiness", "surprise"])
def test_stills_show_faces_at_rest_of_other_classes_and_nobody_measured_on(pool: Pool, label: str) -> None:
    own = pool.train.space.index(label)
    stills = [pool.still(label, number, 0) for number in range(40)]
    for one in stills:
        assert pool.train.labels[one.place] != own
        assert hidden(one.person) not in pool.barred.people
        assert one.sha256 not in pool.barred.digests
        frames = [i for i in range(9) if (np.asarray(pool.train.frames[one.place][i]) == one.image).all()]
        assert min(np.nan_to_num(pool.curves[one.place]).max(1)[frames]) < 0.1
    assert len({one.place for one in stills}) > 3
    assert [pool.still(label, n, 0).place for n in range(40)] == [one.place for one in stills]
    assert [pool.still(label, n, 1).place for n in range(40)] != [one.place for one in stills]


def test_a_person_who_is_measured_on_too_gives_no_still_and_no_exemplar(tiny_world: World, tmp_path: Path) -> None:
    def shared(rows: Rows) -> Rows:
        first = next(row["actor"] for row in rows if row["part"] == "train")
        for row in rows:
            row["group"] = "ann" if row["part"] == "test" or row["actor"] == first else f"p{row['actor']}"
        return [{**row, "part": "validation" if row["part"] == "test" else row["part"]} for row in rows]

    pool = read_pool(altered(tiny_world, tmp_path, shared), size=SIZE)
    assert "ann" in pool.people
    assert pool.barred.people == {hidden("ann")}
    assert all(pool.still("fear", number, 0).person != "ann" for number in range(40))
    exemplars = [card for card in pool.base.cards if card.kind == "exemplar"]
    assert exemplars
    assert hidden("ann") not in {card.subject for card in exemplars}


def test_a_class_that_alone_is_at_rest_begins_with_its_own_clips(pool: Pool) -> None:
    fear = pool.train.space.index("fear")
    moving = tuple(curve if label == fear else np.maximum(curve, 0.5)
                   for curve, label in zip(pool.curves, pool.train.labels, strict=True))  # fmt: skip
    assert pool.train.labels[replace(pool, curves=moving).still("fear", 0, 0).place] == fear
    with pytest.raises(InputError, match=r"no clip of .* has a face at rest that a clip could begin with"):
        replace(pool, curves=tuple(np.maximum(curve, 0.5) for curve in pool.curves)).still("fear", 0, 0)


def test_targets_are_real_clips_with_their_own_curves(pool: Pool) -> None:
    clips, targets = pool.targets(5, most=6)
    assert clips.shape == (6, 5, 3, SIZE, SIZE)
    assert targets.curves.shape == (6, 5, 17)
    assert torch.equal(targets.images, clips[:, 0])
    assert float(clips.min()) >= 0
    assert float(clips.max()) <= 1
    last = len(pool.train) - 1
    assert torch.equal(clips[-1], tensor_of(np.asarray(pool.train.frames[last])[[0, 2, 4, 6, 8]]))
    assert targets.curves[-1].numpy() == pytest.approx(np.nan_to_num(pool.curves[last])[[0, 2, 4, 6, 8]], abs=1e-6)
    assert targets.people[-1] == pool.people[last]


def test_frames_are_spread_evenly_from_first_to_last_and_grey_ones_have_three_channels() -> None:
    assert resampled(np.arange(9), 3).tolist() == [0, 4, 8]
    assert resampled(np.arange(3), 5).tolist() == [0, 0, 1, 2, 2]
    assert tensor_of(np.full((2, 4, 4, 1), 255, np.uint8)).shape == (2, 3, 4, 4)
    assert float(tensor_of(np.full((2, 4, 4, 3), 255, np.uint8)).mean()) == 1


def of_one_class(rows: Rows) -> Rows:
    return [row for row in rows if row["label"] == "fear" or row["part"] == "test"]


def without_parts(rows: Rows) -> Rows:
    return [{**row, "part": "train"} for row in rows]


def without_curves(rows: Rows) -> Rows:
    return [{name: value for name, value in row.items() if not name.startswith("AU")} for row in rows]


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        (without_curves, InputError, "has no unit curves, columns AU1, AU2 …; mimica data actor writes such a table"),
        (without_parts, UsageError, "has nothing to validate with, by which is decided what to make; give some"),
        (of_one_class, UsageError, "has clips of one class alone to learn from"),
    ],
)
def test_data_that_cannot_be_augmented_is_refused_in_a_sentence(
    change: Any, kind: type[Exception], said: str, tiny_world: World, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=said):
        read_pool(altered(tiny_world, tmp_path, change), size=SIZE)
