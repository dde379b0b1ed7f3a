from __future__ import annotations

import numpy as np
import pytest

from mimica.errors import UsageError
from mimica.facs import CORES, UNITS, caption, curve
from mimica.labels import EXPRESSIONS


def test_every_class_of_expression_has_a_core() -> None:
    assert set(CORES) == set(EXPRESSIONS.names)


def test_cores_consist_of_known_units_in_order_and_no_two_are_alike() -> None:
    assert all(unit in UNITS for core in CORES.values() for unit in core)
    assert all(core == tuple(sorted(set(core))) for core in CORES.values())
    assert len(set(CORES.values())) == len(CORES)


def test_units_are_kept_by_their_own_number_and_have_their_own_words() -> None:
    assert all(number == unit.number for number, unit in UNITS.items())
    assert len({unit.name for unit in UNITS.values()}) == len({unit.look for unit in UNITS.values()}) == len(UNITS)


@pytest.mark.parametrize(
    ("units", "names", "sentence"),
    [
        ((), False, "a face at rest, no part of it moved"),
        ((12,), False, "a face on which the corners of the lips are pulled up"),
        ((6, 12), True, "a face with cheek raiser and lip corner puller"),
        ((1, 4, 15), True, "a face with inner brow raiser, brow lowerer and lip corner depressor"),
    ],
)
def test_a_caption_is_a_sentence(units: tuple[int, ...], names: bool, sentence: str) -> None:
    assert caption(units, names=names) == sentence


def test_the_tables_of_facts_cannot_be_written_to() -> None:
    with pytest.raises(TypeError):
        CORES["joy"] = (12,)  # type: ignore[index]


def test_a_curve_sets_in_stays_and_goes() -> None:
    time = np.linspace(0, 1, 101)
    value = curve(time, onset=0.1, apex=0.3, release=0.6, offset=0.9)
    assert (value[(time <= 0.1) | (time >= 0.9)] == 0).all()
    assert (value[(time >= 0.3) & (time <= 0.6)] == 1).all()
    assert (np.diff(value[10:31]) > 0).all()
    assert (np.diff(value[60:91]) < 0).all()


def test_curves_of_many_units_are_made_at_once() -> None:
    onsets = np.array([0.0, 0.2])
    both = curve(np.linspace(0, 1, 5)[:, None], onset=onsets, apex=onsets + 0.3, release=0.7, offset=0.9)
    alone = curve(np.linspace(0, 1, 5), onset=0.2, apex=0.5, release=0.7, offset=0.9)
    assert both.shape == (5, 2)
    assert both[:, 1].tolist() == alone.tolist()


@pytest.mark.parametrize(
    ("onset", "apex", "release", "offset"), [(0.5, 0.5, 0.6, 0.7), (0, 0.5, 0.4, 0.7), (0, 0.1, 0.5, 0.5)]
)
def test_times_out_of_order_are_no_curve(onset: float, apex: float, release: float, offset: float) -> None:
    with pytest.raises(UsageError, match="onset < apex <= release < offset"):
        curve(np.zeros(2), onset=onset, apex=apex, release=release, offset=offset)
