from __future__ import annotations

import pytest

from mimica.facs import CORES, UNITS, caption
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
