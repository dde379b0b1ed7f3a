from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mimica.data.clipset import Item, load, load_held
from mimica.data.published import dealt
from mimica.data.validation import held_out, lacks_one
from tiny_sets import draw_dfew, draw_ferv39k

DFEW = (2445, 1894, 2669, 2173, 1469, 145, 902)


def items(labels: list[int], *, groups: list[str] | None = None, part: str = "train") -> list[Item]:
    """Clips 1, 2, 3 …, whose names are no numbers of equal width."""
    named = groups or [""] * len(labels)
    return [
        Item(path=Path(f"clips/{i}"), label=label, part=part, group=group)
        for i, (label, group) in enumerate(zip(labels, named, strict=True), start=1)
    ]


def held(found: list[Item]) -> list[Item]:
    return [item for item in found if item.part == "validation"]


def runs(found: list[Item]) -> int:
    """How many runs of neighbours by number are held out."""
    ordered = sorted(found, key=lambda item: int(item.path.name))
    flags = [False, *(item.part == "validation" for item in ordered)]
    return sum(now and not before for before, now in pairwise(flags))


def films(seed: int) -> list[int]:
    """As many clips of each class as DFEW has to train on, in films of forty that are mostly of a class or two."""
    random = np.random.default_rng(seed)
    left = np.array([round(0.8 * n) for n in DFEW], dtype=float)
    labels: list[int] = []
    while left.sum() >= 1:
        leaning = left * random.dirichlet(np.full(7, 0.5))
        for _ in range(int(min(40, left.sum()))):
            weights = np.where(left >= 1, leaning + 0.01 * left, 0)
            labels.append(int(random.choice(7, p=weights / weights.sum())))
            left[labels[-1]] -= 1
    return labels


@pytest.mark.parametrize("seed", range(3))
def test_of_clips_in_the_order_of_films_four_blocks_of_a_tenth_with_every_class_are_held_out(seed: int) -> None:
    labels = films(seed)
    found = held_out(items(labels), share=0.1)
    part = Counter(item.label for item in held(found))
    assert abs(len(held(found)) - 0.1 * len(labels)) < 4
    assert runs(found) == 4
    assert set(part) == set(range(7))
    shares = np.array([part[c] for c in range(7)]) / len(held(found))
    assert np.abs(shares - np.bincount(labels) / len(labels)).sum() < 0.25


@settings(max_examples=150)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=80),
    st.sampled_from([0.05, 0.1, 0.25, 0.5]),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_a_class_of_several_clips_is_in_both_parts_and_one_of_a_single_clip_stays(
    labels: list[int], share: float, by_group: bool, random: object
) -> None:
    groups = [f"scene {i % 2}" for i in range(len(labels))] if by_group else None
    given_ = items(labels, groups=groups)
    found = held_out(given_, share=share, by_group=by_group)
    assert [replace(item, part="train") for item in found] == given_
    count, out = Counter(labels), Counter(item.label for item in held(found))
    assert {label for label, n in count.items() if n > 1} == out.keys()
    assert all(out[label] < n for label, n in count.items())
    assert len(held(found)) <= max(len(count) * 2, share * len(labels) + len(count))


def test_what_is_held_out_does_not_depend_on_the_order_in_which_clips_are_given() -> None:
    listed = items(films(0)[:2000])
    mixed = [listed[i] for i in np.random.default_rng(0).permutation(len(listed))]
    one, other = ({item.path for item in held(held_out(of, share=0.1))} for of in (listed, mixed))
    assert one == other


def test_only_clips_of_train_are_held_out() -> None:
    labels = [i % 3 for i in range(60)]
    tests = [replace(item, path=Path(f"tests/{item.path.name}")) for item in items(labels, part="test")]
    found = held_out([*tests, *items(labels)], share=0.1)
    assert found[:60] == tests
    assert {item.path.parts[0] for item in held(found)} == {"clips"}


def test_people_stay_whole() -> None:
    labels = [i % 4 for i in range(200)]
    groups = [f"person {i // 10}" for i in range(200)]
    found = held_out(items(labels, groups=groups), share=0.1)
    parts: dict[str, set[str]] = {}
    for item in found:
        parts.setdefault(item.group, set()).add(item.part)
    assert all(len(there) == 1 for there in parts.values())
    assert len(held(found)) == 20


def test_groups_too_few_to_hold_one_out_are_passed_over() -> None:
    found = held_out(items([i % 2 for i in range(100)], groups=["left", "right"] * 50), share=0.1)
    assert abs(len(held(found)) - 10) <= 2
    assert {item.group for item in held(found)} == {"left", "right"}


def test_every_scene_and_class_gives_its_share_as_a_run_of_neighbours() -> None:
    labels = [label for _ in range(3) for label in range(7) for _ in range(40)]
    groups = [scene for scene in ("Action", "School", "War") for _ in range(280)]
    found = held_out(items(labels, groups=groups), share=0.1, by_group=True)
    assert set(Counter((item.group, item.label) for item in held(found)).values()) == {4}
    assert len(held(found)) == 84
    assert runs(found) == 21


def test_of_many_small_scenes_the_whole_gives_its_share_too() -> None:
    labels, groups = (
        [i % 2 for i in range(400)],
        [f"scene {i // 8:02d}" for i in range(400)],
    )  # 4 clips a scene and class
    found = held_out(items(labels, groups=groups), share=0.1, by_group=True)
    assert abs(len(held(found)) - 40) <= 1


@pytest.mark.parametrize(
    ("parts", "lacking"),
    [("train test", True), ("train", False), ("train test validation", False), ("train test calibration", False),
     ("", False)],
)  # fmt: skip
def test_a_part_is_held_out_only_where_there_is_one_to_test_on_and_none_to_validate_on(
    parts: str, lacking: bool
) -> None:
    assert lacks_one([replace(items([0])[0], part=part) for part in parts.split() or [""]]) == lacking


def test_of_a_fold_the_parts_are_disjoint_and_what_tests_it_is_untouched(tmp_path: Path) -> None:
    spec = f"dfew:{draw_dfew(tmp_path, dealt((20, 20, 20, 20, 20, 10, 20), folds=5))}"
    how = {"size": 8, "fold": 2}
    whole, test = load(spec, **how), load(spec, part="test", **how)  # type: ignore[arg-type]
    learned, validation = load(spec, hold=0.1, **how), load_held(spec, hold=0.1, **how)  # type: ignore[arg-type]
    assert validation is not None
    assert set(learned.names) | set(validation.names) == set(whole.names)
    assert not set(learned.names) & set(validation.names)
    assert load(spec, part="test", hold=0.1, **how).names == test.names  # type: ignore[arg-type]
    assert validation.manifest["origin"] == f"{tmp_path.name}, part validation of fold 2"
    assert load_held(spec, **how) is None  # type: ignore[arg-type]


def test_of_ferv39k_every_scene_is_validated_on(tmp_path: Path) -> None:
    validation = load_held(f"ferv39k:{draw_ferv39k(tmp_path)}", size=8, hold=0.25)
    assert validation is not None
    assert {Path(name).parts[-3] for name in validation.names} == {"Action", "War"}


def test_a_table_may_have_a_part_validation_of_its_own(tmp_path: Path) -> None:
    draw_ferv39k(tmp_path)
    clip = "2_ClipsforFaceCrop/Action/Happy/0000"
    rows = "".join(f"{clip},happy,{part}\n" for part in ("train", "test", "validation"))
    (tmp_path / "clips.csv").write_text(f"path,label,part\n{rows}")
    validation = load_held(f"table:{tmp_path / 'clips.csv'}", size=8, hold=0.1)
    assert validation is not None
    assert (len(validation), validation.manifest["origin"]) == (1, "clips.csv, part validation")
