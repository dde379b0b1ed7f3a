from __future__ import annotations

from typing import Any

import pytest

from mimica.data.actor_settings import ActorSettings
from mimica.errors import UsageError

WAYS = {"task": "direction"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"clips": 0}, "clips must be 1 or more, got 0"),
        ({"size": 15}, "size must be 16 to 512 pixels, got 15"),
        ({"size": 513}, "size must be 16 to 512 pixels, got 513"),
        ({"frames": 0}, "frames must be 1 or more, got 0"),
        ({"intensity": (-0.1, 1.0)}, "intensity is two numbers from 0 to 1, the lower one first .* got -0.1 1"),
        ({"intensity": (0.5, 1.1)}, "intensity is two numbers from 0 to 1"),
        ({"intensity": (0.8, 0.3)}, "the lower one first"),
        ({"intensity": (0.0, 0.0)}, "not both 0"),
        ({"intensity": (float("nan"), 1.0)}, "intensity is two numbers"),
        ({"polarity_agrees": 1.2}, "polarity-agrees must be from 0 to 1, got 1.2"),
        ({"polarity_agrees": -0.2}, "polarity-agrees must be from 0 to 1"),
        ({"seed": -1}, "seed must be from 0 to 4294967295, got -1"),
        ({"seed": 2**32}, "seed must be from 0"),
        (WAYS | {"frames": 1}, "a direction needs two frames or more"),
        (WAYS | {"proportions": "dfew"}, "the proportions of DFEW are those of expressions"),
        (WAYS | {"part": "test", "clips": 3}, "clips must be even, .* got 3"),
    ],
)
def test_a_setting_that_cannot_be_is_named(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ActorSettings(**({"clips": 4} | asked))


@pytest.mark.parametrize(
    "asked",
    [
        {"clips": 1, "size": 16, "frames": 1, "intensity": (0.0, 1.0), "polarity_agrees": 0.0},
        {"clips": 1, "size": 512, "intensity": (1.0, 1.0), "polarity_agrees": 1.0, "seed": 2**32 - 1},
        WAYS | {"clips": 3, "frames": 2},
        WAYS | {"clips": 2, "part": "test"},
    ],
)
def test_settings_at_the_edge_are_good(asked: dict[str, Any]) -> None:
    ActorSettings(**asked)


def test_only_clips_to_test_direction_on_come_in_pairs() -> None:
    paired = {
        (task, part): ActorSettings(clips=2, task=task, part=part).paired  # type: ignore[arg-type]
        for task in ("emotion", "direction")
        for part in ("train", "test")
    }
    assert [asked for asked, is_paired in paired.items() if is_paired] == [("direction", "test")]
