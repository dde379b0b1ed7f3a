from __future__ import annotations

import numpy as np
import pytest

from mimica.data.actor import UNIT_ORDER
from mimica.data.render_units import FROWN, LID_PER_DEGREE, REST, SHAPES, both, mapping, weights
from mimica.facs import CORES, UNITS
from tiny_face import NAMES

T, U = 3, len(UNIT_ORDER)
AHEAD, OPEN = np.zeros((T, 2, 2)), np.zeros(T)


def units(*numbers: int, strength: float = 1.0) -> np.ndarray:
    made = np.zeros((T, U))
    made[:, [UNIT_ORDER.index(number) for number in numbers]] = strength
    return made


def shares(*numbers: int, strength: float = 1.0, **how: np.ndarray) -> dict[str, float]:
    """How much of each shape there is in the first frame."""
    found = weights(units(*numbers, strength=strength), NAMES, **({"gaze": AHEAD, "blink": OPEN} | how))
    return dict(zip(NAMES, found[0].tolist(), strict=True))


def moved(*numbers: int) -> set[str]:
    rest = shares()
    return {name for name, share in shares(*numbers).items() if share > rest[name] + 1e-6}


def test_every_unit_has_its_shapes_and_every_shape_is_one_of_the_face() -> None:
    assert SHAPES.keys() == UNITS.keys()
    for table in (*SHAPES.values(), FROWN, REST, LID_PER_DEGREE):
        for shape in table:
            assert all(
                name.removesuffix("_L").removesuffix("_R") == shape for name in (NAMES[i] for i in both(shape, NAMES))
            )


def test_a_face_at_rest_has_nothing_but_its_lips_closed() -> None:
    assert {name for name, share in shares().items() if share} == {
        NAMES[i] for shape in REST for i in both(shape, NAMES)
    }


@pytest.mark.parametrize("unit", UNIT_ORDER)
def test_a_unit_moves_its_own_shapes_alike_on_both_sides_and_more_when_stronger(unit: int) -> None:
    assert {NAMES[i] for shape in SHAPES[unit] if shape not in REST for i in both(shape, NAMES)} <= moved(unit)
    full, half = shares(unit), shares(unit, strength=0.5)
    for name in moved(unit):
        assert full[name] > half[name] > 0
        if name.endswith("_L"):
            assert full[name] == full[name[:-2] + "_R"]


def test_no_two_classes_move_the_same_shapes() -> None:
    found = [frozenset(moved(*core)) for core in CORES.values()]
    assert len(set(found)) == len(found)


def test_the_inner_ends_of_the_brows_tell_a_frown_from_sorrow() -> None:
    assert shares(4)["browInnerUp_L"] < -0.3
    assert shares(1, 4)["browInnerUp_L"] > 0.9


def test_lids_and_only_they_follow_the_eyes() -> None:
    rest = shares()
    for gaze, followed in (
        ((20.0, 0.0), {"eyeLookOut_L", "eyeLookIn_R"}),
        ((-20.0, 0.0), {"eyeLookIn_L", "eyeLookOut_R"}),
        ((0.0, 15.0), {"eyeLookUp_L", "eyeLookUp_R"}),
        ((0.0, -15.0), {"eyeLookDown_L", "eyeLookDown_R"}),
    ):
        seen = shares(gaze=np.broadcast_to(gaze, AHEAD.shape))
        assert {name for name, share in seen.items() if share != rest[name]} == followed


def test_a_blink_closes_both_eyes_and_what_opens_them_gives_way() -> None:
    down = np.broadcast_to((0.0, -15.0), AHEAD.shape)
    shut = shares(5, 7, gaze=down, blink=np.ones(T))
    assert shut["eyeBlink_L"] == shut["eyeBlink_R"] == 1
    assert not any(shut[name + "_L"] for name in ("eyeWide", "eyeSquint", "eyeLookDown"))
    assert shares(5, blink=np.full(T, 0.5))["eyeWide_L"] == pytest.approx(shares(5)["eyeWide_L"] / 2)


def test_a_lopsided_unit_is_stronger_on_one_side_and_the_same_in_sum() -> None:
    even, uneven = shares(12), shares(12, lopsided=np.full(U, 0.1))
    assert uneven["mouthSmile_L"] > even["mouthSmile_L"] > uneven["mouthSmile_R"]
    assert uneven["mouthSmile_L"] + uneven["mouthSmile_R"] == pytest.approx(2 * even["mouthSmile_L"])
    assert shares(lopsided=np.full(U, 0.1)) == shares()


def test_an_open_mouth_is_not_held_closed() -> None:
    assert shares(26)["mouthPress_L"] == 0
    assert shares(4)["mouthPress_L"] == shares()["mouthPress_L"] > 0


def test_the_mapping_is_by_name_and_not_by_place() -> None:
    order = np.random.default_rng(0).permutation(len(NAMES))
    assert np.array_equal(mapping([NAMES[i] for i in order]), mapping(NAMES)[:, order])
