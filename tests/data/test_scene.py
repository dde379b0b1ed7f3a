from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch

from mimica.data.scene import PALETTES, THINGS, scene_polarity, scene_space, scenes
from mimica.errors import UsageError


def test_a_scene_is_in_range_and_does_not_change_when_more_are_asked_for() -> None:
    few = scenes([1, 0, -1], size=32, part="train", seed=1)
    many = scenes([1, 0, -1] * 4, size=32, part="train", seed=1)
    assert few.shape == (3, 3, 32, 32)
    assert float(few.min()) >= 0
    assert float(few.max()) <= 1
    torch.testing.assert_close(few, many[:3])


@pytest.mark.parametrize("part", ["train", "test"])
def test_bright_and_warm_stands_for_positive_dark_and_cold_for_negative(part: str) -> None:
    bright, even, dark = (scenes([p] * 16, size=32, part=part, seed=0) for p in (1, 0, -1))  # type: ignore[arg-type]
    light = [s.mean(dim=(1, 2, 3)) for s in (bright, even, dark)]
    assert light[0].min() > light[2].max()
    assert light[1].min() > light[2].max()
    colourful = [(s.amax(1) - s.amin(1)).mean(dim=(1, 2)) for s in (bright, even)]
    assert colourful[0].min() > colourful[1].max()


@pytest.mark.parametrize("table", [THINGS, PALETTES], ids=["things", "palettes"])
def test_no_thing_and_no_palette_of_test_scenes_is_in_train_scenes(table: dict[str, dict[int, tuple[object]]]) -> None:
    train, test = (set(chain.from_iterable(table[part].values())) for part in ("train", "test"))
    assert train
    assert test
    assert not train & test


def test_scenes_of_one_polarity_differ_from_each_other() -> None:
    found = scenes([-1] * 8, size=32, part="test", seed=0)
    assert len(torch.unique(found.flatten(1), dim=0)) == 8


@pytest.mark.parametrize("agrees", [0.0, 0.7, 1.0])
def test_a_scene_agrees_with_its_label_as_often_as_asked(agrees: float) -> None:
    own = np.tile([-1, 0, 1], 400)
    behind = scene_polarity(own, agrees, seed=0, part="train")
    assert (behind == own).mean() == pytest.approx(agrees, abs=0.04)
    if agrees < 1:
        other = behind[(own == 0) & (behind != 0)]
        assert (other == 1).mean() == pytest.approx(0.5, abs=0.1)


def test_the_polarity_behind_a_clip_does_not_depend_on_the_clips_before_it() -> None:
    whole = scene_polarity([1] * 9, 0.5, seed=3, part="test")
    assert whole[4:].tolist() == scene_polarity([1] * 5, 0.5, seed=3, part="test", numbers=range(4, 9)).tolist()


def test_what_is_no_polarity_or_no_share_is_refused() -> None:
    with pytest.raises(UsageError, match="polarity is -1, 0 or 1"):
        scenes([2], size=16, part="train", seed=0)
    with pytest.raises(UsageError, match="from 0 to 1"):
        scene_polarity([1], 1.2, seed=0, part="train")
    with pytest.raises(UsageError, match="unknown part 'held'"):
        scenes([1], size=16, part="held", seed=0)  # type: ignore[arg-type]


def test_the_things_of_a_part_are_its_classes_and_none_of_the_other_part() -> None:
    train, test = scene_space("train"), scene_space("test")
    assert set(train.names) == {name for names in THINGS["train"].values() for name in names}
    assert not set(train.names) & set(test.names)
    assert [train.polarity[train.index(name)] for name in ("sun", "shelf", "rain")] == [1, 0, -1]


def test_a_scene_holds_the_thing_that_is_asked_for() -> None:
    of = {"size": 24, "part": "train", "seed": 0, "numbers": [5]}
    drawn = {name: scenes([1], things=[name], **of) for name in THINGS["train"][1]}
    assert any(scenes([1], **of).equal(one) for one in drawn.values())
    assert not drawn["sun"].equal(drawn["trees"])
