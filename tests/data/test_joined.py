from __future__ import annotations

import numpy as np
import pytest

from mimica.data.clipset import ClipSet
from mimica.data.joined import joined, spread
from mimica.data.scene import scene_space
from mimica.errors import UsageError
from mimica.labels import EXPRESSIONS, LabelSpace


def some(number: int, space: LabelSpace = EXPRESSIONS, channels: int = 1) -> ClipSet:
    labels = np.arange(number) % len(space)
    frames = [np.full((1, 4, 4, channels), i, np.uint8) for i in range(number)]
    return ClipSet(frames=frames, labels=labels, names=[f"{space.name} {i}" for i in range(number)], space=space)


def test_classes_of_one_name_are_one_and_others_stand_behind_them() -> None:
    things = scene_space("train")
    fewer = EXPRESSIONS.only(["fear", "happiness"])
    whole = joined([some(7), some(4, fewer, 3), some(8, things, 3)])
    assert whole.space.names == (*EXPRESSIONS.names, *things.names)
    named = [whole.space.names[label] for label in whole.labels]
    assert named == [*EXPRESSIONS.names, *["fear", "happiness"] * 2, *things.names]


def test_grey_pictures_stand_on_three_channels_beside_those_in_colour() -> None:
    whole = joined([some(3), some(3, channels=3)])
    assert {frames.shape for frames in whole.frames} == {(1, 4, 4, 3)}
    assert whole.frames[2][0, 0, 0].tolist() == [2, 2, 2]


def test_one_set_is_itself() -> None:
    one = some(3)
    assert joined([one]) is one


def test_a_part_of_a_set_has_its_classes_in_their_proportions() -> None:
    part = spread(some(140), 14)
    assert list(part.counts().values()) == [2] * 7
    assert spread(some(14), 20).names == some(14).names
    with pytest.raises(UsageError, match="of 7 classes"):
        spread(some(14), 3)
