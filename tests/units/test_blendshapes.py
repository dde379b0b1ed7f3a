from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimica import assets
from mimica.errors import AssetError, MissingExtra
from mimica.faces.crop import face_view
from mimica.facs import EVERY_UNIT, UNITS
from mimica.units.blendshapes import DEAD, Blendshapes, from_blendshapes
from mimica.units.detect import ORDER
from mimica.video.pictures import read_picture
from oracles.units import unit_of

as_ever = assets.file
SHAPES = tuple(dict.fromkeys(shape for unit in EVERY_UNIT.values() for shape in unit.arkit))


@given(st.fixed_dictionaries({shape: st.floats(0, 1, width=32) for shape in SHAPES}))
def test_each_unit_is_the_stronger_of_its_left_and_right_shape(scores: dict[str, float]) -> None:
    expected = [unit_of(number, scores) for number in ORDER]
    assert from_blendshapes(scores).tolist() == pytest.approx(expected, nan_ok=True)


def test_units_of_shapes_that_the_landmarker_never_moves_are_unseen() -> None:
    found = from_blendshapes(dict.fromkeys(SHAPES, 0.5))
    assert [unit for unit, value in zip(ORDER, found, strict=True) if np.isnan(value)] == [6, 9]
    assert Blendshapes.units == tuple(unit for unit in ORDER if unit not in (6, 9))
    assert set(DEAD) == {*UNITS[6].arkit, *UNITS[9].arkit}


def test_a_face_that_the_landmarker_does_not_find_is_unseen(landmarker: Callable[..., list[Any]]) -> None:
    shown = landmarker([None, {"mouthSmileLeft": 0.7, "mouthSmileRight": 0.2}])
    faces = np.zeros((2, 192, 192, 3), np.uint8)
    faces[1] = 9
    found = Blendshapes().strengths(faces)
    assert np.isnan(found[0]).all()
    assert found[1, ORDER.index(12)] == pytest.approx(0.7)
    assert [picture.max() for picture in shown] == [0, 9]
    assert Blendshapes().strengths(faces[:0]).shape == (0, 17)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mediapipe", "mediapipe.tasks", "mediapipe.tasks.python"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=r"needs mediapipe; install it with: pip install 'mimica\[units\]'"):
        Blendshapes()


def test_without_its_file_the_asset_is_named(
    landmarker: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    landmarker([])
    monkeypatch.setattr(assets, "file", as_ever)
    monkeypatch.setenv("MIMICA_HOME", str(tmp_path))
    with pytest.raises(AssetError, match=r"'face-landmarker'.*mimica assets fetch face-landmarker"):
        Blendshapes()


def test_a_smile_is_seen_in_a_face_that_smiles() -> None:
    pytest.importorskip("mediapipe")
    if {assets.check("face-landmarker"), assets.check("sample-astronaut")} != {"present"}:
        pytest.skip("the assets face-landmarker and sample-astronaut are not on this machine")
    picture = read_picture(assets.file("sample-astronaut"))[0]
    face = face_view(picture, np.array([175.0, 65, 280, 205]), size=Blendshapes.size, margin=Blendshapes.margin)
    found = dict(zip(ORDER, Blendshapes().strengths(face[None])[0], strict=True))
    assert found[12] > 0.5 > found[15]
