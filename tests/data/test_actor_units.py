from __future__ import annotations

import numpy as np
import pytest

from mimica.data.actor_units import LEAST, unit_faces
from mimica.errors import AssetError
from mimica.facs import ANTAGONISTS
from mimica.units.detect import ORDER


@pytest.fixture(scope="module")
def many() -> np.ndarray:
    return unit_faces(400, size=16, part="train", seed=1).units


def test_units_come_in_combinations_that_no_prototype_has(many: np.ndarray) -> None:
    free = many[[i for i in range(400) if i % 5 >= 2]]
    happy = ORDER.index(6), ORDER.index(12)
    assert ((free[:, happy[0]] > 0) & (free[:, happy[1]] == 0)).any()
    assert ((free[:, happy[0]] == 0) & (free[:, happy[1]] > 0)).any()
    assert (free == 0).all(1).any(), "a face at rest is among them"
    assert set(np.unique((free > 0).sum(1))) >= {0, 1, 2, 3, 4}


def test_no_two_units_exclude_each_other(many: np.ndarray) -> None:
    free = many[[i for i in range(400) if i % 5 >= 2]]
    assert not any(pair.clash(dict(zip(ORDER, row.tolist(), strict=True))) for row in free for pair in ANTAGONISTS)
    assert free[free > 0].min() >= LEAST


def test_a_face_is_the_same_however_many_are_asked_for() -> None:
    whole, part = (unit_faces(n, first=f, size=16, part="test", seed=0) for n, f in ((6, 0), (2, 3)))
    assert (whole.units[3:5] == part.units).all()
    assert np.abs(whole.pictures[3:5].astype(int) - part.pictures).max() <= 1
    assert len(unit_faces(0, part="train", seed=0)) == 0


def test_a_unit_moves_the_picture_that_it_is_told_with() -> None:
    faces = unit_faces(60, size=32, part="train", seed=2)
    assert len({picture.tobytes() for picture in faces.pictures}) == 60


def test_without_the_model_of_a_face_the_asset_is_named(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("moderngl")
    monkeypatch.setenv("MIMICA_HOME", str(tmp_path))
    with pytest.raises(AssetError, match="ict-face"):
        unit_faces(1, part="train", seed=0, render="ict")
